/** Runs `fovea` from the sources. */
import { runChild, type ChildOptions, type Outcome } from '../child.ts'

export function fovea(args: string[], options: ChildOptions = {}): Promise<Outcome> {
  return runChild('ts/cli/main.ts', { ...options, args })
}
