import { soak } from '../soaking.ts'

soak(100_000, 2 * 60 * 60 * 1000)
