/** What a command line asks for, and what is wrong with it. */
import { parseArgs } from 'node:util'

/** A command line that asks for what there isn't. */
export class UsageError extends Error {}

/** An option of a command: a flag, or one that takes a value. */
export interface Option {
  type: 'boolean' | 'string'
  /** How its value is called in the help. */
  value?: string
  about: string
}

export interface Command {
  /** What stands behind the command's name, such as `FILE`. */
  operand: string | null
  about: string
  options: Readonly<Record<string, Option>>
  /** Loaded when it is run, since most commands load the addon. Resolves with the exit code. */
  run(operand: string, options: Readonly<Record<string, string | boolean | undefined>>): Promise<number>
}

const shown = (name: string, { value }: Option) => (value === undefined ? `--${name}` : `--${name} ${value}`)

/** How a command is written. */
export function synopsis(name: string, { operand, options }: Command): string {
  const parts = Object.entries(options).map(([option, o]) => `[${shown(option, o)}]`)
  return ['fovea', name, ...(operand === null ? [] : [operand]), ...parts].join(' ')
}

/** The help of one command. */
export function commandHelp(name: string, command: Command): string {
  const rows = [...Object.entries(command.options), ['help', { type: 'boolean', about: 'this text' }] as const]
  const width = Math.max(...rows.map(([option, o]) => shown(option, o).length))
  const lines = rows.map(([option, o]) => `  ${shown(option, o).padEnd(width)}  ${o.about}`)
  return `${synopsis(name, command)}\n\n${command.about}\n\n${lines.join('\n')}\n`
}

/** What a command line holds besides the command's name. Throws a UsageError that says what there is. */
export function parse(
  name: string,
  command: Command,
  args: string[],
): { operand: string; help: boolean; options: Record<string, string | boolean | undefined> } {
  const options = Object.fromEntries(Object.entries(command.options).map(([option, { type }]) => [option, { type }]))
  const known = `the command is ${synopsis(name, command)}`
  let parsed
  try {
    parsed = parseArgs({
      args,
      options: { ...options, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    })
  } catch (error) {
    const [sentence] = String(error instanceof Error ? error.message : error).split(/\.?\n|\. |\.$/)
    throw new UsageError(`${sentence}; ${known}`)
  }
  const { help = false, ...values } = parsed.values as Record<string, string | boolean | undefined>
  const [operand = '', second] = command.operand === null ? ['', parsed.positionals[0]] : parsed.positionals
  if (!help && command.operand !== null && operand === '')
    throw new UsageError(`${command.operand} is missing; ${known}`)
  if (second !== undefined) throw new UsageError(`'${second}' is one argument too many; ${known}`)
  return { operand, help: help === true, options: values }
}
