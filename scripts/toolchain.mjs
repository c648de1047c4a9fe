/** Which Rust and Node the project needs, and one sentence for each way in which the machine's fall short. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, Stop } from './process.mjs'

/**
 * The version in `rustc 1.95.0 (…)`, or null.
 * @param {string} text
 * @returns {[number, number, number] | null}
 */
export function parseVersion(text) {
  const found = /\b(\d+)\.(\d+)(?:\.(\d+))?/.exec(text)
  return found ? [Number(found[1]), Number(found[2]), Number(found[3] ?? 0)] : null
}

/**
 * Whether version `found` is `needed` or newer.
 * @param {number[]} found
 * @param {number[]} needed
 */
export function atLeast(found, needed) {
  for (let i = 0; i < 3; i++) {
    if (found[i] !== needed[i]) return found[i] > needed[i]
  }
  return true
}

/**
 * The `rust-version` that a Cargo.toml states.
 * @param {string} cargoToml
 */
export function statedMinimum(cargoToml) {
  const found = /^\s*rust-version\s*=\s*"([\d.]+)"/m.exec(cargoToml)
  if (!found) throw new Error('Cargo.toml states no rust-version')
  return found[1]
}

/**
 * What is wrong with the toolchain, in one sentence, or null.
 * @param {{ rustc: string | null, cargo: string | null, minimum: string }} found
 *   what `rustc -vV` and `cargo --version` print; null when it does not run
 */
export function toolchainProblem({ rustc, cargo, minimum }) {
  if (rustc === null || cargo === null) {
    const missing = rustc === null && cargo === null ? 'Rust is' : rustc === null ? 'rustc is' : 'cargo is'
    return `${missing} not installed (or not on PATH): install stable Rust ${minimum} or newer from https://rustup.rs and run this again.`
  }
  const version = parseVersion(rustc)
  const needed = parseVersion(minimum)
  if (version && needed && !atLeast(version, needed)) {
    return `Rust ${version.join('.')} is too old: this project needs ${minimum} or newer; run \`rustup update stable\` and run this again.`
  }
  return null
}

/** @param {string} program @param {string[]} args */
function output(program, args) {
  const { status, stdout } = spawnSync(program, args, { cwd: root, encoding: 'utf8' })
  return status === 0 ? stdout.trim() : null
}

/** Checks the machine's toolchain and returns what `rustc -vV` says of itself; stops where it will not do. */
export function checkToolchain() {
  const rustc = output('rustc', ['-vV'])
  const cargo = output('cargo', ['--version'])
  const minimum = statedMinimum(readFileSync(join(root, 'Cargo.toml'), 'utf8'))
  const problem = toolchainProblem({ rustc, cargo, minimum })
  if (problem !== null || rustc === null) throw new Stop(problem ?? '')
  return rustc
}

/**
 * What a failed build lacked on this machine, in one sentence, or null when the fault is in the code.
 * @param {string} stderr
 */
export function missingLinker(stderr) {
  const found = /linker `([^`]+)` not found/.exec(stderr)
  return (
    found &&
    `Rust found no linker (${found[1]}): install a C compiler (Debian and Ubuntu: \`apt-get install build-essential\`; ` +
      'macOS: `xcode-select --install`; Windows: the Visual Studio Build Tools) and run this again.'
  )
}

/**
 * @param {string} found
 * @param {string} range the `engines.node` of package.json: `>=` and a version
 */
export function nodeProblem(found, range) {
  const version = parseVersion(found)
  const needed = parseVersion(range)
  return version && needed && !atLeast(version, needed)
    ? `Node ${found} is too old: this project needs ${needed[0]}.${needed[1]} or newer.`
    : null
}

/** Stops on a Node that is too old. */
export function checkNode() {
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const problem = nodeProblem(process.versions.node, engines.node)
  if (problem !== null) throw new Stop(problem)
}
