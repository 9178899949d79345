/** Rows that were packed come out as the codec of the file decodes them: the codes exactly, scales as nearly as f16 can. */
import { describe, expect, it } from "vitest";
import { randomWeights } from "../__fixtures__/typed.ts";
import { matrixTypes } from "../architectures/tensors.ts";
import { toFloat32 } from "./codecs/float.ts";
import { matrixBytes, rowGroup } from "./layout.ts";
import { layoutOf, packRows } from "./pack.ts";
import { readRow } from "./unpack.ts";

const k = 512;
/** Two groups of rows, the second with three. */
const n = 11;

/** Types whose factors are one f16 for each group, or both levels of them: nothing is rounded. */
const exact = /^(?:F32|F16|BF16|Q4_0|Q4_1|Q5_0|Q5_1|Q8_0|Q._K|IQ4_NL|MXFP4|NVFP4|Q._0|TQ._0)$/;

describe("packed rows", () => {
  it.each([...matrixTypes])("of the type %s are read as they were", (type) => {
    const file = randomWeights(type, [k, n], { deviation: 0.1, seed: 7 });
    const expected = new Float32Array(k * n);
    toFloat32(type, file, expected);
    const layout = layoutOf(type);
    const rows = Math.ceil(n / rowGroup) * rowGroup;
    const source = new Uint8Array((file.length / n) * rows);
    source.set(file);
    const address = 64;
    const bytes = new Uint8Array(address + matrixBytes(layout, { k, n }));
    packRows({ type, k, source, rows, target: bytes.subarray(address) });
    const view = { bytes, shorts: new Uint16Array(bytes.buffer), floats: new Float32Array(bytes.buffer) };
    const row = new Float32Array(k);
    let apart = 0;
    for (let index = 0; index < n; index++) {
      readRow(view, { layout, address, k, row: index }, row);
      row.forEach((value, at) => (apart = Math.max(apart, Math.abs(value - (expected[index * k + at] ?? NaN)))));
    }
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(apart).toBeLessThanOrEqual(exact.test(type) ? 1e-7 * largest : 2 ** -11 * largest);
  });
});
