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

/** Bytes held by the library, and what holds most of them. */
export interface MemoryReport {
  /** Bytes in use on the CPU, in all threads. */
  live: number
  /** Bytes kept for reuse. */
  cached: number
  /** The most bytes in use so far. */
  peak: number
  /** Bytes of this thread's values, on all devices. */
  values: number
  /** Tensors that are alive. */
  handles: number
  /** Nodes of the graph that are alive. */
  nodes: number
  /** The modules whose values hold the most bytes, largest first; '' stands for code outside any module. */
  largest: { path: string; bytes: number }[]
}

/** What the machine can do at most on the threads and the instruction set in use. */
export interface MachinePeak {
  /** f32 operations in 10⁹ a second, a multiply-add being two. */
  gflops: number
  /** 10⁹ bytes a second that can be read from memory. */
  readGbps: number
  /** 10⁹ bytes a second that can be moved where two are read for each one written. */
  triadGbps: number
}

/** What the engine has done so far, for tests and the curious. */
export interface Counters {
  /** Plans made, and plans found that had been made before. */
  plansMade: number
  plansHit: number
  /** Nodes that plans were made for. */
  plannedNodes: number
  evaluations: number
  /** Steps of the plans that were run. */
  kernels: number
  nodesEvaluated: number
  nodesRecorded: number
  /** Steps that ran on the CPU because the GPU has no kernel for them. */
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

/**
 * Measures what figures of kernels are to be judged by, for about a second on the CPU's threads and in this thread;
 * takes 256 MiB meanwhile. Throws an OutOfMemoryError without them.
 */
export function machinePeak(): MachinePeak {
  native.drain()
  return JSON.parse(native.machinePeak()) as MachinePeak
}

/** What the library holds now: bytes that are live, cached and planned, and the largest holders. */
export function memory(): MemoryReport {
  return JSON.parse(native.memory()) as MemoryReport
}

/** What the engine has done so far in this process. */
export function counters(): Counters {
  return JSON.parse(native.counters()) as Counters
}
