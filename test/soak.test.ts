import { soak } from './soaking.ts'

soak(5_000, 2_000, 120_000)
