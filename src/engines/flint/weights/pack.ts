/** Brings rows of a tensor of the file into a packed layout. */
import type { GgmlTypeName } from "../../../formats/gguf/ggml.ts";
import { ggmlType } from "../../../formats/gguf/ggml.ts";
import { toFloat32 } from "./codecs/float.ts";
import { floatToHalf } from "./codecs/half.ts";
import type { CodeFormat, Codec } from "./codecs/contract.ts";
import { codecOf } from "./codecs/table.ts";
import type { CodedLayout, Layout } from "./layout.ts";
import { blockWidth, recordBytes, rowGroup } from "./layout.ts";

/** The layout for a type of the file. Floats stay as wide as they are. */
export function layoutOf(type: GgmlTypeName): Layout {
  const codec = codecOf(type);
  if (codec) return codedLayout(codec.format);
  if (type === "F16") return { kind: "float", type: "f16" };
  return { kind: "float", type: type === "BF16" ? "bf16" : "f32" };
}

function codedLayout({ bits, group, table, offset = 0, hasMin }: CodeFormat): CodedLayout {
  if (bits === 8) return { kind: "coded", bits, group, offset: 128, hasMin };
  if (!table) return { kind: "coded", bits: bits === 4 ? 4 : 6, group, offset, hasMin };
  const shift = -Math.min(...table);
  return { kind: "coded", bits: 4, group, offset: shift, hasMin, table: [...table].map((value) => value + shift) };
}

export interface PackJob {
  readonly type: GgmlTypeName;
  readonly k: number;
  /** Whole rows of the tensor, the bytes of the file. */
  readonly source: Uint8Array;
  /** How many; a multiple of 8, or the last rows of a matrix. */
  readonly rows: number;
  readonly target: Uint8Array;
}

export function packRows(job: PackJob): void {
  const layout = layoutOf(job.type);
  if (layout.kind === "float") return packFloats(job, layout.type);
  const codec = codecOf(job.type);
  if (!codec) throw new RangeError(`no codec for ${job.type}`);
  packCodes(job, layout, codec);
}

function packFloats({ type, k, source, rows, target }: PackJob, kind: "f16" | "bf16" | "f32"): void {
  const values = floatView(source, type, rows * k);
  const elements = Math.ceil(rows / rowGroup) * rowGroup * k;
  const out =
    kind === "f32"
      ? new Float32Array(target.buffer, target.byteOffset, elements)
      : new Uint16Array(target.buffer, target.byteOffset, elements);
  for (let row = 0; row < rows; row++) {
    let to = Math.floor(row / rowGroup) * rowGroup * k + (row % rowGroup);
    for (let from = row * k; from < (row + 1) * k; from++, to += rowGroup) out[to] = values[from] ?? 0;
  }
}

/** The elements as they are in the file; types that are neither f16 nor bf16 become float32. */
function floatView(source: Uint8Array, type: GgmlTypeName, elements: number): Uint16Array | Float32Array {
  if (type === "F16" || type === "BF16") return new Uint16Array(source.slice(0, elements * 2).buffer);
  const values = new Float32Array(elements);
  toFloat32(type, source, values);
  return values;
}

/** Codes and scales of the eight rows of a group, decoded. */
interface Decoded {
  readonly codes: Uint32Array;
  readonly scales: Float32Array;
  readonly mins: Float32Array;
}

