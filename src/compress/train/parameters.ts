/** What is trained: two narrow matrices beside each matrix of the layers (LoRA, arXiv 2106.09685), and the norms. */
import { createRandom } from "../../engines/flint/sampling/random.ts";
import type { Linear, Norm, Tape } from "./tape.ts";

/** All places count floats from the begin of the parameters. */
export interface Adapter {
  readonly kind: "adapter";
  /** Index of its operation. */
  readonly operation: number;
  readonly linear: Linear;
  /** [rank, k] */
  readonly down: number;
  /** [rank, n]: the transpose of what others call B. */
  readonly up: number;
}

export interface TrainedNorm {
  readonly kind: "norm";
  readonly operation: number;
  readonly norm: Norm;
  readonly weight: number;
}

export type Parameter = Adapter | TrainedNorm;

export interface Parameters {
  readonly list: readonly Parameter[];
  readonly floats: number;
  readonly rank: number;
  /** Of what the narrow matrices add. */
  readonly factor: number;
}

export interface ParameterOptions {
  readonly rank: number;
  readonly factor: number;
}

/** Where each parameter stands; those of the norms come last. */
export function planParameters(tape: Tape, { rank, factor }: ParameterOptions): Parameters {
  const list: Parameter[] = [];
  let floats = 0;
  const take = (count: number): number => {
    const place = floats;
    // Whole cache lines: threads update neighbours at the same time.
    floats += Math.ceil(count / 16) * 16;
    return place;
  };
  for (const [operation, item] of tape.operations.entries()) {
    if (item.kind !== "linear") continue;
    const { k, n } = item.matrix;
    list.push({ kind: "adapter", operation, linear: item, down: take(rank * k), up: take(rank * n) });
  }
  for (const [operation, item] of tape.operations.entries()) {
    if (item.kind !== "norm") continue;
    list.push({ kind: "norm", operation, norm: item, weight: take(item.weight.length) });
  }
  return { list, floats, rank, factor };
}

export interface InitialOptions {
  readonly seed: number;
  /** The weight of a norm of the model. */
  readonly norm: (name: string) => Float32Array;
}

/** The model as it is: `down` is random, `up` is zero. */
export function writeInitial(target: Float32Array, { list, rank }: Parameters, { seed, norm }: InitialOptions): void {
  const random = createRandom(seed);
  target.fill(0);
  for (const item of list) {
    if (item.kind === "norm") target.set(norm(item.norm.weight.name), item.weight);
    else {
      const { k } = item.linear.matrix;
      const bound = 1 / Math.sqrt(k);
      for (let i = 0; i < rank * k; i++) target[item.down + i] = (2 * random.next() - 1) * bound;
    }
  }
}
