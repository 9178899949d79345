import { expect, test } from "vitest";
import type { GgmlTypeName } from "../../../formats/gguf/ggml.ts";
import { ggmlType } from "../../../formats/gguf/ggml.ts";
import type { Plan } from "../graph/plan.ts";
import { writeConstants } from "../kernels/wasm/constants.ts";
import { matrixBytes } from "../weights/layout.ts";
import { layoutOf, packRows } from "../weights/pack.ts";
import { leastStagingBytes } from "../weights/staging.ts";
import { createLoader, loadPieces, packModule } from "./load.ts";

const k = 256;

/** A file of one matrix, and what the memory has after it was loaded. */
function load(
  type: GgmlTypeName,
  shape: { readonly n: number; readonly experts?: number; readonly groupsAtOnce?: number },
) {
  const { n, experts = 1, groupsAtOnce = 1 } = shape;
  const { blockBytes, blockSize } = ggmlType(type);
  const rowBytes = (k / blockSize) * blockBytes;
  const file = Uint8Array.from({ length: 32 + rowBytes * n * experts }, (_, index) => (index * 31 + (index >> 8)) & 63);
  const layout = layoutOf(type);
  const expertBytes = matrixBytes(layout, { k, n });
  const matrix = { name: "m", type, layout, address: 4096, k, n, experts, expertBytes };
  const plan = { matrices: { m: matrix }, vectors: {} } as unknown as Plan;
  const memory = new WebAssembly.Memory({ initial: 32, maximum: 65_536, shared: true });
  writeConstants(memory);
  const reads: number[] = [];
  const run = createLoader({
    memory,
    module: new WebAssembly.Module(packModule(plan)),
    address: 1024 * 1024,
    bytes: leastStagingBytes(type, k) + (groupsAtOnce - 1) * rowBytes * 8,
    read(offset, target) {
      reads.push(target.length / rowBytes);
      target.set(file.subarray(offset, offset + target.length));
    },
  });
  for (const piece of loadPieces(plan, { m: 32 })) run(piece);
  return {
    file,
    rowBytes,
    reads,
    expertBytes,
    bytes: new Uint8Array(memory.buffer).slice(4096, 4096 + expertBytes * experts),
  };
}

/** The packed form of a matrix whose last rows are filled up with zeros. */
function packed(type: GgmlTypeName, rows: Uint8Array, n: number): Uint8Array {
  const all = Math.ceil(n / 8) * 8;
  const source = new Uint8Array((rows.length / n) * all);
  source.set(rows);
  const target = new Uint8Array(matrixBytes(layoutOf(type), { k, n }));
  packRows({ type, k, rows: all, source, target });
  return target;
}

test.each<GgmlTypeName>(["Q4_0", "Q8_0", "Q6_K", "F32", "NVFP4"])(
  "%s whose rows are no multiple of eight is filled up with zeros",
  (type) => {
    const { file, bytes, reads } = load(type, { n: 21, groupsAtOnce: 2 });
    expect(reads).toEqual([16, 5]);
    expect(bytes).toEqual(packed(type, file.subarray(32), 21));
  },
);

test("each expert's matrix begins with a whole row group", () => {
  const { file, bytes, rowBytes, expertBytes } = load("IQ2_XXS", { n: 12, experts: 2 });
  for (const expert of [0, 1]) {
    const rows = file.subarray(32 + expert * 12 * rowBytes, 32 + (expert + 1) * 12 * rowBytes);
    expect(bytes.subarray(expert * expertBytes, (expert + 1) * expertBytes)).toEqual(packed("IQ2_XXS", rows, 12));
  }
});
