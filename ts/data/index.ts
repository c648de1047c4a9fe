/** Datasets and loaders. */
// oxlint-disable-next-line import/no-unassigned-import -- tensors made here need their class to be loaded
import '../tensor/index.ts'
export { cifar10, cifar10Classes, type CifarOptions } from './cifar10.ts'
export { collate, type Collated } from './collate.ts'
export { type ColumnType, csv, type CsvOptions, type Table } from './csv.ts'
export { type BatchedDataset, type Column, type Dataset, TensorDataset } from './dataset.ts'
export { type Checksum, download, type DownloadOptions } from './download.ts'
export { idx, npz } from './files.ts'
export {
  ImageDataset,
  type ImageFolder,
  imageFolder,
  type ImageFolderOptions,
  type ImageOptions,
  readImage,
  type SkippedFile,
} from './images.ts'
export { DataLoader, type LoaderOptions, type LoaderState } from './loader.ts'
export { fashionMnist, fashionMnistClasses, mnist, type MnistOptions } from './mnist.ts'
export { RandomSampler, type Sampler, SequentialSampler, WeightedRandomSampler } from './samplers.ts'
export { caltech101Sample, cifar10Sample, omniglot, orlFaces } from './shared.ts'
