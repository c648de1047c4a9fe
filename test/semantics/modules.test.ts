/** S21–S23: the boundary of modules, what they own, kernels and their second order. */
import { describe, expect, test } from 'vitest'
import {
  F,
  grad,
  gradcheck,
  gradgradcheck,
  jvp,
  materialize,
  nn,
  noGrad,
  randn,
  ShapeError,
  tensor,
  vjp,
  withSeed,
  zeros,
  type Tensor,
} from 'fovea'
import { counted, failure, LARGE, native, numbers, sameBits } from '../engine.ts'

describe('S21: the boundary of modules', () => {
  class Probe extends nn.Module {
    readonly seen: Record<string, boolean> = {}
    readonly linear = new nn.Linear(2, 2)

    override forward(x: Tensor): Tensor {
      this.seen.forward = native.inModule()
      return this.linear.forward(x)
    }
    encode(x: Tensor): Tensor {
      this.seen.encode = native.inModule()
      return x.exp()
    }
    _own(): void {
      this.seen._own = native.inModule()
    }
    get width(): number {
      this.seen.width = native.inModule()
      return 2
    }
    async later(x: Tensor): Promise<number> {
      this.seen.before = native.inModule()
      const sum = await x.exp().sum().item()
      this.seen.after = native.inModule()
      return sum
    }
  }

  test('S21: public methods are inside, accessors and names with a leading underscore are not', async () => {
    const probe = new Probe()
    probe.forward(zeros([1, 2]))
    probe.encode(zeros([1, 2]))
    probe._own()
    expect(probe.width).toBe(2)
    expect(await probe.later(zeros([2]))).toBe(2)
    expect(probe.seen).toEqual({ forward: true, encode: true, _own: false, width: false, before: true, after: false })
    expect(native.inModule()).toBe(false)
  })

  test('S21: methods are wrapped once for each class, names and lengths stay', () => {
    const [method] = [Probe.prototype.encode, new Probe(), new Probe()]
    const wrapped = Probe.prototype.encode
    expect(new Probe().encode).toBe(wrapped)
    expect([wrapped.name, wrapped.length]).toEqual(['encode', 1])
    expect(method.name).toBe('encode')
    class Derived extends Probe {
      override encode(x: Tensor): Tensor {
        return super.encode(x).log()
      }
    }
    expect(numbers(new Derived().encode(tensor([1, 2])))[1]).toBeCloseTo(2, 5)
    expect(Probe.prototype.encode).toBe(wrapped)
  })

  test('S21: errors carry the path of the module in the model that was called', () => {
    class Block extends nn.Module {
      readonly layers = [new nn.Linear(2, 3), new nn.Linear(4, 5)]
      override forward(x: Tensor): Tensor {
        return this.layers.reduce((y, layer) => layer.forward(y), x)
      }
    }
    class Net extends nn.Module {
      readonly blocks = { first: new Block() }
      override forward(x: Tensor): Tensor {
        return this.blocks.first.forward(x)
      }
    }
    const net = new Net()
    expect(failure(() => net.forward(zeros([1, 2])))).toMatchObject({ modulePath: 'blocks.first.layers.1' })
    expect(failure(() => net.blocks.first.forward(zeros([1, 2])))).toMatchObject({ modulePath: 'layers.1' })
    expect(failure(() => zeros([3]).add(zeros([2])))).not.toHaveProperty('modulePath')
  })

  test('S21: what tensors in arrays and records a method returns stays materialised', async () => {
    class Pair extends nn.Module<[Tensor], { both: Tensor[] }> {
      override forward(x: Tensor) {
        return { both: [x.exp(), x.sin()] }
      }
    }
    const { both } = noGrad(() => new Pair().forward(randn([LARGE])))
    both[0]!.add(both[1]!).sum().itemSync()
    expect((await counted(() => both.map((y) => y.dataSync()))).kernels).toBe(0)
  })

  test('S21: hooks hear each forward with its path, may replace its output and can be removed', () => {
    const model = new nn.Sequential({ first: new nn.ReLU(), second: new nn.Sequential(new nn.Tanh()) })
    const paths: string[] = []
    const hear = ({ path }: { path: string }) => void paths.push(path)
    const remove = model.modules().map((m) => m.onForward(hear as never))
    const undo = model.get('first').onForward(({ output }) => output.mul(0))
    expect(numbers(model.forward(tensor([3])))).toEqual([0])
    expect(paths).toEqual(['first', 'second.0', 'second', ''])
    for (const off of [...remove, undo]) off()
    expect(numbers(model.forward(tensor([3])))[0]).toBeCloseTo(Math.tanh(3), 5)
    expect(paths).toHaveLength(4)
  })
})

