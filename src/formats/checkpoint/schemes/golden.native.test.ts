import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createReference } from "../../../engines/flint/graph/reference.ts";
import { checkModel } from "../../../engines/flint/check.ts";
import { toFloat32 } from "../../../engines/flint/weights/codecs/float.ts";
import { openCheckpoint } from "../open.ts";
import type { Checkpoint } from "../open.ts";
import {
  openLayers,
  openMatrix,
  readWeights,
  schemeFixture,
  schemeFixtures,
  withFolder,
} from "./__fixtures__/fixtures.ts";
import type { GoldenMatrix, SchemeFixture } from "./__fixtures__/fixtures.ts";

const fixtures = schemeFixtures();
const models = fixtures.filter(({ config }) => config !== undefined);
/** What rounding of scales and weights to f16 may change, relative to the largest weight. */
const halfStep = 2 ** -11;

/** Greatest distance, relative to the greatest value. NaN where a value is missing. */
function distance(values: ArrayLike<number>, expected: ArrayLike<number>): number {
  const apart = Array.from(values, (value, index) => Math.abs(value - (expected[index] ?? NaN)));
  return Math.max(...apart) / Math.max(...Array.from(expected, Math.abs));
}

function products(weights: Float32Array, { n, k }: GoldenMatrix): number[] {
  return Array.from({ length: n }, (_, row) =>
    weights.subarray(row * k, (row + 1) * k).reduce((sum, weight, column) => sum + weight * Math.cos(column), 0),
  );
}

describe.each(fixtures)("$name ($tool)", (fixture) => {
  it.each([true, false])("has the weights that the tool reads (columns in another order: %s)", (reorder) => {
    const layers = openLayers(fixture);
    expect([...layers.layers.keys()].sort()).toEqual([...fixture.matrices.keys()].sort());
    for (const [name, golden] of fixture.matrices) {
      const matrix = openMatrix(layers, name, { reorder });
      expect([matrix.n, matrix.k]).toEqual([golden.n, golden.k]);
      const weights = readWeights(matrix);
      const kept = golden.rows.flatMap((row) => Array.from(weights.subarray(row * golden.k, (row + 1) * golden.k)));
      expect(distance(kept, golden.values)).toBeLessThan(halfStep);
      expect(distance(products(weights, golden), golden.product)).toBeLessThan(halfStep);
    }
  });

  it("keeps the codes in the type that is expected", () => {
    const layers = openLayers(fixture);
    for (const name of fixture.matrices.keys()) {
      const matrix = openMatrix(layers, name, { reorder: true });
      expect(matrix.type).toBe(fixture.type);
      expect(matrix.columns !== undefined).toBe(fixture.name.includes("order"));
      const plain = openMatrix(layers, name);
      expect(plain.columns).toBeUndefined();
      expect(plain.type === "F16" || !fixture.name.includes("order")).toBe(true);
    }
  });

  it("reads any rows as it reads all of them", () => {
    const layers = openLayers(fixture);
    for (const [name, { k }] of fixture.matrices) {
      const matrix = openMatrix(layers, name);
      const all = readWeights(matrix);
      for (const [first, count] of [
        [0, 1],
        [3, 9],
        [23, 1],
        [5, 19],
      ] as const) {
        expect(readWeights(matrix, first, count)).toEqual(all.slice(first * k, (first + count) * k));
      }
    }
  });

  it("leaves norms, embeddings and the output alone", () => {
    const { plain } = openLayers(fixture);
    for (const { dtype } of plain) expect(["F16", "BF16", "F32"]).toContain(dtype);
  });
});

function logitsOf({ file, read }: Checkpoint, tokens: readonly number[]): Float64Array[] {
  const { architecture, hyperparameters } = checkModel(file);
  const weights = new Map(
    file.tensors.map(({ name, typeName, shape, offset, sizeBytes }) => {
      const bytes = new Uint8Array(sizeBytes);
      read(offset, bytes);
      const values = new Float32Array(shape.reduce((product, length) => product * length, 1));
      toFloat32(typeName, bytes, values);
      return [name, values];
    }),
  );
  const build = (graph: Parameters<typeof architecture.build>[0]): void => architecture.build(graph, hyperparameters);
  const reference = createReference(build, { weights: (name) => weights.get(name) ?? new Float32Array() });
  return reference.step(tokens.map((token, position) => ({ token, sequence: 0, position, output: true })));
}

function open(fixture: SchemeFixture, reorder: boolean): Promise<Float64Array[]> {
  return withFolder(fixture, (folder) => {
    const checkpoint = openCheckpoint(folder, { reorder });
    try {
      return logitsOf(checkpoint, fixture.tokens).slice(-fixture.logits.length);
    } finally {
      checkpoint.close();
    }
  });
}

describe.each(models)("the whole model $name", (fixture) => {
  it.each([true, false])("has the logits of the tool (columns in another order: %s)", async (reorder) => {
    const logits = await open(fixture, reorder);
    expect(logits).toHaveLength(fixture.logits.length);
    const flat = (rows: readonly ArrayLike<number>[]): number[] => rows.flatMap((row) => Array.from(row));
    expect(distance(flat(logits), flat(fixture.logits))).toBeLessThan(1e-3);
  });
});

describe("a folder whose config.json says nothing of the quantization", () => {
  const openWith = (fixture: SchemeFixture, files: Readonly<Record<string, unknown>>) =>
    withFolder(fixture, (folder) => {
      const all = { "config.json": fixture.config, ...files };
      for (const [name, value] of Object.entries(all)) writeFileSync(join(folder, name), JSON.stringify(value));
      const { file, scheme, close } = openCheckpoint(folder);
      close();
      return { tensors: file.tensors, scheme };
    });

  it.each([
    ["gptq-4-sym", "quantize_config.json", {}],
    ["awq-gemm", "quant_config.json", { bits: undefined, w_bit: 4, group_size: undefined, q_group_size: 32 }],
  ])("is read by what older tools wrote beside it: %s, %s", async (name, ownFile, changes) => {
    const fixture = schemeFixture(name);
    const settings = { ...fixture.settings, ...changes, quant_method: undefined };
    const expected = await openWith(fixture, {
      "config.json": { ...fixture.config, quantization_config: fixture.settings },
    });
    expect(await openWith(fixture, { [ownFile]: settings })).toEqual(expected);
    expect(expected.scheme).toMatch(/4 bits, groups of/);
  });

  it("is refused where nothing else says it, and as MLX", async () => {
    const fixture = schemeFixture("gptq-4-sym");
    const hint = (text: string) => expect.objectContaining({ hint: expect.stringContaining(text) });
    await expect(openWith(fixture, {})).rejects.toThrow(hint("quantize_config.json"));
    const wrong = { "quantize_config.json": { bits: 5 } };
    await expect(openWith(fixture, wrong)).rejects.toThrow(/quantize_config.json: bits is 5/);
    const mlx = { "config.json": { ...fixture.config, quantization: { group_size: 64, bits: 4 } } };
    await expect(openWith(fixture, mlx)).rejects.toThrow(hint("MLX"));
  });
});
