import { soak } from './soaking.ts'

soak(5_000, 120_000)
