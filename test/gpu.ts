/** Whether the tests that need a GPU can run here. */
import { tmpdir } from 'node:os'
import { useDevice, type Device } from 'fovea'

/**
 * Whether there is a GPU. Without one, a printed line says that `what` is skipped, and why; with FOVEA_REQUIRE_GPU=1,
 * as in CI, that is an error. New tensors lie on the CPU afterwards.
 */
export async function gpuFor(what: string): Promise<boolean> {
  try {
    await useDevice('gpu')
    return true
  } catch (error) {
    const { message } = error as Error
    if (process.env.FOVEA_REQUIRE_GPU === '1') throw new Error(`FOVEA_REQUIRE_GPU=1, but ${message}`, { cause: error })
    console.log(`${what}: skipped, ${message}`)
    return false
  } finally {
    await useDevice('cpu')
  }
}

/** Runs `work` with new tensors on `device`. */
export async function on<T>(device: Device, work: () => T | Promise<T>): Promise<T> {
  await useDevice(device)
  try {
    return await work()
  } finally {
    await useDevice('cpu')
  }
}

/** For processes with a GPU: without a runtime folder Mesa's drivers complain on stderr. */
export const quietDrivers = { XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR ?? tmpdir() }
