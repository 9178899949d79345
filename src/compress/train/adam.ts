/** AdamW (arXiv 1711.05101): the decay of weights is apart from the gradient. */

/** Indices of floats. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

export interface AdamOptions {
  readonly rate: number;
  /** Gradients are multiplied by this: less than 1 where they are too large together. */
  readonly clip: number;
  /** From 1. */
  readonly step: number;
  /** Part that a weight loses in a step, times the rate. */
  readonly decay: number;
  /** Indices from here on do not decay: norms. */
  readonly undecayed: number;
}

export interface AdamArrays {
  readonly values: Float32Array;
  readonly means: Float32Array;
  readonly squares: Float32Array;
  /** Of each thread; the first has the sum. */
  readonly gradients: readonly Float32Array[];
}

const keepMean = 0.9;
const keepSquare = 0.99;
const epsilon = 1e-8;

/** Adds the gradients of all threads to those of the first; gives the sum of the squares. */
export function sumGradients(gradients: readonly Float32Array[], { from, to }: Range): number {
  const [first, ...others] = gradients;
  if (!first) return 0;
  for (const other of others) {
    for (let i = from; i < to; i++) first[i] = first[i]! + other[i]!;
  }
  let squares = 0;
  for (let i = from; i < to; i++) squares += first[i]! ** 2;
  return squares;
}

export function updateParameters(arrays: AdamArrays, { from, to }: Range, options: AdamOptions): void {
  const { values, means, squares, gradients } = arrays;
  const { rate, clip, step, decay, undecayed } = options;
  const [gradient] = gradients;
  if (!gradient) return;
  const meanScale = 1 / (1 - keepMean ** step);
  const squareScale = 1 / (1 - keepSquare ** step);
  for (let i = from; i < to; i++) {
    const g = gradient[i]! * clip;
    const mean = keepMean * means[i]! + (1 - keepMean) * g;
    const square = keepSquare * squares[i]! + (1 - keepSquare) * g * g;
    means[i] = mean;
    squares[i] = square;
    const kept = i < undecayed ? values[i]! * (1 - rate * decay) : values[i]!;
    values[i] = kept - (rate * mean * meanScale) / (Math.sqrt(square * squareScale) + epsilon);
  }
}
