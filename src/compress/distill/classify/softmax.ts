/** Logistic regression with several labels: softmax(v·W + b), trained on probabilities. */
import { setImmediate } from "node:timers/promises";

export interface Rows {
  /** [rows, width], each of length 1. */
  readonly vectors: Float32Array;
  /** [rows, labels], each a distribution. */
  readonly targets: Float32Array;
  readonly count: number;
}

export interface Head {
  readonly width: number;
  readonly labels: number;
  /** [width, labels], and then the biases. */
  readonly values: Float32Array;
}

export interface Fit {
  readonly head: Head;
  readonly steps: number;
}

export interface FitOptions {
  readonly width: number;
  readonly labels: number;
  /** Half of it times the squares of the matrix is in the loss. */
  readonly decay: number;
  /** Where to begin; default zeros. */
  readonly from?: Head | undefined;
  readonly signal?: AbortSignal | undefined;
}

const mostSteps = 1000;
/** With the smallest decay that is tried, the loss is then within 5e-5 of the least. */
const smallGradient = 1e-4;
const breathMs = 50;

/**
 * The loss is convex, so that there is one best head. Accelerated gradient steps (Nesterov 1983) that begin anew where the
 * last one went up (O'Donoghue and Candès, arXiv 1204.3982). The curvature of the cross-entropy is at most half the square of
 * a vector's length, with the 1 of the bias 1 in all.
 */
export async function fitHead(rows: Rows, options: FitOptions): Promise<Fit> {
  const { width, labels, decay, from, signal } = options;
  const size = (width + 1) * labels;
  const values = from ? from.values.slice() : new Float32Array(size);
  const ahead = values.slice();
  const gradient = new Float32Array(size);
  const rate = 1 / (1 + decay);
  let momentum = 1;
  let steps = 0;
  for (let last = performance.now(); steps < mostSteps; steps++) {
    if (performance.now() - last > breathMs) {
      await setImmediate();
      signal?.throwIfAborted();
      last = performance.now();
    }
    findGradient(rows, { width, labels, values: ahead }, { decay, gradient });
    if (lengthOf(gradient) < smallGradient) break;
    const next = (1 + Math.sqrt(1 + 4 * momentum * momentum)) / 2;
    const share = (momentum - 1) / next;
    let uphill = 0;
    for (let at = 0; at < size; at++) {
      const stepped = ahead[at]! - rate * gradient[at]!;
      const move = stepped - values[at]!;
      uphill += gradient[at]! * move;
      values[at] = stepped;
      ahead[at] = stepped + share * move;
    }
    momentum = next;
    if (uphill <= 0) continue;
    momentum = 1;
    ahead.set(values);
  }
  return { head: { width, labels, values }, steps };
}

function lengthOf(gradient: Float32Array): number {
  return Math.sqrt(gradient.reduce((sum, value) => sum + value * value, 0));
}

interface GradientOptions {
  readonly decay: number;
  readonly gradient: Float32Array;
}

function findGradient({ vectors, targets, count }: Rows, head: Head, { decay, gradient }: GradientOptions): void {
  const { width, labels, values } = head;
  const biases = width * labels;
  for (let at = 0; at < gradient.length; at++) gradient[at] = at < biases ? decay * values[at]! : 0;
  const errors = new Float32Array(labels);
  for (let row = 0; row < count; row++) {
    const vector = vectors.subarray(row * width, (row + 1) * width);
    predictInto(head, vector, errors);
    for (let label = 0; label < labels; label++) {
      errors[label] = (errors[label]! - targets[row * labels + label]!) / count;
      gradient[biases + label]! += errors[label]!;
    }
    for (let column = 0, at = 0; column < width; column++) {
      const value = vector[column]!;
      for (let label = 0; label < labels; label++) gradient[at++]! += value * errors[label]!;
    }
  }
}

/** Probabilities of the labels. */
export function predict(head: Head, vector: Float32Array): Float32Array {
  const probabilities = new Float32Array(head.labels);
  predictInto(head, vector, probabilities);
  return probabilities;
}

function predictInto({ width, labels, values }: Head, vector: Float32Array, out: Float32Array): void {
  for (let label = 0; label < labels; label++) out[label] = values[width * labels + label]!;
  for (let column = 0, at = 0; column < width; column++) {
    const value = vector[column]!;
    for (let label = 0; label < labels; label++) out[label]! += value * values[at++]!;
  }
  softmaxInto(out, out);
}

/** `scores` and `out` may be the same. */
export function softmaxInto(scores: ArrayLike<number>, out: Float32Array): void {
  let most = -Infinity;
  for (let at = 0; at < out.length; at++) most = Math.max(most, scores[at]!);
  let sum = 0;
  for (let at = 0; at < out.length; at++) sum += out[at] = Math.exp(scores[at]! - most);
  for (let at = 0; at < out.length; at++) out[at]! /= sum;
}
