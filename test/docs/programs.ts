/** TypeScript files of the documentation, checked and run as a reader would. */
import { execFile } from 'node:child_process'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import ts from 'typescript'
import { root } from '../child.ts'

/** The project's compiler options, for programs that need not use all that they name. */
export function compilerOptions(): ts.CompilerOptions {
  const file = join(root, 'tsconfig.json')
  const { config } = ts.readConfigFile(file, ts.sys.readFile) as { config: object }
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, root, undefined, file)
  return { ...options, incremental: false, tsBuildInfoFile: undefined, noUnusedLocals: false }
}

/** What the compiler has against these files, each with its place. */
export function complaints(files: readonly string[]): string[] {
  const program = ts.createProgram(files, compilerOptions())
  const found = files.flatMap((file) => {
    const source = program.getSourceFile(file)
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
  })
  return found.map(({ file, start = 0, messageText }) => {
    const place =
      file && `${file.fileName.slice(root.length + 1)}:${file.getLineAndCharacterOfPosition(start).line + 1}`
    return `${place}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`
  })
}

/** Runs files of one folder one after the other in a process that works there; gives what they print. */
export async function run(files: readonly string[]): Promise<string> {
  const code = files.map((file) => `await import(${JSON.stringify(pathToFileURL(file).href)})`).join('\n')
  const args = ['--import', 'tsx', '--input-type=module', '--eval', code]
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd: dirname(files[0]!),
    env: { ...process.env, NODE_OPTIONS: '', TSX_TSCONFIG_PATH: join(root, 'tsconfig.json') },
    timeout: 240_000,
    maxBuffer: 2 ** 24,
  })
  return stdout
}
