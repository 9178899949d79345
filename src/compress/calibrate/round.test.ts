import { describe, expect, test } from "vitest";
import { factorize } from "./factor.ts";
import { createMachine } from "./machine.ts";
import { gramOf } from "./gram.ts";
import { createPool } from "./pool.ts";
import { roundMatrix } from "./rounding.ts";
import { searchScaling } from "./scaling.ts";
import type { Compensation, Grid } from "./work.ts";
import { createArena } from "./arena.ts";

const [n, k, tokens] = [24, 160, 600];
const inOrder = new Uint32Array(k).map((_, i) => i);
const sharedFloats = (length: number): Float32Array => createArena().floats(length);
const grid: Grid = { bits: 4, group: 32, symmetric: true };

/** Seeded: the sum of uniform numbers. */
function normals(count: number, seed: number): Float32Array {
  let state = seed;
  const next = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const values = sharedFloats(count);
  for (let i = 0; i < count; i++) values[i] = next() + next() + next() + next() - 2;
  return values;
}

/** Columns that depend on each other, and a few that are much larger. */
function activations(): Float32Array {
  const raw = normals(tokens * k, 7);
  const x = sharedFloats(tokens * k);
  for (let token = 0; token < tokens; token++) {
    for (let i = 0; i < k; i++) {
      const shared = raw[token * k + (i >> 2) * 4]!;
      x[token * k + i] = (0.5 * raw[token * k + i]! + shared) * (i % 37 === 0 ? 12 : 1);
    }
  }
  return x;
}

/** ‖(W − Q) · X‖² / ‖W · X‖² */
function outputError(weights: Float32Array, rounded: Float32Array, x: Float32Array): number {
  let [error, size] = [0, 0];
  for (let token = 0; token < tokens; token++) {
    for (let row = 0; row < n; row++) {
      let [difference, whole] = [0, 0];
      for (let i = 0; i < k; i++) {
        difference += (weights[row * k + i]! - rounded[row * k + i]!) * x[token * k + i]!;
        whole += weights[row * k + i]! * x[token * k + i]!;
      }
      error += difference ** 2;
      size += whole ** 2;
    }
  }
  return error / size;
}

test("a product is that of its rows and columns, for sizes that fill no tiles", () => {
  const machine = createMachine();
  const [a, b] = [normals(7 * 300, 1), normals(300 * 21, 2)];
  const floats = machine.room(20_000);
  floats.set(a, 0);
  for (let i = 0; i < 300; i++) floats.set(b.subarray(i * 21, (i + 1) * 21), 2400 + i * 32);
  floats.fill(0, 12_000, 12_256);
  machine.multiply({
    a: { at: 0, stride: 300 },
    b: { at: 2400, stride: 32 },
    c: { at: 12_000, stride: 32 },
    m: 7,
    n: 21,
    k: 300,
  });
  for (let row = 0; row < 7; row++) {
    for (let column = 0; column < 21; column++) {
      let sum = 0;
      for (let i = 0; i < 300; i++) sum += a[row * 300 + i]! * b[i * 21 + column]!;
      expect(floats[12_000 + row * 32 + column]).toBeCloseTo(sum, 3);
    }
  }
});

describe("columns as activations use them", () => {
  test("are summed up", async () => {
    const x = activations();
    const { products } = await gramOf(x, k, await createPool(0));
    for (const [i, j] of [
      [0, 0],
      [3, 140],
      [159, 2],
      [97, 98],
    ] as const) {
      let sum = 0;
      for (let token = 0; token < tokens; token++) sum += x[token * k + i]! * x[token * k + j]!;
      expect(products[i * k + j]).toBeCloseTo(sum / tokens, 3);
    }
  });

  test("have a factor that is the square root of the inverse", async () => {
    const { products } = await gramOf(activations(), k, await createPool(0));
    const gram = Float64Array.from(products);
    const mean = gram.reduce((sum, value, at) => sum + (at % (k + 1) === 0 ? value / k : 0), 0);
    const factor = sharedFloats(k * k);
    factorize(createMachine(), { kind: "factor", k, gram: products, damp: 0.01, order: inOrder, factor });
    // Uᵀ · U · (H + damping) is the identity.
    for (const row of [0, 1, 64, 159]) {
      for (const column of [0, 1, 63, 64, 159]) {
        let sum = 0;
        for (let i = 0; i < k; i++) {
          let inverse = 0;
          for (let m = 0; m <= Math.min(row, i); m++) inverse += factor[m * k + row]! * factor[m * k + i]!;
          sum += inverse * (gram[i * k + column]! + (i === column ? mean * 0.01 : 0));
        }
        expect(sum).toBeCloseTo(row === column ? 1 : 0, 2);
      }
    }
  });
});

describe("GPTQ", () => {
  const prepare = async (order: Uint32Array, ordered: boolean) => {
    const pool = await createPool(0);
    const [x, weights] = [activations(), normals(n * k, 3)];
    const { products } = await gramOf(x, k, pool);
    const factor = sharedFloats(k * k);
    const importance = Float32Array.from({ length: k }, (_, i) => products[i * k + i]!);
    await pool.run([{ kind: "factor", k, gram: products, damp: 0.01, order, factor }]);
    const compensation = { factor, order, ordered, importance };
    const error = async (own: Grid, given: Compensation | undefined): Promise<number> => {
      const coded = await roundMatrix({ weights, n, k, grid: own, compensation: given }, pool);
      return outputError(weights, coded.rounded, x);
    };
    return async (own: Grid) => (await error(own, compensation)) / (await error(own, undefined));
  };

  test.each([
    ["groups of 32", grid],
    ["whole rows", { ...grid, group: 2 ** 30 }],
    ["8 bits", { ...grid, bits: 8 }],
    ["groups of 128, the last one shorter", { ...grid, group: 128 }],
    ["zero points", { ...grid, symmetric: false }],
  ])("errs less in the output than the nearest codes: %s", async (_, own) => {
    expect(await (await prepare(inOrder, false))(own)).toBeLessThan(0.6);
  });

  test.each([true, false])("errs less with columns in another order; groups follow it: %s", async (ordered) => {
    const order = inOrder.map((i) => (i * 37) % k);
    expect(await (await prepare(order, ordered))(grid)).toBeLessThan(0.6);
  });
});

test("AWQ scales columns so that the output errs less", async () => {
  const pool = await createPool(0);
  const [x, weights] = [activations(), normals(n * k, 3)];
  const own: Grid = { bits: 4, group: 32, symmetric: false };
  const scaling = await searchScaling({ ...(await gramOf(x, k, pool)), matrices: [{ weights, n }], grid: own }, pool);
  const scaled = weights.map((weight, at) => weight * (scaling?.[at % k] ?? 1));
  const after = (await roundMatrix({ weights: scaled, n, k, grid: own }, pool)).rounded.map(
    (weight, at) => weight / (scaling?.[at % k] ?? 1),
  );
  const before = (await roundMatrix({ weights, n, k, grid: own }, pool)).rounded;
  expect(outputError(weights, after, x)).toBeLessThan(0.8 * outputError(weights, before, x));
});
