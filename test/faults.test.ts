/** What goes wrong outside the program: full disks, damaged files, no memory, workers that end. The process goes on. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { DataError, F, nn, optim, OutOfMemoryError, randn, zeros, type Tensor } from 'fovea'
import { type BatchedDataset, DataLoader, imageFolder, TensorDataset } from 'fovea/data'
import { fit } from 'fovea/train'
import { resultOf, root } from './child.ts'
import { numbers } from './engine.ts'

const dir = mkdtempSync(join(tmpdir(), 'fovea-faults-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))
const pictures = join(root, 'test', 'reference', 'formats')

/** Some training, which must work. */
async function trains(model = new nn.Linear(8, 2)): Promise<void> {
  const x = randn([4, 8])
  const { epochs } = await fit(model, [[x, zeros([4, 2])]], {
    loss: F.mseLoss,
    optimizer: new optim.SGD(model, { lr: 0.1 }),
    epochs: 5,
  })
  expect(epochs.at(-1)!.training.loss).toBeLessThan(epochs[0]!.training.loss!)
}

const program = join(root, 'test', 'programs', 'checkpoints.ts')

/** Runs the checkpointing program in `where`, after `before` in the same shell. */
function checkpointing(where: string, epochs: number, before = '') {
  const args = ['-c', `${before} exec "$0" --import tsx "$@"`, process.execPath, program, where, String(epochs)]
  return spawnSync('bash', args, { cwd: root, encoding: 'utf8' })
}

describe.skipIf(process.platform !== 'linux')('a disk that is full in mid-checkpoint', () => {
  // Mounts are seen by the command alone.
  const inside = ['unshare', '--mount', '--map-root-user', 'bash', '-c']
  const may = spawnSync(inside[0]!, [...inside.slice(1), 'mount -t tmpfs none /mnt']).status === 0
  if (!may) console.log('a real full disk: skipped, this user may not mount a file system')

  const failure = expect.stringMatching(/^DataError .*(best|last)\.safetensors can't be written.*\ngoes on$/)

  test('by a limit on the size of files: nothing older is lost, the process goes on', () => {
    const where = join(dir, 'limited')
    expect(checkpointing(where, 1)).toMatchObject({ status: 0 })
    const before = readFileSync(join(where, 'last.safetensors'))
    // Files may grow to 512 KiB, a checkpoint needs 2 MiB.
    const { status, stdout } = checkpointing(where, 2, 'ulimit -f 512;')
    expect([status, stdout.trim()]).toEqual([0, failure])
    expect(readFileSync(join(where, 'last.safetensors')).equals(before)).toBe(true)
    expect(readdirSync(where).filter((name) => name.endsWith('.tmp'))).toEqual([])
    expect(checkpointing(where, 2).stdout.trim()).toBe('2 epochs')
    expect(existsSync(join(where, 'best.safetensors'))).toBe(true)
  }, 60_000)

  test.skipIf(!may)(
    'by a file system without room: the same',
    () => {
      const [disk, copy] = [join(dir, 'disk'), join(dir, 'copy')]
      mkdirSync(disk)
      // Room for two checkpoints of 2 MiB, and for half of the one that takes the place of another.
      const first = join(dir, 'first')
      checkpointing(first, 1)
      const before = readFileSync(join(first, 'last.safetensors'))
      const mounted = `mount -t tmpfs -o size=5m none ${disk} && cp ${first}/* ${disk} && trap 'cp -r ${disk} ${copy}' EXIT;`
      const script = `${mounted} "$0" --import tsx "$@"; true`
      const args = [...inside.slice(1), script, process.execPath, program, disk, '2']
      const { stdout } = spawnSync(inside[0]!, args, { cwd: root, encoding: 'utf8' })
      expect(stdout.trim()).toEqual(failure)
      expect(stdout).toContain('No space left on device')
      expect(readFileSync(join(copy, 'last.safetensors')).equals(before)).toBe(true)
      expect(readdirSync(copy).toSorted()).toEqual(['best.safetensors', 'last.safetensors'])
      cpSync(copy, join(dir, 'moved'), { recursive: true })
      expect(checkpointing(join(dir, 'moved'), 2).stdout.trim()).toBe('2 epochs')
    },
    60_000,
  )
})

test('a thread that fails to read a picture ends the run with file and index; the next run works', async () => {
  const folder = join(dir, 'classes')
  for (const name of ['a', 'b']) {
    mkdirSync(join(folder, name), { recursive: true })
    for (let i = 0; i < 6; i++) copyFileSync(join(pictures, 'rgb.png'), join(folder, name, `${i}.png`))
  }
  copyFileSync(join(pictures, 'labels.idx'), join(folder, 'b', '3.png'))
  const model = new nn.Sequential(new nn.Flatten(), new nn.Linear(3 * 16 * 24, 2))
  const run = (set: BatchedDataset<[Tensor, number], [Tensor, Tensor]>) =>
    fit(model, new DataLoader(set, { batchSize: 4 }), {
      loss: F.crossEntropy,
      optimizer: new optim.SGD(model, { lr: 1e-3 }),
      epochs: 1,
    })
  const { train } = await imageFolder(folder)
  const error = await run(train).catch((e: unknown) => e)
  expect(error).toBeInstanceOf(DataError)
  expect(error).toMatchObject({ argument: 'dataset[9]' })
  expect((error as Error).message).toMatch(/item 9 can't be loaded: .*3\.png is not/)
  const { train: sound } = await imageFolder(folder, { onCorrupt: 'skip' })
  expect((await run(sound)).epochs[0]!.items).toBe(11)
})

describe('no memory', () => {
  test('for a step: its parameters keep their values, and the same model trains on', async () => {
    const model = new nn.Linear(8, 2)
    const before = model.parameters().map(numbers)
    const optimizer = new optim.AdamW(model, { lr: 0.1 })
    const step = async () => {
      const y = model.forward(zeros([1024, 8])).flatten() // [2048]
      y.expand([2 ** 30, 2048])
        .cumsum({ dim: 0 })
        .sum()
        .backward() // 8 TiB
      await optimizer.step()
    }
    await expect(step()).rejects.toThrow(OutOfMemoryError)
    optimizer.zeroGrad()
    expect(model.parameters().map(numbers)).toEqual(before)
    await trains(model)
  })

  test('for a batch: the thread says so, and the next batch comes', async () => {
    const set = new TensorDataset<[Tensor]>({ data: new Uint8Array(2 ** 20), shape: [2 ** 20], scale: 1 })
    const sampler = { length: 2 ** 20, indices: () => new Int32Array(2 ** 20) }
    const pass = async () => {
      for await (const batch of new DataLoader(set, { batchSize: 2 ** 20, sampler })) return batch
      return null
    }
    await expect(pass()).rejects.toThrow(OutOfMemoryError) // 4 TiB
    expect((await set.batch([0, 0]))[0].shape).toEqual([2, 2 ** 20])
    await trains()
  })
})

test('workers that are terminated while their threads decode and read harm nobody', async () => {
  const folder = join(dir, 'workers')
  mkdirSync(folder)
  copyFileSync(join(pictures, 'rgb.png'), join(folder, 'picture.png'))
  const result = await resultOf<{ rounds: number; same: boolean }>('loading-workers', { args: [folder] })
  expect(result).toEqual({ rounds: 6, same: true })
}, 70_000)
