import type { Pass, PlacedAdapter } from "../pass.ts";
import type { Linear } from "../tape.ts";

/** y = x · wᵀ + factor · (x · downᵀ) · up */
export function runLinear(pass: Pass, { x, out, matrix, bias }: Linear, adapter: PlacedAdapter | undefined): void {
  const { multiply, machine, rows } = pass;
  const { k, n } = matrix;
  const input = { address: pass.valueOf(x), row: k * 4, step: 4 };
  const output = { address: pass.valueOf(out), row: n * 4 };
  const weight = weightAt(pass, { matrix });
  multiply({ a: input, b: { address: weight, row: k * 4, step: 4 }, c: output, m: rows, n, depth: k });
  if (bias) {
    const values = pass.weightOf(bias.name) + (bias.start ?? 0) * 4;
    machine.call("add-bias", output.address, values, output.address, n, rows);
  }
  if (!adapter) return;
  const { rank, factor, inner } = adapter;
  const narrow = { address: inner, row: rank * 4 };
  multiply({
    a: input,
    b: { address: adapter.down, row: k * 4, step: 4 },
    c: narrow,
    m: rows,
    n: rank,
    depth: k,
    factor,
  });
  multiply({
    a: { ...narrow, step: 4 },
    b: { address: adapter.up, row: 4, step: n * 4 },
    c: output,
    m: rows,
    n,
    depth: rank,
    add: true,
  });
}

export function reverseLinear(pass: Pass, operation: Linear, adapter: PlacedAdapter | undefined): void {
  const { multiply, rows } = pass;
  const { x, out, matrix } = operation;
  const { k, n } = matrix;
  const dy = { address: pass.gradientOf(out), row: n * 4, step: 4 };
  const dx = { address: pass.gradientOf(x), row: k * 4 };
  const weight = { address: weightAt(pass, { matrix }), row: 4, step: k * 4 };
  multiply({ a: dy, b: weight, c: dx, m: rows, n: k, depth: n, add: pass.touch(x) });
  if (!adapter) return;
  const { rank, factor, inner } = adapter;
  const narrow = { address: pass.scratch.narrow, row: rank * 4 };
  // Transposed, both sides of the products below run over the rows of the pass.
  const columns = { address: pass.valueOf(x), row: 4, step: k * 4 };
  multiply({
    a: { address: inner, row: 4, step: rank * 4 },
    b: { address: dy.address, row: 4, step: n * 4 },
    c: { address: adapter.upGradient, row: n * 4 },
    m: rank,
    n,
    depth: rows,
    add: true,
  });
  multiply({ a: dy, b: { address: adapter.up, row: n * 4, step: 4 }, c: narrow, m: rows, n: rank, depth: n, factor });
  multiply({
    a: { address: narrow.address, row: 4, step: rank * 4 },
    b: columns,
    c: { address: adapter.downGradient, row: k * 4 },
    m: rank,
    n: k,
    depth: rows,
    add: true,
  });
  multiply({
    a: { ...narrow, step: 4 },
    b: { address: adapter.down, row: 4, step: k * 4 },
    c: dx,
    m: rows,
    n: k,
    depth: rank,
    add: true,
  });
}

export function weightAt(pass: Pick<Pass, "weightOf">, { matrix }: Pick<Linear, "matrix">): number {
  return pass.weightOf(matrix.name) + (matrix.row ?? 0) * matrix.k * 4;
}
