import { describe, expect, it } from "vitest";
import type { RopeOptions } from "../../graph/graph.ts";
import type { CacheType } from "../../cache/layout.ts";
import { blockTokens, keyBlockBytes, valueBlockBytes } from "../../cache/layout.ts";
import { readHead, writeHead } from "./__fixtures__/cache.ts";
import { compilations, instantiate, largestError, randomNumbers } from "./__fixtures__/instance.ts";
import type { RotateShape } from "./rope.ts";
import { rotate, rotateName } from "./rope.ts";
import { storeKeys, storeKeysName, storeValues, storeValuesName } from "./store.ts";

type Rope = Pick<RopeOptions, "dimensions" | "pairing">;

function rotated(x: Float32Array, table: Float32Array, { headWidth, rope }: RotateShape): number[] {
  if (!rope) return [...x];
  const { dimensions, pairing } = rope;
  return [...x].map((value, index) => {
    const d = index % headWidth;
    if (d >= dimensions) return value;
    const isFirst = pairing === "halves" ? d < dimensions / 2 : d % 2 === 0;
    const pair = pairing === "halves" ? d % (dimensions / 2) : d >> 1;
    const distance = pairing === "halves" ? dimensions / 2 : 1;
    const other = x[isFirst ? index + distance : index - distance] ?? 0;
    const [cosine, sine] = [table[pair * 2] ?? 0, table[pair * 2 + 1] ?? 0];
    return isFirst ? value * cosine - other * sine : value * cosine + other * sine;
  });
}

function angles(dimensions: number): Float32Array {
  return Float32Array.from({ length: dimensions }, (_, i) =>
    i % 2 === 0 ? Math.cos(i * 1.7 + 1) : Math.sin((i - 1) * 1.7 + 1),
  );
}

const ropes: (Rope | undefined)[] = [
  { dimensions: 32, pairing: "halves" },
  { dimensions: 32, pairing: "interleaved" },
  { dimensions: 20, pairing: "halves" },
  { dimensions: 18, pairing: "interleaved" },
  { dimensions: 6, pairing: "halves" },
  undefined,
];

describe.each(compilations)("rotation as $name", ({ merge }) => {
  it.each(ropes.map((rope) => ({ rope, text: rope ? `${rope.pairing}, ${rope.dimensions} dimensions` : "none" })))(
    "turns the pairs of every head and leaves the rest: $text",
    ({ rope }) => {
      const shape: RotateShape = { heads: 3, headWidth: 32, ...(rope && { rope }) };
      const keyShape = { ...shape, type: "f16" } as const;
      const kernels = instantiate([rotate(shape), storeKeys(keyShape)], merge);
      const x = randomNumbers(96, 3);
      const table = angles(rope?.dimensions ?? 0);
      const [source, place] = [kernels.write(x), kernels.write(table)];
      const y = kernels.place(96 * 4);
      kernels.call(rotateName(shape), source, place, y);
      const expected = rotated(x, table, shape);
      expect(largestError(kernels.read(y, 96), expected, 1)).toBeLessThan(3e-7);

      // Keys go through the same rotation into their slot, tokens side by side.
      const block = kernels.place(keyBlockBytes({ keyHeads: 3, headWidth: 32, keyType: "f16" }));
      const scratch = kernels.place(96 * 4);
      kernels.call(storeKeysName(keyShape), source, place, block, 5, scratch);
      const kept = expected.map((_, i) => kernels.halves[block / 2 + i * blockTokens + 5] ?? NaN);
      expect(largestError(kept, expected, 1e-3)).toBeLessThan(6e-4);
      const slots = kernels.halves.subarray(block / 2, block / 2 + 96 * blockTokens);
      expect(slots.every((value, i) => value === 0 || i % blockTokens === 5)).toBe(true);
    },
  );
});

describe.each(compilations)("stored values as $name", ({ merge }) => {
  it("stand in the slot of their token, head by head", () => {
    const shape = { keyHeads: 2, width: 20, type: "f16" } as const;
    const kernels = instantiate([storeValues(shape)], merge);
    const v = randomNumbers(40, 3);
    const block = kernels.place(2 * blockTokens * 20 * 2);
    kernels.call(storeValuesName(shape), kernels.write(v), block, 31);
    const kept = [0, 1].flatMap((head) => {
      const start = block / 2 + (head * blockTokens + 31) * 20;
      return [...kernels.halves.subarray(start, start + 20)];
    });
    expect(kept).toEqual([...Float16Array.from(v)]);
  });

  it("are rounded as IEEE 754 says", () => {
    const near = [0.5, 1, 3, 1000, 6.1e-5, 5.96e-8, 65_504].flatMap((value) =>
      Array.from({ length: 200 }, (_, i) => value * (1 + (i - 100) / 65_536)),
    );
    const special = [
      0,
      -0,
      65_519.99,
      65_520,
      65_536,
      1e30,
      Infinity,
      NaN,
      2 ** -24,
      2 ** -25,
      1.5 * 2 ** -25,
      1e-30,
      2 ** -14,
    ];
    const ties = [1 + 2 ** -11, 1 + 3 * 2 ** -11, 2 ** -14 + 2 ** -25, 3 * 2 ** -25, 5 * 2 ** -25];
    const all = [...near, ...special, ...ties].flatMap((value) => [value, -value]);
    const values = Float32Array.from([...all, ...Array.from({ length: 32 - (all.length % 32) }, () => 0)]);
    const shape = { keyHeads: 1, width: values.length, type: "f16" } as const;
    const kernels = instantiate([storeValues(shape)], merge);
    const block = kernels.place(blockTokens * values.length * 2);
    kernels.call(storeValuesName(shape), kernels.write(values), block, 0);
    expect([...kernels.halves.subarray(block / 2, block / 2 + values.length)]).toEqual([...Float16Array.from(values)]);
  });
});

