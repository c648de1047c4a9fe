/** Activations as modules. */
import { gelu, hardswish, relu, sigmoid, tanh } from '../generated/ops.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { Module } from './module.ts'

/** max(x, 0). */
export class ReLU extends Module {
  forward(x: Tensor): Tensor {
    return relu(x)
  }
}

/** x Φ(x). Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415 */
export class GELU extends Module {
  forward(x: Tensor): Tensor {
    return gelu(x)
  }
}

/** x min(max(x + 3, 0), 6) / 6. Howard et al. 2019, https://arxiv.org/abs/1905.02244 */
export class Hardswish extends Module {
  forward(x: Tensor): Tensor {
    return hardswish(x)
  }
}

export class Tanh extends Module {
  forward(x: Tensor): Tensor {
    return tanh(x)
  }
}

/** 1 / (1 + exp(-x)). */
export class Sigmoid extends Module {
  forward(x: Tensor): Tensor {
    return sigmoid(x)
  }
}

/** x itself. */
export class Identity extends Module {
  forward(x: Tensor): Tensor {
    return x
  }
}
