/** Causal attention with shared keys (arXiv 2305.13245). Its weights are not kept: a head's are computed again. */
import type { Pass } from "../pass.ts";
import type { Attention } from "../tape.ts";
import { hand } from "./simple.ts";
import type { Angles } from "./rotate.ts";
import { rotate } from "./rotate.ts";

export function runAttention(pass: Pass, operation: Attention, angles: Angles | undefined): void {
  rotateBoth(pass, operation, angles);
  const { multiply, rows, scratch } = pass;
  for (let head = 0; head < operation.heads; head++) {
    const { value, output } = partsOf(pass, operation, head);
    weigh(pass, operation, head);
    multiply({
      a: { address: scratch.weights, row: rows * 4, step: 4 },
      b: { address: value.address, row: 4, step: value.row },
      c: { address: pass.valueOf(operation.out) + output.offset, row: output.row },
      m: rows,
      n: operation.valueWidth,
      depth: rows,
      causal: "left",
    });
  }
}

function rotateBoth(
  pass: Pass,
  { q, k, heads, keyHeads, headWidth, rope }: Attention,
  angles: Angles | undefined,
): void {
  rotate(pass, { from: pass.valueOf(q), to: pass.scratch.q, heads, headWidth, rope, angles });
  rotate(pass, { from: pass.valueOf(k), to: pass.scratch.k, heads: keyHeads, headWidth, rope, angles });
}

/** Where the numbers of one head stand, and of the keys and values that it uses. */
function partsOf(pass: Pass, operation: Attention, head: number) {
  const { heads, keyHeads, headWidth, valueWidth, v } = operation;
  const keyHead = Math.floor(head / (heads / keyHeads));
  return {
    query: { offset: head * headWidth * 4, row: heads * headWidth * 4 },
    key: { offset: keyHead * headWidth * 4, row: keyHeads * headWidth * 4 },
    value: { address: pass.valueOf(v) + keyHead * valueWidth * 4, row: v.width * 4, offset: keyHead * valueWidth * 4 },
    output: { offset: head * valueWidth * 4, row: heads * valueWidth * 4 },
    /** Heads that use the same keys come one after the other. */
    sharesKey: head % (heads / keyHeads) !== 0,
  };
}

/** Softmax of the scores of a head; zero behind each row's own token. */
function weigh(pass: Pass, operation: Attention, head: number): void {
  const { machine, multiply, rows, scratch } = pass;
  const { query, key } = partsOf(pass, operation, head);
  multiply({
    a: { address: scratch.q + query.offset, row: query.row, step: 4 },
    b: { address: scratch.k + key.offset, row: key.row, step: 4 },
    c: { address: scratch.weights, row: rows * 4 },
    m: rows,
    n: rows,
    depth: operation.headWidth,
    factor: operation.scale,
    causal: "lower",
  });
  for (let row = 0; row < rows; row++) {
    const at = scratch.weights + row * rows * 4;
    const most = machine.call("largest", at, row + 1);
    const sum = machine.call("exponentials", at, most, 1, at, row + 1);
    machine.call("scale", at, 1 / sum, at, row + 1);
    machine.floats.fill(0, at / 4 + row + 1, at / 4 + rows);
  }
}

export function reverseAttention(pass: Pass, operation: Attention, angles: Angles | undefined): void {
  const { scratch } = pass;
  const { q, k, v, heads, keyHeads, headWidth, rope } = operation;
  rotateBoth(pass, operation, angles);
  const add = pass.touch(v);
  for (let head = 0; head < heads; head++) reverseHead(pass, operation, { head, add });
  const back = { headWidth, rope, angles, back: true };
  rotate(pass, { ...back, from: scratch.qGradient, to: scratch.q, heads });
  rotate(pass, { ...back, from: scratch.kGradient, to: scratch.k, heads: keyHeads });
  hand(pass, q, { from: scratch.q, factor: 1 });
  hand(pass, k, { from: scratch.k, factor: 1 });
}

interface HeadOptions {
  readonly head: number;
  /** Whether the values have got something from elsewhere. */
  readonly add: boolean;
}

function reverseHead(pass: Pass, operation: Attention, { head, add }: HeadOptions): void {
  const { multiply, rows, scratch } = pass;
  const { headWidth, valueWidth, scale: factor } = operation;
  const { query, key, value, output, sharesKey } = partsOf(pass, operation, head);
  const square = { m: rows, depth: rows };
  const dy = { address: pass.gradientOf(operation.out) + output.offset, row: output.row };
  weigh(pass, operation, head);
  multiply({
    ...square,
    a: { address: scratch.weights, row: 4, step: rows * 4 },
    b: { address: dy.address, row: 4, step: dy.row },
    c: { address: pass.gradientOf(operation.v) + value.offset, row: value.row },
    n: valueWidth,
    add: add || sharesKey,
    causal: "left-upper",
  });
  multiply({
    a: { ...dy, step: 4 },
    b: { address: value.address, row: value.row, step: 4 },
    c: { address: scratch.weightGradients, row: rows * 4 },
    m: rows,
    n: rows,
    depth: valueWidth,
    causal: "lower",
  });
  reverseSoftmax(pass);
  multiply({
    ...square,
    a: { address: scratch.weightGradients, row: rows * 4, step: 4 },
    b: { address: scratch.k + key.offset, row: 4, step: key.row },
    c: { address: scratch.qGradient + query.offset, row: query.row },
    n: headWidth,
    factor,
    causal: "left",
  });
  multiply({
    ...square,
    a: { address: scratch.weightGradients, row: 4, step: rows * 4 },
    b: { address: scratch.q + query.offset, row: 4, step: query.row },
    c: { address: scratch.kGradient + key.offset, row: key.row },
    n: headWidth,
    factor,
    add: sharesKey,
    causal: "left-upper",
  });
}

/** What the scores get: weight · (gradient − Σ weight · gradient), zero behind each row's own token. */
function reverseSoftmax({ machine, rows, scratch }: Pass): void {
  const { floats } = machine;
  for (let row = 0; row < rows; row++) {
    const weights = scratch.weights + row * rows * 4;
    const gradients = scratch.weightGradients + row * rows * 4;
    const mean = machine.call("dot", weights, gradients, row + 1);
    const [w, g] = [weights / 4, gradients / 4];
    for (let i = 0; i <= row; i++) floats[g + i] = floats[w + i]! * (floats[g + i]! - mean);
    floats.fill(0, g + row + 1, g + rows);
  }
}