describe.each(compilations)("rows in 8 bits as $name", ({ merge }) => {
  const type: CacheType = "q8_0";
  const keyHeads = 2;

  /** Stores rows as keys and as values of the same block, token by token; what each head holds then. */
  function store(rows: readonly Float32Array[], width: number) {
    const keyShape = { heads: keyHeads, headWidth: width, type };
    const valueShape = { keyHeads, width, type };
    const kernels = instantiate([storeKeys(keyShape), storeValues(valueShape)], merge);
    const keys = kernels.place(keyBlockBytes({ keyHeads, headWidth: width, keyType: type }));
    const values = kernels.place(valueBlockBytes({ keyHeads, valueWidth: width, valueType: type }));
    rows.forEach((row, slot) => {
      const source = kernels.write(row);
      kernels.call(storeKeysName(keyShape), source, 0, keys, slot, 0);
      kernels.call(storeValuesName(valueShape), source, values, slot);
    });
    const headBytes = keyBlockBytes({ keyHeads: 1, headWidth: width, keyType: type });
    const read = (kind: "keys" | "values", start: number): Float32Array[] =>
      rows.map((_, slot) => {
        const place = (head: number) => ({ kind, type, width, address: start + head * headBytes, slot });
        return Float32Array.from([0, 1].flatMap((head) => [...readHead(kernels, place(head))]));
      });
    return { kernels, keys: read("keys", keys), values: read("values", values) };
  }

  it.each([32, 64, 80, 96, 128, 60, 20, 4])("keep every number of heads of %i to half a step", (width) => {
    const rows = Array.from({ length: blockTokens }, (_, slot) => {
      const size = 10 ** ((slot % 9) - 4);
      return randomNumbers(keyHeads * width, size, slot + 1);
    });
    const stored = store(rows, width);
    for (const kept of [stored.keys, stored.values]) {
      kept.forEach((numbers, slot) => {
        const row = rows[slot] ?? new Float32Array();
        for (let head = 0; head < keyHeads; head++) {
          for (let start = 0; start < width; start += 32) {
            const from = head * width + start;
            const group = row.subarray(from, head * width + Math.min(width, start + 32));
            const largest = Math.max(...group.map(Math.abs));
            const wrong = group.map((number, index) => Math.abs(number - (numbers[from + index] ?? NaN)));
            expect(Math.max(...wrong) / largest).toBeLessThan(0.5011 / 127);
          }
        }
      });
    }
    expect(stored.keys).toEqual(stored.values);
  });

  it("are rounded to the nearest code, in each slot as plain arithmetic does", () => {
    const rows = Array.from({ length: blockTokens }, (_, slot) => randomNumbers(keyHeads * 80, 3, slot + 50));
    const { kernels, keys } = store(rows, 80);
    const address = kernels.place(keyBlockBytes({ keyHeads: 1, headWidth: 80, keyType: type }));
    const expected = rows.map((row, slot) =>
      Float32Array.from(
        [0, 1].flatMap((head) => [
          ...writeHead(
            kernels,
            { kind: "keys", type, width: 80, address, slot },
            row.subarray(head * 80, head * 80 + 80),
          ),
        ]),
      ),
    );
    const steps = keys.map((row, slot) => largestError(row, expected[slot] ?? []));
    // A number half way between two codes may go either way.
    expect(steps.filter((step) => step > 0).length).toBeLessThan(3);
  });

  it("are zeros where all numbers are, and numbers where some are not", () => {
    const zeros = new Float32Array(64);
    const odd = Float32Array.from({ length: 64 }, (_, index) => [NaN, Infinity, -Infinity, 1e38, 1e-40, 1][index] ?? 2);
    const { keys, values } = store([zeros, odd], 32);
    expect([...(keys[0] ?? []), ...(values[0] ?? [])].every((number) => number === 0)).toBe(true);
    const rest = [...(keys[1]?.subarray(32) ?? []), ...(values[1]?.subarray(32) ?? [])];
    expect(rest).toEqual(rest.map(() => 2));
  });
});
