/** Datasets and loaders. */
export { collate, type Collated } from './collate.ts'
export { type BatchedDataset, type Column, type Dataset, TensorDataset } from './dataset.ts'
export { DataLoader, type LoaderOptions } from './loader.ts'
export { mnist } from './mnist.ts'
