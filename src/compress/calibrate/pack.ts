/** Kept rows as the tensors of one linear layer that GPTQ and AWQ checkpoints have. Their layouts: `formats/checkpoint/schemes`. */
import { awqShifts } from "../../formats/checkpoint/schemes/bits.ts";
import type { CheckpointTensor } from "../../formats/checkpoint/reverse/tensors.ts";
import type { MatrixRows } from "../../formats/checkpoint/scheme.ts";
import { recordBytes } from "./sink.ts";
import type { RecordShape } from "./sink.ts";

export type PackedFormat = "gptq" | "awq";

interface Packed {
  readonly qweight: Uint32Array;
  readonly qzeros: Uint32Array;
  readonly scales: Uint16Array;
}

export interface PackedOptions {
  readonly bits: number;
  readonly format: PackedFormat;
}

/** Of rows of records, as `Kept` has them. Packed when the first of the tensors is read, and kept until the last. */
export function packedTensors(
  { name, rows }: CheckpointTensor,
  { bits, format }: PackedOptions,
): readonly CheckpointTensor[] {
  const { n, columns: groupOf = new Uint32Array() } = rows;
  const k = groupOf.length;
  const groups = (rows.k - (k * bits) / 8) / 3;
  const shape = { k, bits, groups };
  const perWord = 32 / bits;
  let packed: Packed | undefined;
  const get = (): Packed => (packed ??= pack(rows, shape, format));
  const layer = name.replace(/\.weight$/, "");
  const part = (
    ending: string,
    type: "I32" | "F16",
    size: readonly [number, number],
    read: () => Words,
  ): CheckpointTensor => ({
    name: `${layer}.${ending}`,
    shape: size,
    rows: wordRows(type, size, read),
  });
  const words = format === "gptq" ? ([k / perWord, n] as const) : ([k, n / perWord] as const);
  return [
    part("qweight", "I32", words, () => get().qweight),
    part("qzeros", "I32", [groups, n / perWord], () => get().qzeros),
    ...(format === "gptq"
      ? [{ name: `${layer}.g_idx`, shape: [k], rows: wordRows("I32", [k, 1], () => groupOf) }]
      : []),
    part("scales", "F16", [groups, n], () => {
      const { scales } = get();
      packed = undefined;
      return scales;
    }),
  ];
}

type Words = Uint32Array | Uint16Array;

function wordRows(type: "I32" | "F16", [n, k]: readonly [number, number], read: () => Words): MatrixRows {
  let words: Words | undefined;
  const readRows: MatrixRows["readRows"] = (first, count, target) => {
    words ??= read();
    const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
    const rowBytes = k * words.BYTES_PER_ELEMENT;
    target.set(bytes.subarray(first * rowBytes, (first + count) * rowBytes));
    if (first + count === n) words = undefined;
  };
  return { type, n, k, readRows };
}

/** Rows that are read at a time. */
const someRows = 256;

function pack(rows: MatrixRows, shape: RecordShape, format: PackedFormat): Packed {
  const { n } = rows;
  const { k, bits, groups } = shape;
  const bytes = recordBytes(shape);
  const perWord = 32 / bits;
  const qweight = new Uint32Array((n * k) / perWord);
  const qzeros = new Uint32Array((groups * n) / perWord);
  const scales = new Uint16Array(groups * n);
  const codeBytes = (k * bits) / 8;
  const records = new Uint8Array(Math.min(n, someRows) * bytes);
  for (let first = 0; first < n; first += someRows) {
    const count = Math.min(someRows, n - first);
    rows.readRows(first, count, records.subarray(0, count * bytes));
    const view = new DataView(records.buffer);
    for (let index = 0; index < count; index++) {
      const [at, row] = [index * bytes, first + index];
      const lane = format === "gptq" ? (row % perWord) * bits : awqShifts[row % perWord]!;
      const column = Math.floor(row / perWord);
      for (let group = 0; group < groups; group++) {
        scales[group * n + row] = view.getUint16(at + codeBytes + group * 2, true);
        const zero = records[at + codeBytes + groups * 2 + group]!;
        // Version 1 of the format stores them less one.
        const stored = format === "gptq" ? zero - 1 : zero;
        qzeros[(group * n) / perWord + column]! |= stored << lane;
      }
      if (format === "gptq") {
        for (let word = 0; word < k / perWord; word++) qweight[word * n + row] = view.getUint32(at + word * 4, true);
        continue;
      }
      for (let i = 0; i < k; i++) {
        const code = (records[at + (i >> 1)]! >> ((i & 1) * 4)) & 15;
        qweight[i * (n / perWord) + column]! |= code << lane;
      }
    }
  }
  return { qweight, qzeros, scales };
}
