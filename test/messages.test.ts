/** Mistakes that people make, and what they are told: which call, which argument, what came, what to do. */
import { describe, expect, test } from 'vitest'
import { F, FoveaError, grad, nn, noGrad, ones, optim, stack, tensor, Variable, zeros, type Tensor } from 'fovea'
import { DataLoader, TensorDataset } from 'fovea/data'
import { failure } from './engine.ts'

class Forgetful extends nn.Module {
  override forward(x: Tensor): Tensor {
    return new nn.Linear(4, 2).forward(x)
  }
}

class Arrow extends nn.Module {
  override forward = (x: Tensor): Tensor => x
}

const int = { dtype: 'i32' } as const
const wrong = (value: unknown) => value as never

const mistakes: Record<string, () => unknown> = {
  'shapes that do not broadcast': () => zeros([2, 3]).add(zeros([2, 4])),
  'a matrix product that does not fit': () => zeros([2, 3]).matmul(zeros([4, 5])),
  'another number of channels than the layer has': () =>
    new nn.Sequential({ conv: new nn.Conv2d(3, 8, 3) }).forward(zeros([1, 1, 28, 28])),
  'an image without a batch dimension': () => new nn.Conv2d(1, 8, 3).forward(zeros([28, 28])),
  'another number of features than the layer has': () => new nn.Linear(784, 10).forward(zeros([5, 100])),
  'batch norm after flattening': () => new nn.BatchNorm2d(3).forward(zeros([5, 3])),
  'float targets': () => F.crossEntropy(zeros([2, 3]), zeros([2])),
  'one-hot targets': () => F.crossEntropy(zeros([2, 3]), zeros([2, 3], int)),
  'a target that is no class': () => F.crossEntropy(zeros([1, 3]), tensor([3], int)).itemSync(),
  'float targets of nllLoss': () => F.nllLoss(zeros([2, 3]), zeros([2])),
  'a target of another shape than the prediction': () => F.mseLoss(zeros([2, 3]), zeros([3, 3])),
  'another number of biases than channels': () =>
    F.conv2d(zeros([1, 1, 5, 5]), zeros([2, 1, 3, 3]), { bias: zeros([3]) }),
  'another number of channels than batch norm has': () => new nn.BatchNorm2d(3).forward(zeros([5, 4, 2, 2])),
  'an array in the place of a batch': () => new nn.Linear(2, 1).forward(wrong([1, 2])),
  'integers in a convolution': () => F.conv2d(zeros([1, 1, 5, 5], int), zeros([2, 1, 3, 3])),
  'a kernel of no size': () => F.maxPool2d(zeros([1, 1, 4, 4]), 0),
  'padding beyond the window': () => F.maxPool2d(zeros([1, 1, 4, 4]), 2, { padding: 2 }),
  'smoothing beyond 1': () => F.crossEntropy(zeros([2, 3]), zeros([2], int), { labelSmoothing: 2 }),
  'no running statistics': () => F.batchNorm(zeros([2, 3])),
  'layer norm over another shape': () => F.layerNorm(zeros([2, 4]), [3]),
  'a position in the place of an option': () => F.softmax(zeros([2, 3]), wrong(1)),
  'an expansion that does not fit': () => zeros([2, 3]).expand([2, 4]),
  'a negative size': () => zeros([-1, 2]),
  'a promise in the place of a tensor': () => zeros([2]).add(wrong(zeros([2]).data())),
  'an integer parameter': () => new nn.Parameter(zeros([2], int)),
  'nothing to be stacked': () => stack([]),
  'a disposed tensor that is read': () => {
    const x = zeros([1])
    x.dispose()
    return x.itemSync()
  },
  'a shape of another size': () => zeros([2, 3]).reshape([4, 2]),
  'a dimension that is not there': () => zeros([2, 3]).sum({ dim: 2 }),
  'an option of another library': () => zeros([2, 3]).sum(wrong({ axis: 1 })),
  'an array in the place of a tensor': () => zeros([2]).add(wrong([1, 2])),
  'a dtype by another name': () => zeros([2], { dtype: wrong('float32') }),
  'a device by another name': () => ones([2], { device: wrong('cuda') }),
  'ragged data': () => tensor([[1, 2], [3]]),
  'a fraction among integers': () => tensor([1, 1.5], int),
  'an index out of range': () => zeros([3, 4]).at(3),
  'tensors of several shapes to be stacked': () => stack([zeros([2]), zeros([3])]),
  'backward from many elements': () => ones([2], { requiresGrad: true }).mul(2).backward(),
  'backward from a constant': () => zeros([]).backward(),
  'the gradient of what is not used': () => grad(new nn.Parameter([1]).sum(), new nn.Parameter([1])),
  'item() of many elements': () => zeros([2]).itemSync(),
  'a tensor as a number': () => Number(zeros([])),
  'a tensor in a text': () => `loss ${wrong(zeros([]))}`,
  'a tensor as JSON': () => JSON.stringify(zeros([2])),
  'an asynchronous callback': () => noGrad(async () => {}),
  'a layer that is not registered': () => new Forgetful().forward(zeros([1, 4])),
  'an arrow function as forward': () => new Arrow().parameters(),
  'an optimizer without parameters': () => new optim.SGD([]),
  'tensors in the place of parameters': () => new optim.SGD(wrong([zeros([1])])),
  'a negative learning rate': () => new optim.Adam([new nn.Parameter([1])], { lr: -1 }),
  'weights of another model': () => new nn.Linear(2, 3).loadStateDict({ weights: zeros([3, 2]) }),
  'weights of another shape': () => new nn.Linear(2, 3).loadStateDict({ weight: zeros([2, 3]), bias: zeros([3]) }),
  'a value of another dtype assigned': () => new Variable([1], { name: 'v' }).assign(zeros([1], { dtype: 'f64' })),
  'a batch size of zero': () => new DataLoader(new TensorDataset(zeros([3])), { batchSize: 0 }),
  'a disposed tensor': () => {
    const x = zeros([1])
    x.dispose()
    return x.add(1)
  },
}

