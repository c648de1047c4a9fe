#!/usr/bin/env node
/** The command `fovea`. */
import { FoveaError } from '../native/errors.ts'
import { commandHelp, parse, synopsis, UsageError, type Command } from './usage.ts'

const json = { type: 'boolean', about: 'print JSON' } as const

const commands: Readonly<Record<string, Command>> = {
  doctor: {
    operand: null,
    about:
      'Says what Fovea finds on this machine, and tests itself for a second. Exit code 1 where something is wrong.',
    options: { json },
    run: async (_, options) => (await import('./doctor.ts')).doctor(options.json === true),
  },
  summary: {
    operand: 'FILE',
    about:
      'Prints names, shapes and dtypes of the tensors in a file of weights (.safetensors, .npz, .npy, .pth, .pt, .bin)\n' +
      'or in the folder of a saved model.',
    options: { json },
    run: async (file, options) => (await import('./summary.ts')).summary(file, options.json === true),
  },
  report: {
    operand: 'RUN',
    about: "Names the report.html in a run's folder, or writes it from the run's checkpoint where there is none.",
    options: {
      out: { type: 'string', value: 'FILE', about: 'write a report from the checkpoint to FILE in any case' },
      title: { type: 'string', value: 'TEXT', about: "its title (the folder's name)" },
      open: { type: 'boolean', about: 'open it in the browser' },
    },
    run: async (folder, options) => (await import('./report.ts')).report(folder, options),
  },
}

function help(): string {
  const rows = Object.entries(commands).map(([name, command]) => [synopsis(name, command), command.about] as const)
  return `${rows.map(([line, about]) => `${line}\n    ${about.replaceAll('\n', '\n    ')}\n`).join('\n')}
fovea --version
    Prints the version.
`
}

async function run([name, ...args]: string[]): Promise<number> {
  const names = Object.keys(commands).join(', ')
  if (name === undefined)
    throw new UsageError(`a command is missing; there are ${names}. \`fovea --help\` explains them`)
  if (name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(help())
    return 0
  }
  if (name === '--version') {
    const { packageVersion } = await import('./facts.ts')
    process.stdout.write(`${packageVersion()}\n`)
    return 0
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (!command) throw new UsageError(`there is no command '${name}'; there are ${names}`)
  const parsed = parse(name, command, args)
  if (!parsed.help) return command.run(parsed.operand, parsed.options)
  process.stdout.write(commandHelp(name, command))
  return 0
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0) // the reader, such as `head`, has what it wants
})

/** What the user, a file or the system caused, as one line; null for a fault of ours, which keeps its stack. */
function explained(error: unknown): string | null {
  if (error instanceof UsageError) return error.message
  if (error instanceof FoveaError) return `${error.name}: ${error.message}`
  return error instanceof Error && 'syscall' in error ? error.message : null
}

try {
  process.exitCode = await run(process.argv.slice(2))
} catch (error) {
  const text = explained(error)
  if (text === null) throw error
  process.stderr.write(`fovea: ${text.replaceAll(/\s*\n\s*/g, ' ')}\n`)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
