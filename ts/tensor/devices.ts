/** Devices, threads, memory. */
import { native } from '../native/addon.ts'
import { refuse } from '../native/errors.ts'
import { deviceCode, deviceName, isDevice, type Device } from '../native/types.ts'
import { setDefaultDevice } from './defaults.ts'

/** A device of this machine. */
export interface DeviceInfo {
  device: Device
  name: string
  [detail: string]: unknown
}

/** Bytes held by the library on all devices, and what holds most of them. */
export interface MemoryReport {
  /** Bytes of values. */
  live: number
  /** Bytes kept for reuse. */
  cached: number
  /** The most bytes of values so far. */
  peak: number
  handles: number
  nodes: number
  largest: unknown
}

/** What the engine has done so far, for tests and the curious. */
export interface Counters {
  plansMade: number
  plansHit: number
  evaluations: number
  kernels: number
  nodesEvaluated: number
  nodesRecorded: number
  fallbacks: number
}

/**
 * Makes new tensors go to this device: the CPU, a GPU, or with 'auto' the first GPU if there is one. Moves nothing that
 * exists. Returns the device; throws a DeviceError with the reason where there is no such GPU.
 */
export async function useDevice(device: Device | 'auto'): Promise<Device> {
  if (device !== 'auto' && !isDevice(device)) refuse('useDevice', 'device', "'cpu', 'gpu' or 'auto'", device)
  let code = device === 'auto' ? 1 : deviceCode(device, 'useDevice')
  if (code > 0) {
    try {
      native.openGpu()
    } catch (error) {
      if (device !== 'auto') throw error
      code = 0
    }
  }
  native.setDefaultDevice(code)
  setDefaultDevice(code)
  return deviceName(code)
}

/** The devices of this machine. */
export async function devices(): Promise<DeviceInfo[]> {
  return JSON.parse(native.devices()) as DeviceInfo[]
}

/** Sets how many threads the CPU's work is spread over. Results don't depend on it. */
export function setThreads(n: number): void {
  if (!Number.isSafeInteger(n) || n < 1) refuse('setThreads', 'n', 'a whole number from 1 on', n)
  native.setThreads(n)
}

/** How many threads the CPU's work is spread over. */
export function threads(): number {
  return native.threads()
}

export function memory(): MemoryReport {
  return JSON.parse(native.memory()) as MemoryReport
}

export function counters(): Counters {
  return JSON.parse(native.counters()) as Counters
}
