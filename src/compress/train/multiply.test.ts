import { describe, expect, test } from "vitest";
import { largestError, randomNumbers } from "../../engines/flint/kernels/wasm/__fixtures__/instance.ts";
import { createGround, createMachine, createTrainMemory, createTrainModule } from "./machine.ts";
import { createMultiply, edgeFloats, panelFloats } from "./multiply.ts";
import type { Product } from "./multiply.ts";

const module = createTrainModule();

interface Sizes {
  readonly m: number;
  readonly n: number;
  readonly depth: number;
}

interface Case extends Sizes {
  readonly kind: "rows" | "columns" | "transposed";
  readonly causal?: Product["causal"];
  readonly add?: boolean;
}

/** c of the kernels and c by hand; a is masked as `causal` says. */
function multiplyBoth({ m, n, depth, kind, causal, add = false }: Case) {
  const ground = createGround();
  const room = { panel: ground.take(panelFloats), edge: ground.take(edgeFloats) };
  const [a = 0, b = 0, c = 0] = [m * depth, n * depth, m * n].map((count) => ground.take(count));
  const machine = createMachine(module, createTrainMemory(ground.end()));
  const { floats } = machine;
  for (const [seed, [at, count]] of [
    [a, m * depth],
    [b, n * depth],
    [c, m * n],
  ].entries()) {
    floats.set(randomNumbers(count ?? 0, 1, seed + 1), (at ?? 0) / 4);
  }
  const aPlace = kind === "transposed" ? { address: a, row: 4, step: m * 4 } : { address: a, row: depth * 4, step: 4 };
  const bPlace = kind === "rows" ? { address: b, row: depth * 4, step: 4 } : { address: b, row: 4, step: n * 4 };
  const aAt = (i: number, k: number): number => (aPlace.address + i * aPlace.row + k * aPlace.step) / 4;
  for (let i = 0; i < m; i++) {
    for (let k = 0; k < depth; k++) {
      if ((causal === "left" && k > i) || (causal === "left-upper" && k < i)) floats[aAt(i, k)] = 0;
    }
  }
  const expected = new Float32Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let k = 0; k < depth; k++)
        sum += floats[aAt(i, k)]! * floats[(bPlace.address + j * bPlace.row + k * bPlace.step) / 4]!;
      expected[i * n + j] = 0.5 * sum + (add ? floats[c / 4 + i * n + j]! : 0);
    }
  }
  const product = { a: aPlace, b: bPlace, c: { address: c, row: n * 4 }, m, n, depth, factor: 0.5, add };
  createMultiply(machine, room)({ ...product, ...(causal && { causal }) });
  return { actual: floats.slice(c / 4, c / 4 + m * n), expected };
}

describe.each(["rows", "columns", "transposed"] as const)("a product with %s", (kind) => {
  test.each<Sizes>([
    { m: 12, n: 32, depth: 16 },
    { m: 1, n: 1, depth: 1 },
    { m: 25, n: 37, depth: 53 },
    { m: 101, n: 18, depth: 700 },
  ])("is that of a plain loop: %o", (sizes) => {
    for (const add of [false, true]) {
      const { actual, expected } = multiplyBoth({ ...sizes, kind, add });
      expect(largestError(actual, expected, 1)).toBeLessThan(1e-5);
    }
  });
});

describe.each([15, 64, 401])("a causal product of %i rows", (rows) => {
  const sizes = { m: rows, n: rows, depth: rows };

  test("leaves out what is zero on the left", () => {
    for (const [causal, kind] of [
      ["left", "columns"],
      ["left-upper", "transposed"],
    ] as const) {
      for (const add of [false, true]) {
        const { actual, expected } = multiplyBoth({ ...sizes, n: 19, kind, causal, add });
        expect(largestError(actual, expected, 1)).toBeLessThan(1e-5);
      }
    }
  });

  test("computes what is not masked", () => {
    const { actual, expected } = multiplyBoth({ ...sizes, depth: 24, kind: "rows", causal: "lower" });
    const lower = (values: Float32Array) => values.filter((_, index) => index % rows <= Math.floor(index / rows));
    expect(largestError(lower(actual), lower(expected), 1)).toBeLessThan(1e-5);
  });
});
