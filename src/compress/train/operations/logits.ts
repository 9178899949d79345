/** The last matrix and the loss, some rows at a time: logits of all rows would be the largest thing in memory. */
import type { Answer, LossOptions } from "../loss.ts";
import { rowLoss } from "../loss.ts";
import type { Pass } from "../pass.ts";
import type { Logits } from "../tape.ts";
import { weightAt } from "./linear.ts";

export interface LossRequest {
  /** The next token of each row. */
  readonly targets: ArrayLike<number>;
  readonly answerOf: (row: number) => Answer | undefined;
  readonly options: LossOptions;
  /** Whether the values get their gradients. */
  readonly reverse: boolean;
}

/** Sums over the rows. */
export interface LossSums {
  readonly rows: number;
  readonly crossEntropy: number;
  readonly divergence: number;
}

export function runLogits(pass: Pass, operation: Logits, request: LossRequest): LossSums {
  let crossEntropy = 0;
  let divergence = 0;
  const add = request.reverse && pass.touch(operation.x);
  for (let from = 0; from < pass.rows; from += pass.logitRows) {
    const count = Math.min(pass.logitRows, pass.rows - from);
    const sums = runPart(pass, operation, { ...request, from, count, add });
    crossEntropy += sums.crossEntropy;
    divergence += sums.divergence;
  }
  return { rows: pass.rows, crossEntropy, divergence };
}

interface Part extends LossRequest {
  readonly from: number;
  readonly count: number;
  readonly add: boolean;
}

function runPart(pass: Pass, { x, matrix, factor }: Logits, part: Part): Omit<LossSums, "rows"> {
  const { multiply, machine, scratch } = pass;
  const { from, count, reverse, add } = part;
  const { k, n } = matrix;
  const weight = weightAt(pass, { matrix });
  const logits = { address: scratch.logits, row: n * 4, step: 4 };
  const rows = { address: pass.valueOf(x) + from * k * 4, row: k * 4, step: 4 };
  multiply({ a: rows, b: { address: weight, row: k * 4, step: 4 }, c: logits, m: count, n, depth: k, factor });
  let crossEntropy = 0;
  let divergence = 0;
  for (let row = 0; row < count; row++) {
    const loss = rowLoss(machine, {
      logits: logits.address + row * logits.row,
      room: scratch.row,
      width: n,
      target: part.targets[from + row] ?? 0,
      answer: part.answerOf(from + row),
      options: part.options,
      reverse,
    });
    crossEntropy += loss.crossEntropy;
    divergence += loss.divergence;
  }
  if (reverse) {
    const c = { address: pass.gradientOf(x) + from * k * 4, row: k * 4 };
    multiply({ a: logits, b: { address: weight, row: 4, step: k * 4 }, c, m: count, n: k, depth: n, factor, add });
  }
  return { crossEntropy, divergence };
}
