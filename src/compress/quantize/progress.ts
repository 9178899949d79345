/** What threads that quantize have in common, int32 each: the next piece, weights done in thousands, whether to stop. */
export const cells = { next: 0, done: 1, stop: 2 } as const;
