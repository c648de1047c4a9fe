/** Linear maps and tables of vectors. */
import * as ops from '../../generated/ops.ts'
import { refuse, ShapeError } from '../../native/errors.ts'
import { isTensor } from '../../native/record.ts'
import type { Tensor } from '../../tensor/tensor.ts'

/** x weightᵀ + bias: [..., in] by [out, in]. */
export function linear(x: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  if (!isTensor(x)) refuse('linear', 'x', 'a Tensor', x)
  const features = weight.shape[1]
  if (x.shape.at(-1) !== features) {
    const received = `[${x.shape.join(', ')}]`
    throw new ShapeError(
      `linear: the last dimension of x must be the ${features} features of weight, got ${received}`,
      {
        op: 'linear',
        argument: 'x',
        expected: `[..., ${features}]`,
        received,
      },
    )
  }
  const product = ops.matmul(x, weight.transpose(0, 1))
  return bias === null ? product : ops.add(product, bias)
}

/** Σ_ij a_i weight[k, i, j] b_j + bias_k: [..., in1] and [..., in2] by [out, in1, in2]: [..., out]. */
export function bilinear(a: Tensor, b: Tensor, weight: Tensor, options: { bias?: Tensor | null } = {}): Tensor {
  const { bias = null } = options
  const [out, in1, in2] = weight.shape as [number, number, number]
  const check = (x: Tensor, argument: string, features: number) => {
    if (!isTensor(x)) refuse('bilinear', argument, 'a Tensor', x)
    if (x.shape.at(-1) !== features) refuse('bilinear', argument, `of shape [..., ${features}]`, x)
  }
  check(a, 'a', in1)
  check(b, 'b', in2)
  const lead = a.shape.slice(0, -1)
  const maps = ops.reshape(ops.permute(weight, [1, 0, 2]), [in1, out * in2])
  const rows = ops.reshape(ops.matmul(a, maps), [...lead, out, in2])
  const y = ops.sum(ops.mul(rows, b.unsqueeze(-2)), { dim: -1 })
  return bias === null ? y : ops.add(y, bias)
}

/** Rows of a table [V, D] at integers [...]: [..., D]. Row `paddingIdx` gets no gradient. */
export function embedding(indices: Tensor, weight: Tensor, options: ops.EmbeddingOptions = {}): Tensor {
  return ops.embedding(weight, indices, options)
}