function packCodes(job: PackJob, layout: CodedLayout, codec: Codec): void {
  const { type, k, rows, source, target } = job;
  const { blockSize, blockBytes } = ggmlType(type);
  const rowBytes = (k / blockSize) * blockBytes;
  const groups = k / layout.group;
  const decoded: Decoded = {
    codes: new Uint32Array((rowGroup * k) / 4),
    scales: new Float32Array(rowGroup * groups),
    mins: new Float32Array(rowGroup * groups),
  };
  const bytes = new Uint8Array(decoded.codes.buffer);
  const groupBytes = (k / blockWidth) * recordBytes(layout);
  for (let first = 0; first < rows; first += rowGroup) {
    const count = Math.min(rowGroup, rows - first);
    if (count < rowGroup) for (const part of [bytes, decoded.scales, decoded.mins]) part.fill(0);
    codec.decode(source.subarray(first * rowBytes, (first + count) * rowBytes), count * k, {
      codes: bytes,
      scales: decoded.scales,
      ...(layout.hasMin && { mins: decoded.mins }),
    });
    const group = target.subarray((first / rowGroup) * groupBytes, (first / rowGroup + 1) * groupBytes);
    writeGroup(decoded, layout, k, group);
  }
}

function writeGroup(decoded: Decoded, layout: CodedLayout, k: number, target: Uint8Array): void {
  const record = recordBytes(layout);
  const blocks = k / blockWidth;
  const words = new Uint32Array(target.buffer, target.byteOffset, target.byteLength / 4);
  writeCodes[layout.bits](decoded.codes, words, blocks, record / 4);
  const halves = new Uint16Array(target.buffer, target.byteOffset, target.byteLength / 2);
  const groups = blockWidth / layout.group;
  const at = (layout.bits * blockWidth * rowGroup) / 8 / 2;
  writeScales(decoded.scales, halves, { blocks, groups, at, record: record / 2 });
  if (layout.hasMin) {
    writeScales(decoded.mins, halves, { blocks, groups, at: at + groups * rowGroup, record: record / 2 });
  }
}

interface ScalePlace {
  readonly blocks: number;
  readonly groups: number;
  readonly at: number;
  readonly record: number;
}

function writeScales(scales: Float32Array, halves: Uint16Array, { blocks, groups, at, record }: ScalePlace): void {
  const perRow = blocks * groups;
  for (let row = 0; row < rowGroup; row++) {
    for (let index = 0; index < perRow; index++) {
      const block = Math.floor(index / groups);
      halves[block * record + at + (index % groups) * rowGroup + row] = floatToHalf(scales[row * perRow + index] ?? 0);
    }
  }
}

type WriteCodes = (codes: Uint32Array, words: Uint32Array, blocks: number, record: number) => void;

/** Four codes are one word. Words of a row: 8 for a block. */
const writeCodes: Readonly<Record<CodedLayout["bits"], WriteCodes>> = {
  4: writeNibbles,
  6(codes, words, blocks, record) {
    const low = codes.map((word) => word & 0x0f0f0f0f);
    writeNibbles(low, words, blocks, record);
    for (let row = 0; row < rowGroup; row++) {
      for (let block = 0; block < blocks; block++) {
        const from = (row * blocks + block) * 8;
        for (let v = 0; v < 2; v++) {
          const upper = (index: number, shift: number): number => (((codes[from + index] ?? 0) >>> 4) & 0x03030303) << shift;
          words[block * record + 32 + v * 8 + row] =
            upper(2 * v, 0) | upper(2 * v + 4, 2) | upper(2 * v + 1, 4) | upper(2 * v + 5, 6);
        }
      }
    }
  },
  8(codes, words, blocks, record) {
    for (let row = 0; row < rowGroup; row++) {
      for (let block = 0; block < blocks; block++) {
        const from = (row * blocks + block) * 8;
        const to = block * record + row;
        // Signed codes become codes from 0, with an offset of 128.
        for (let q = 0; q < 8; q++) words[to + q * 8] = (codes[from + q] ?? 0) ^ 0x80808080;
      }
    }
  },
};

function writeNibbles(codes: Uint32Array, words: Uint32Array, blocks: number, record: number): void {
  for (let row = 0; row < rowGroup; row++) {
    for (let block = 0; block < blocks; block++) {
      const from = (row * blocks + block) * 8;
      const to = block * record + row;
      for (let q = 0; q < 4; q++) words[to + q * 8] = (codes[from + q] ?? 0) | ((codes[from + 4 + q] ?? 0) << 4);
    }
  }
}
