/** Operations that treat every number alike. */
import type { Value } from "../../../engines/flint/graph/graph.ts";
import type { Pass } from "../pass.ts";
import type { Add, Embed, Gated, Scale } from "../tape.ts";

export function runEmbed(pass: Pass, { out, table, factor }: Embed, tokens: ArrayLike<number>): void {
  const { machine, rows } = pass;
  const width = table.k;
  for (let row = 0; row < rows; row++) {
    const source = pass.weightOf(table.name) + (tokens[row] ?? 0) * width * 4;
    machine.call("scale", source, factor, pass.valueOf(out) + row * width * 4, width);
  }
}

export function runAdd(pass: Pass, { a, b, out }: Add): void {
  pass.machine.call("add", pass.valueOf(a), pass.valueOf(b), pass.valueOf(out), pass.rows * out.width);
}

export function reverseAdd(pass: Pass, { a, b, out }: Add): void {
  for (const value of [a, b]) hand(pass, value, { from: pass.gradientOf(out), factor: 1 });
}

export function runScale(pass: Pass, { x, out, factor }: Scale): void {
  pass.machine.call("scale", pass.valueOf(x), factor, pass.valueOf(out), pass.rows * out.width);
}

export function reverseScale(pass: Pass, { x, out, factor }: Scale): void {
  hand(pass, x, { from: pass.gradientOf(out), factor });
}

export function runGated(pass: Pass, { gate, up, out }: Gated): void {
  const count = pass.rows * out.width;
  pass.machine.call("gated-silu", pass.valueOf(gate), pass.valueOf(up), pass.valueOf(out), count);
}

export function reverseGated(pass: Pass, { gate, up, out }: Gated): void {
  const { machine, scratch } = pass;
  const count = pass.rows * out.width;
  const dy = pass.gradientOf(out);
  machine.call("silu-gate", pass.valueOf(gate), pass.valueOf(up), dy, scratch.wide, count);
  hand(pass, gate, { from: scratch.wide, factor: 1 });
  machine.call("silu-up", pass.valueOf(gate), dy, scratch.wide, count);
  hand(pass, up, { from: scratch.wide, factor: 1 });
}

interface Handing {
  readonly from: number;
  readonly factor: number;
}

/** Gives a value what it gets, beside what it got before. */
export function hand(pass: Pass, value: Value, { from, factor }: Handing): void {
  const kernel = pass.touch(value) ? "add-scaled" : "scale";
  pass.machine.call(kernel, from, factor, pass.gradientOf(value), pass.rows * value.width);
}
