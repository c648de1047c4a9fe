/** What new tensors get where nothing is said. */

let device = 0

/** The code of the device on which new leaves are made. */
export function defaultDevice(): number {
  return device
}

export function setDefaultDevice(code: number): void {
  device = code
}
