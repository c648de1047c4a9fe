/** All cases, family by family. */
import type { Case, Family } from './case.ts'
import { convolutionCases } from './convolution.ts'
import { elementwiseCases } from './elementwise.ts'
import { gemmCases } from './gemm.ts'
import { trainingCases } from './training.ts'

export const FAMILIES: readonly Family[] = ['gemm', 'convolution', 'elementwise', 'training']

/** Making the cases makes models (for their shapes and their operations), so it is done once and on demand. */
export function allCases(): readonly Case[] {
  return [...gemmCases, ...convolutionCases, ...elementwiseCases(), ...trainingCases()]
}
