import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const root = fileURLToPath(new URL('.', import.meta.url))
const long = process.env.FOVEA_LONG === '1' // soaks, fuzzing, MNIST in full: `npm run test:long`

export default defineConfig({
  resolve: {
    alias: [
      { find: /^fovea$/, replacement: `${root}ts/index.ts` },
      { find: /^fovea\/(.+)$/, replacement: `${root}ts/$1/index.ts` },
    ],
  },
  test: {
    include: long
      ? ['test/long/**/*.test.ts']
      : ['test/**/*.test.ts', 'ts/**/*.test.ts', 'scripts/**/*.test.ts', 'benches/**/*.test.ts'],
    exclude: long ? [] : ['test/long/**'],
    passWithNoTests: long,
    // A process each: a crash in native code then takes down one test file and is reported as its failure.
    pool: 'forks',
    testTimeout: long ? 4 * 60 * 60 * 1000 : 60_000,
    hookTimeout: 60_000,
  },
})
