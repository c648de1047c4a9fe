/** Weights that are computed from others in every call. */
import { div, matmul, mul, sqrt, square, sum } from '../generated/ops.ts'
import { refuse } from '../native/errors.ts'
import { randn } from '../tensor/random.ts'
import { noGrad } from '../tensor/scopes.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { Variable } from '../tensor/variable.ts'
import { isModule } from './module.ts'
import { Parameter } from './parameter.ts'

/** A module with a weight. */
interface Weighted {
  readonly weight: Parameter | null
  readonly training: boolean
  forward(...args: never): unknown
}

function weightOf(module: Weighted, op: string): Parameter {
  const { weight } = isModule(module) ? module : { weight: null }
  return weight instanceof Parameter ? weight : refuse(op, 'module', 'a module with a weight', module)
}

/** Gives `module` these fields in the place of its weight, which `compute` gives from then on. */
function replaceWeight(module: Weighted, fields: Record<string, Variable>, compute: () => Tensor): void {
  delete (module as { weight?: unknown }).weight
  Object.defineProperty(module, 'weight', { get: compute, enumerable: false, configurable: true })
  Object.assign(module, fields)
}

/**
 * Splits the weight of `module` into length and direction, g v / ‖v‖, for each index of dimension `dim` (default 0;
 * null: all together). Keys become weight_g and weight_v. Salimans and Kingma 2016, https://arxiv.org/abs/1602.07868
 */
export function weightNorm<M extends Weighted>(module: M, options: { dim?: number | null } = {}): M {
  const { dim = 0 } = options
  const weight = weightOf(module, 'weightNorm')
  if (dim !== null && (!Number.isInteger(dim) || dim < 0 || dim >= weight.rank)) {
    refuse('weightNorm', 'dim', `null or an integer from 0 to ${weight.rank - 1}`, dim)
  }
  const others = weight.shape.map((_, i) => i).filter((i) => i !== dim)
  const lengths = (v: Tensor) => sqrt(sum(square(v), dim === null ? {} : { dim: others, keepDim: true }))
  const weightV = new Parameter(weight.detach())
  const weightG = new Parameter(noGrad(() => lengths(weight)))
  replaceWeight(module, { weightG, weightV }, () => mul(weightV, div(weightG, lengths(weightV))))
  return module
}

/** x / max(‖x‖, eps). */
const unit = (x: Tensor, eps: number) => div(x, sqrt(sum(square(x))).clamp({ min: eps }))

/**
 * Divides the weight of `module`, seen as a matrix of `dim` (default 0) by the rest, by its largest singular value,
 * which `nPowerIterations` (default 1) steps of the power method follow in each training call. Keys become weight_orig,
 * weight_u and weight_v. Miyato et al. 2018, https://arxiv.org/abs/1802.05957
 */
export function spectralNorm<M extends Weighted>(
  module: M,
  options: { nPowerIterations?: number; eps?: number; dim?: number } = {},
): M {
  const { nPowerIterations = 1, eps = 1e-12, dim = 0 } = options
  const weightOrig = weightOf(module, 'spectralNorm')
  if (!Number.isSafeInteger(nPowerIterations) || nPowerIterations < 1) {
    refuse('spectralNorm', 'nPowerIterations', 'a whole number from 1 on', nPowerIterations)
  }
  if (!Number.isInteger(dim) || dim < 0 || dim >= weightOrig.rank) {
    refuse('spectralNorm', 'dim', `an integer from 0 to ${weightOrig.rank - 1}`, dim)
  }
  const rows = weightOrig.shape[dim]!
  const order = [dim, ...weightOrig.shape.map((_, i) => i).filter((i) => i !== dim)]
  const matrix = () => weightOrig.permute(order).reshape([rows, -1])
  const { dtype, device } = weightOrig
  const start = (size: number) => new Variable(noGrad(() => unit(randn([size], { dtype, device }), eps)))
  const [weightU, weightV] = [start(rows), start(weightOrig.size / rows)]
  const update = () => {
    let u: Tensor = weightU
    let v: Tensor = weightV
    for (let i = 0; i < nPowerIterations; i++) {
      v = unit(matmul(u, matrix()), eps)
      u = unit(matmul(matrix(), v), eps)
    }
    weightU.assign(u)
    weightV.assign(v)
  }
  replaceWeight(module, { weightOrig, weightU, weightV }, () => {
    const sigma = sum(mul(weightU.detach(), matmul(matrix(), weightV.detach())))
    return div(weightOrig, sigma)
  })
  // The method of the class, which hooks and paths know, runs behind the update.
  const forward = module.forward.bind(module) as (...args: unknown[]) => unknown
  const value = (...args: unknown[]) => {
    if (module.training) noGrad(update)
    return forward(...args)
  }
  Object.defineProperty(module, 'forward', { value, enumerable: false, configurable: true })
  return module
}
