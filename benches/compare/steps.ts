/** Training steps of which the peak memory is taken: later ones need what the first left behind, such as momentum. */
export const STEPS = 5
