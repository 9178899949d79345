import { describe, expect, it } from "vitest";
import type { Activation } from "../../graph/graph.ts";
import { compilations, instantiate, largestError, randomNumbers } from "./__fixtures__/instance.ts";
import { activate, gated } from "./activation.ts";
import { mapping } from "./elementwise.ts";
import { exp } from "./exp.ts";
import { erf as erfOf, tanh as tanhOf } from "./saturating.ts";

/** Abramowitz and Stegun 7.1.5 and 7.1.14: a series near 0, a continued fraction elsewhere. */
function erf(x: number): number {
  const size = Math.abs(x);
  if (size > 6) return Math.sign(x);
  if (size < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; n < 80; n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (size + fraction);
  return Math.sign(x) * (1 - Math.exp(-x * x) / Math.sqrt(Math.PI) / (size + fraction));
}

const references: Record<Activation, (x: number) => number> = {
  silu: (x) => x / (1 + Math.exp(-x)),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  tanh: Math.tanh,
  gelu: (x) => (x / 2) * (1 + erf(x / Math.SQRT2)),
  "gelu-tanh": (x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  "gelu-quick": (x) => x / (1 + Math.exp(-1.702 * x)),
  relu: (x) => Math.max(x, 0),
  "relu-squared": (x) => Math.max(x, 0) ** 2,
};
const kinds = Object.keys(references) as Activation[];

const isWithin =
  (limit: number) =>
  ({ error }: { readonly error: number }): boolean =>
    error < limit;

describe.each(compilations)("activations as $name", ({ merge }) => {
  const inputs = [
    ...randomNumbers(4001, 12),
    ...randomNumbers(500, 0.01, 2),
    0,
    -0,
    30,
    -30,
    87,
    -87,
    88.5,
    -88.5,
    300,
    -300,
  ];

  it("are right within 1e-6 for every kind and any number of elements", () => {
    const kernels = instantiate(kinds.map(activate), merge);
    const x = kernels.write(inputs);
    const y = kernels.place(inputs.length * 4 + 4);
    for (const kind of kinds) {
      kernels.floats[y / 4 + inputs.length] = 7;
      kernels.call(`activate-${kind}`, x, y, inputs.length);
      const expected = [...kernels.read(x, inputs.length)].map((value) => references[kind](value));
      expect({ kind, error: largestError(kernels.read(y, inputs.length), expected, 1) }).toSatisfy(isWithin(1e-6));
      expect(kernels.floats[y / 4 + inputs.length]).toBe(7);
    }
  });

  it("of a gate multiply the other input, in place too", () => {
    const kernels = instantiate(kinds.map(gated), merge);
    for (const kind of kinds) {
      const gate = kernels.write(randomNumbers(99, 5, 3));
      const up = kernels.write(randomNumbers(99, 5, 4));
      const [g, u] = [kernels.read(gate, 99), kernels.read(up, 99)];
      kernels.call(`gated-${kind}`, gate, up, gate, 99);
      const expected = [...g].map((value, i) => references[kind](value) * (u[i] ?? 0));
      expect({ kind, error: largestError(kernels.read(gate, 99), expected, 1) }).toSatisfy(isWithin(2e-6));
    }
  });

  it("rest on an exp within 2.3 units in the last place that reaches 0 and infinity", () => {
    const kernels = instantiate([mapping("exp", 1, (vectors, [x = []]) => exp(vectors, x))], merge);
    const values = Float32Array.from({ length: 20_000 }, (_, i) => -86.9 + (i * (88.7 + 86.9)) / 20_000);
    const x = kernels.write(values);
    const y = kernels.place(values.length * 4);
    kernels.call("exp", x, y, values.length);
    const ulps = [...kernels.read(y, values.length)].map((value, i) => {
      const exact = Math.exp(values[i] ?? 0);
      return Math.abs(value - exact) / 2 ** (Math.floor(Math.log2(exact)) - 23);
    });
    expect(Math.max(...ulps)).toBeLessThan(2.3);
    const edges = kernels.write([-Infinity, -1e30, -100, -88, 0, 88.72, 88.8, 1e30, Infinity, NaN]);
    kernels.call("exp", edges, y, 10);
    const read = kernels.read(y, 10);
    expect([...read].slice(0, 5)).toEqual([0, 0, 0, 0, 1]);
    expect(read[5]).toBeGreaterThan(3.3e38);
    expect([...read].slice(6)).toEqual([Infinity, Infinity, Infinity, NaN]);
  });

  it("rest on tanh and erf that are right relative to their value, never beyond 1", () => {
    const kernels = instantiate(
      [mapping("tanh", 1, (v, [x = []]) => tanhOf(v, x)), mapping("erf", 1, (v, [x = []]) => erfOf(v, x))],
      merge,
    );
    const values = [...randomNumbers(5000, 10), ...randomNumbers(500, 1e-3, 2), 1e30, -1e30, Infinity, -Infinity];
    const x = kernels.write(values);
    const y = kernels.place(values.length * 4);
    for (const [name, reference] of [
      ["tanh", Math.tanh],
      ["erf", erf],
    ] as const) {
      kernels.call(name, x, y, values.length);
      const read = kernels.read(y, values.length);
      const error = largestError(read, [...kernels.read(x, values.length)].map(reference));
      expect({ name, error }).toSatisfy(isWithin(4e-7));
      expect(Math.max(...read.map(Math.abs))).toBeLessThanOrEqual(1);
    }
  });
});
