/** Trains a head, with the decay that says most of texts that it has not seen. */
import { shuffle } from "./examples.ts";
import type { Head, Rows } from "./softmax.ts";
import { fitHead, predict } from "./softmax.ts";

/** What is known of a text. */
export interface Row {
  readonly vector: Float32Array;
  /** Probabilities of the labels. */
  readonly target: Float32Array;
}

export interface TrainedHead {
  readonly head: Head;
  readonly decay: number;
  readonly steps: number;
}

export interface HeadOptions {
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
  readonly onPart?: ((part: number) => void) | undefined;
}

/** The largest first: each fit begins where that before it ended. */
const decays = [1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4] as const;
const folds = 5;
/** With more texts than this, one fold says enough. */
const manyTexts = 2000;

/** Throws what the signal does. The texts are cut into five parts, and each is measured with a head of the other four. */
export async function trainHead(rows: readonly Row[], options: HeadOptions): Promise<TrainedHead> {
  const { seed, signal, onPart } = options;
  const order = shuffle(rows, seed);
  const losses = new Float64Array(decays.length);
  const used = rows.length > manyTexts ? 1 : folds;
  for (let fold = 0; fold < used; fold++) {
    const learned = packRows(order.filter((_, index) => index % folds !== fold));
    const held = order.filter((_, index) => index % folds === fold);
    let from: Head | undefined;
    for (const [index, decay] of decays.entries()) {
      from = (await fitHead(learned, { ...sizesOf(rows), decay, from, signal })).head;
      losses[index]! += held.reduce((sum, row) => sum + lossOf(from as Head, row), 0);
      onPart?.((fold * decays.length + index + 1) / (used * decays.length + 1));
    }
  }
  const decay = decays[losses.indexOf(Math.min(...losses))] ?? decays[0];
  const fit = await fitHead(packRows(rows), { ...sizesOf(rows), decay, signal });
  onPart?.(1);
  return { ...fit, decay };
}

/** Cross-entropy in nats. */
export function lossOf(head: Head, { vector, target }: Row): number {
  const found = predict(head, vector);
  return target.reduce(
    (sum, part, label) => (part > 0 ? sum - part * Math.log(Math.max(found[label]!, 1e-30)) : sum),
    0,
  );
}

function sizesOf([row]: readonly Row[]): { readonly width: number; readonly labels: number } {
  return { width: row?.vector.length ?? 0, labels: row?.target.length ?? 0 };
}

function packRows(rows: readonly Row[]): Rows {
  const { width, labels } = sizesOf(rows);
  const packed = { vectors: new Float32Array(rows.length * width), targets: new Float32Array(rows.length * labels) };
  for (const [index, { vector, target }] of rows.entries()) {
    packed.vectors.set(vector, index * width);
    packed.targets.set(target, index * labels);
  }
  return { ...packed, count: rows.length };
}