describe('errors say what to do', () => {
  test('the messages', () => {
    const told = Object.fromEntries(Object.entries(mistakes).map(([what, make]) => [what, failure(make).message]))
    expect(told).toMatchInlineSnapshot(`
      {
        "a batch size of zero": "DataLoader: batchSize must be a whole number from 1 on, got 0",
        "a device by another name": "ones: device must be 'cpu', 'gpu' or 'gpu:<number>', got "cuda"",
        "a dimension that is not there": "sum: dim 2 is no dimension of a tensor of rank 2",
        "a disposed tensor": "add: this tensor has been disposed of, by dispose(), using or the end of its scope",
        "a disposed tensor that is read": "this tensor has been disposed of, by dispose(), using or the end of its scope",
        "a dtype by another name": "zeros: dtype must be one of f32, f64, i32, i64, u8, bool, got "float32"",
        "a fraction among integers": "tensor: data[1] must be an integer from -2147483648 to 2147483647 for dtype i32, got 1.5",
        "a kernel of no size": "maxPool2d: kernelSize must be at least 1, got [0, 0]",
        "a layer that is not registered": "Forgetful calls a Linear that has parameters but is in no module's public fields: it would be neither trained nor saved. Keep it in a public field, array or record. (in Forgetful)",
        "a matrix product that does not fit": "matmul: a's last dimension is 3 but b's second to last dimension is 4 (a [2, 3], b [4, 5])",
        "a negative learning rate": "Adam: lr must be a finite number from 0 on, got -1",
        "a negative size": "zeros: shape[0] must be a whole number from 0 on, got -1",
        "a position in the place of an option": "softmax: options must be an object with dim, got 1",
        "a promise in the place of a tensor": "add: b must be a Tensor or a number, got a Promise; await it first",
        "a shape of another size": "reshape: shape [2, 3] has 6 elements, shape [4, 2] has 8",
        "a target of another shape than the prediction": "mseLoss: target must have the prediction's shape [2, 3], or broadcast to it, got [3, 3]",
        "a target that is no class": "crossEntropy: target 3 at position [0] is out of range for a dimension of size 3",
        "a tensor as JSON": "A tensor is not JSON: read its values with await t.toNested()",
        "a tensor as a number": "A tensor is not a number: read its value with await t.item()",
        "a tensor in a text": "A tensor is not a string: read its value with await t.data() or await print(t)",
        "a value of another dtype assigned": "assign: v is f32, the value f64; cast it with to('f32')",
        "an array in the place of a batch": "linear: x must be a Tensor, got [1, 2] (in Linear)",
        "an array in the place of a tensor": "add: b must be a Tensor or a number, got [1, 2]",
        "an arrow function as forward": "Arrow: the field forward hides the method forward(); make it a method or rename the field",
        "an asynchronous callback": "noGrad: the callback must be synchronous, but it returned a promise. Record inside, await outside.",
        "an expansion that does not fit": "expand: shape [2, 3] can't be expanded to [2, 4]: dimension 1",
        "an image without a batch dimension": "conv2d: x must have the four dimensions [N, C, H, W], got shape [28, 28] (in Conv2d)",
        "an index out of range": "at: index[0] must be from -3 to 2 for shape [3, 4], got 3",
        "an integer parameter": "a variable of dtype i32 can't require a gradient; make it f32 or f64",
        "an optimizer without parameters": "SGD: there are no parameters to train",
        "an option of another library": "sum: there is no option axis; the options are dim, keepDim",
        "another number of biases than channels": "conv2d: bias must have shape [2], one number for each channel of the result, got [3]",
        "another number of channels than batch norm has": "BatchNorm2d: x must be [N, 3, H, W], got [5, 4, 2, 2] (in BatchNorm2d)",
        "another number of channels than the layer has": "conv2d: weight expects 3 channels, x has 1 (in conv)",
        "another number of features than the layer has": "linear: the last dimension of x must be the 784 features of weight, got [5, 100] (in Linear)",
        "backward from a constant": "backward: the value does not depend on anything that requires a gradient, or was computed under noGrad",
        "backward from many elements": "backward: the output has shape [2]: reduce it to one number, as with sum(), or give a gradient of its shape",
        "batch norm after flattening": "BatchNorm2d: x must be [N, 3, H, W], got [5, 3] (in BatchNorm2d)",
        "float targets": "crossEntropy: a float target holds probabilities and must have the logits' shape [2, 3], got [2]; classes are i32 or i64",
        "float targets of nllLoss": "nllLoss: target must be class indices, i32 or i64 [2], got f32 [2]",
        "integers in a convolution": "conv2d: a convolution takes f32 or f64, x is i32; cast it with to('f32')",
        "item() of many elements": "item: the tensor has 2 elements, shape [2]; read it with data()",
        "layer norm over another shape": "layerNorm: x must end in normalizedShape [3], got shape [2, 4]",
        "no running statistics": "batchNorm needs runningMean and runningVar outside training",
        "nothing to be stacked": "stack: tensors must be an array of tensors, got []",
        "one-hot targets": "crossEntropy: target must be class indices, i32 or i64 [2] for logits [2, 3], got i32 [2, 3]; argmax({ dim: 1 }) makes them of one-hot rows",
        "padding beyond the window": "maxPool2d: padding must be at most half of kernelSize, got padding [2, 2] for kernelSize [2, 2]",
        "ragged data": "tensor: data is ragged: data[1] is an array of 1 where its neighbours are an array of 2",
        "shapes that do not broadcast": "add: shape [2, 3] of a and shape [2, 4] of b can't be broadcast together; dimensions counted from the last must be equal or 1",
        "smoothing beyond 1": "crossEntropy: labelSmoothing must lie in 0 to 1, got 2",
        "tensors in the place of parameters": "SGD: parameters[0] must be a Parameter, got a Tensor of shape [1]",
        "tensors of several shapes to be stacked": "stack: tensors[1] has shape [3], tensors[0] has [2]",
        "the gradient of what is not used": "grad: inputs[0] has no gradient: no output depends on it. Pass allowUnused: true for zeros.",
        "weights of another model": "loadStateDict: missing weight, bias; unexpected weights (strict: false lets that pass)",
        "weights of another shape": "loadStateDict: weight has shape [3, 2] in the module, [2, 3] in the dict",
      }
    `)
  })

  test("names with underscores that are the user's stay as they are", () => {
    const runningMean = new Variable(zeros([3]), { name: 'running_mean' })
    expect(() => runningMean.assign(zeros([2]))).toThrow('assign: running_mean has shape [3], the value [2]')
    const old = runningMean.mul(zeros([1000, 3])) // large and consumed, so not kept
    old.sum()
    runningMean.assign(ones([3]))
    runningMean.dataSync()
    const norm = () => F.batchNorm(old, { training: true })
    expect(norm).toThrow(/^batchNorm: this value was computed from running_mean, which has moved on/)
  })

  test.each(Object.entries(mistakes))('%s: an error of the library with a stable code', (_, make) => {
    const error = failure(make)
    expect(error).toBeInstanceOf(FoveaError)
    expect(error).toMatchObject({ name: error.constructor.name, code: expect.stringMatching(/^FOVEA_[A-Z_]+$/) })
    expect(error).toHaveProperty('expected')
  })
})