describe('S22: what modules own', () => {
  test('S22: parameters and submodules are found in public fields, arrays and records', () => {
    class Net extends nn.Module {
      readonly weight = new nn.Parameter([1])
      readonly list = [new nn.Linear(1, 1, { bias: false }), [new nn.Parameter([2])]]
      readonly byName = { a: new nn.Linear(1, 1), none: null }
      readonly runningMean = new nn.Variable([0])
      readonly _hidden = new nn.Parameter([3])
      readonly #secret = new nn.Parameter([4])
      readonly text = 'no parameter'
      override forward(x: Tensor): Tensor {
        return x.mul(this.#secret)
      }
    }
    const net = new Net()
    expect(net.namedParameters().map(([name]) => name)).toEqual([
      'weight',
      'list.0.weight',
      'list.1.0',
      'by_name.a.weight',
      'by_name.a.bias',
    ])
    expect(net.namedBuffers().map(([name]) => name)).toEqual(['running_mean'])
  })

  test('S22: what is shared counts once', () => {
    const shared = new nn.Linear(2, 2)
    const model = new nn.Sequential(shared, new nn.ReLU(), shared)
    expect(model.parameters()).toHaveLength(2)
    expect(model.modules()).toHaveLength(3)
    expect(Object.keys(model.stateDict())).toEqual(['0.weight', '0.bias', '2.weight', '2.bias'])
  })

  test('S22: a module with parameters that is called inside another without being registered is an error', () => {
    class Forgetful extends nn.Module {
      override forward(x: Tensor): Tensor {
        return new nn.Linear(2, 2).forward(x)
      }
    }
    expect(() => new Forgetful().forward(zeros([1, 2]))).toThrow(/Forgetful calls a Linear that has parameters/)
    class Hiding extends nn.Module {
      readonly #linear = new nn.Linear(2, 2)
      override forward(x: Tensor): Tensor {
        return this.#linear.forward(x)
      }
    }
    expect(() => new Hiding().forward(zeros([1, 2]))).toThrow(/public field/)
  })

  test('S22: modules without parameters may be made on the way, and registered ones be called from elsewhere', () => {
    class Free extends nn.Module {
      override forward(x: Tensor): Tensor {
        return new nn.ReLU().forward(x)
      }
    }
    expect(numbers(new Free().forward(tensor([-1, 1])))).toEqual([0, 1])
    const owner = new nn.Sequential(new nn.Linear(2, 2))
    owner.forward(zeros([1, 2]))
    class Borrower extends nn.Module {
      readonly #lent = owner.get(0)
      override forward(x: Tensor): Tensor {
        return this.#lent.forward(x)
      }
    }
    expect(new Borrower().forward(zeros([1, 2])).shape).toEqual([1, 2])
  })

  test('S22: a method hidden by a field is an error', () => {
    class Arrow extends nn.Module {
      override forward = (x: Tensor): Tensor => x
    }
    expect(() => new Arrow().parameters()).toThrow(/the field forward hides the method/)
    class Named extends nn.Module {
      override parameters = [new nn.Parameter([1])] as never
      override forward(x: Tensor): Tensor {
        return x
      }
    }
    expect(() => new Named().forward(zeros([1]))).toThrow(/the field parameters hides the method/)
  })

  test('S22: a field that is added later is found by the next call', () => {
    class Growing extends nn.Module {
      readonly layers: nn.Linear[] = []
      override forward(x: Tensor): Tensor {
        return this.layers.reduce((y, layer) => layer.forward(y), x)
      }
    }
    const model = new Growing()
    model.forward(zeros([1, 2]))
    model.layers.push(new nn.Linear(2, 3))
    expect(model.forward(zeros([1, 2])).shape).toEqual([1, 3])
    model.layers.push(new nn.Linear(4, 3))
    expect(failure(() => model.forward(zeros([1, 2])))).toMatchObject({ modulePath: 'layers.1' })
    expect(failure(() => model.forward(zeros([1, 2])))).toBeInstanceOf(ShapeError)
  })
})

describe('S23: kernels and second order', () => {
  const x = () => withSeed(2, () => randn([2, 2, 6, 6], { dtype: 'f64' }))
  const kernels: [string, (x: Tensor) => Tensor][] = [
    ['maxPool2d', (v) => F.maxPool2d(v, 3, { stride: 2, padding: 1 })],
    ['conv2d', (v) => F.conv2d(v, v.at([0, 2], [null], [0, 3], [0, 3]), { padding: 1 })],
    ['batchNorm', (v) => F.batchNorm(v, { training: true })],
    ['crossEntropy', (v) => F.crossEntropy(v.mean({ dim: [2, 3] }), tensor([0, 1], { dtype: 'i32' }))],
    ['softmax', (v) => v.softmax({ dim: 1 })],
    ['gather', (v) => F.gather(v, 3, tensor([3, 0, 1, 2], { shape: [2, 2, 1, 1], dtype: 'i32' }))],
  ]

  test.each(kernels)(
    'S23: %s has a gradient that agrees with differences, and that one too',
    async (_, fn) => {
      expect(await gradcheck(fn, x())).toBe(true)
      const narrow = x().at([null], [null], [0, 4], [0, 4])
      expect(await gradgradcheck(fn, narrow.detach())).toBe(true)
    },
    120_000,
  )

  test('S23: hidden outputs are computed again when backward comes after they have gone', async () => {
    const v = withSeed(1, () => randn([4, 4, 16, 16], { requiresGrad: true }))
    const loss = F.maxPool2d(v, 2).square().sum()
    loss.itemSync()
    const gradients = () => grad(loss, v)[0]!.dataSync()
    const [first, second] = [gradients(), gradients()] // what was saved for the first has gone
    expect(sameBits(first, second)).toBe(true)
  })

  test('S23: outputs that nobody wants need not be computed', async () => {
    const v = randn([4, 4, 32, 32])
    await materialize(v)
    const [y, index] = F.maxPool2d(v, 2, { indices: true })
    expect(index.dtype).toBe('i32')
    const flat = v.reshape([16, 1024])
    const picked = F.gather(flat, 1, index.reshape([16, 256]))
    expect(sameBits(picked.dataSync(), y.dataSync())).toBe(true)
  })

  test('S23: jvp is the vjp of the vjp', async () => {
    const v = tensor([0.5, -1, 2], { dtype: 'f64' })
    const t = tensor([1, 2, 3], { dtype: 'f64' })
    const fn = (a: Tensor) => a.pow(3).mul(a.sum())
    const [output, tangent] = jvp(fn, [v], [t])
    // J t, with J[i, j] = 3 a_i² S δ_ij + a_i³
    const [a, d] = [numbers(v), numbers(t)]
    const [sum, along] = [a.reduce((p, q) => p + q), d.reduce((p, q) => p + q)]
    a.forEach((ai, i) => {
      expect(numbers(output)[i]).toBeCloseTo(ai ** 3 * sum, 12)
      expect(numbers(tangent)[i]).toBeCloseTo(3 * ai ** 2 * sum * d[i]! + ai ** 3 * along, 12)
    })
    const u = tensor([1, 1, 1], { dtype: 'f64' })
    const [, [g]] = vjp(fn, [v], u)
    const inner = (p: Tensor, q: Tensor) => p.mul(q).sum().itemSync()
    expect(inner(g!, t)).toBeCloseTo(inner(u, tangent), 12)
  })
})
