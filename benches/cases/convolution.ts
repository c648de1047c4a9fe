/** Convolutions of common networks in their three directions. */
import { F, grad, randn, type Tensor } from 'fovea'
import { type Case, compute, floats, product, running } from './case.ts'

/** Images are square; of a transposed convolution `size` is that of its smaller side, its input. */
interface Layer {
  n: number
  input: number
  size: number
  kernel: number
  stride: number
  padding: number
  output: number
  groups?: number
  transposed?: boolean
}

const LAYERS: Readonly<Record<string, Layer>> = {
  'N16-C3-224-k7s2p3-64': { n: 16, input: 3, size: 224, kernel: 7, stride: 2, padding: 3, output: 64 },
  'N16-C64-56-k3p1-64': { n: 16, input: 64, size: 56, kernel: 3, stride: 1, padding: 1, output: 64 },
  'N16-C128-28-k3p1-128': { n: 16, input: 128, size: 28, kernel: 3, stride: 1, padding: 1, output: 128 },
  'N16-C256-14-k3p1-256': { n: 16, input: 256, size: 14, kernel: 3, stride: 1, padding: 1, output: 256 },
  'N16-C512-7-k3p1-512': { n: 16, input: 512, size: 7, kernel: 3, stride: 1, padding: 1, output: 512 },
  'N16-C256-14-k1-1024': { n: 16, input: 256, size: 14, kernel: 1, stride: 1, padding: 0, output: 1024 },
  'N16-C144-28-k3p1-dw144': { n: 16, input: 144, size: 28, kernel: 3, stride: 1, padding: 1, output: 144, groups: 144 },
  'N128-C16-28-k3p1-16': { n: 128, input: 16, size: 28, kernel: 3, stride: 1, padding: 1, output: 16 },
  'N8-C64-32-k4s2p1-T32': {
    n: 8,
    input: 64,
    size: 32,
    kernel: 4,
    stride: 2,
    padding: 1,
    output: 32,
    transposed: true,
  },
}

const DIRECTIONS = ['fwd', 'bwd-data', 'bwd-weights'] as const
type Direction = (typeof DIRECTIONS)[number]

/** The three mappings of a convolution y = x ∗ w, whose products are the same: what is computed from the two others. */
type Role = 'y' | 'x' | 'w'

/** Shapes of the plain convolution that a layer is, or that a transposed one turns around. */
function shapes({ n, input, size, kernel, stride, padding, output, groups = 1, transposed }: Layer) {
  const other = transposed
    ? (size - 1) * stride - 2 * padding + kernel
    : Math.floor((size + 2 * padding - kernel) / stride) + 1
  const [large, small] = transposed
    ? [
        [n, output, other, other],
        [n, input, size, size],
      ]
    : [
        [n, input, size, size],
        [n, output, other, other],
      ]
  return { x: large!, w: [small![1]!, large![1]! / groups, kernel, kernel], y: small! }
}

function role(direction: Direction, transposed = false): Role {
  if (direction === 'bwd-weights') return 'w'
  return (direction === 'fwd') !== transposed ? 'y' : 'x'
}

/** As a network's layers hand them on: channels-last, but for the few channels of its first input. */
function images([n, channels, height, width]: number[], requiresGrad = false): Tensor {
  if (channels! < 12) return randn([n!, channels!, height!, width!], { requiresGrad })
  return randn([n!, height!, width!, channels!], { requiresGrad }).permute([0, 3, 1, 2])
}

function convolution(name: string, layer: Layer, direction: Direction): Case {
  const shape = shapes(layer)
  const wanted = role(direction, layer.transposed)
  const { stride, padding, groups = 1 } = layer
  const read = (['x', 'w', 'y'] as const).filter((one) => one !== wanted).map((one) => product(shape[one]))
  return {
    family: 'convolution',
    name: `conv2d/${name}/${direction}`,
    flops: 2 * product(shape.y) * product(shape.w.slice(1)),
    bytes: { read: floats(...read), written: floats(product(shape[wanted])) },
    peer: { kind: 'convolution', direction, ...layer, groups, transposed: layer.transposed ?? false },
    forms: ['contiguous', 'channels_last'],
    make() {
      const x = images(shape.x, wanted === 'x')
      const w = randn(shape.w, { requiresGrad: wanted === 'w' })
      const g = wanted === 'y' ? null : images(shape.y)
      const options = { stride, padding, groups }
      return running([x, w, ...(g ? [g] : [])], () => {
        const y = F.conv2d(x, w, options)
        if (g === null) return compute(y)
        const [wantedGradient] = grad(y, wanted === 'x' ? x : w, { gradOutputs: g })
        y.dispose() // recorded for its gradient only: without a reader it is not computed
        return compute(wantedGradient as Tensor)
      })
    },
  }
}

export const convolutionCases: readonly Case[] = Object.entries(LAYERS).flatMap(([name, layer]) =>
  DIRECTIONS.map((direction) => convolution(name, layer, direction)),
)
