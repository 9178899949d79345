/** Brings rows of a tensor of the file into a packed layout. */
import type { GgmlTypeName } from "../../../formats/gguf/ggml.ts";
import { ggmlType } from "../../../formats/gguf/ggml.ts";
import { toFloat32 } from "./codecs/float.ts";
import { floatToHalf } from "../../../util/half.ts";
import type { CodeFormat, Codec } from "./codecs/contract.ts";
import { codecOf } from "./codecs/table.ts";
import type { Recoding } from "./recode.ts";
import { recode } from "./recode.ts";
import type { CodedLayout, Layout, SuperLayout } from "./layout.ts";
import { blockWidth, recordBytes, rowGroup, rowGroupBytes, superRecord, superWidth } from "./layout.ts";

/** The layout for a type of the file. Floats stay as wide as they are. */
export function layoutOf(type: GgmlTypeName): Layout {
  const codec = codecOf(type);
  if (codec) return superLayout(codec) ?? codedLayout(codec.format);
  if (type === "F16") return { kind: "float", type: "f16" };
  return { kind: "float", type: type === "BF16" ? "bf16" : "f32" };
}

/** K-quants keep both levels of their scales. */
function superLayout({ type, format }: Codec): SuperLayout | undefined {
  if (!superTypes.has(type)) return undefined;
  const { bits, group, offset = 0, hasMin } = format;
  return { kind: "super", bits: bits === 4 ? 4 : 6, group, offset, hasMin };
}

const superTypes: ReadonlySet<GgmlTypeName> = new Set(["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"]);

function codedLayout({ bits, group, table, offset = 0, hasMin }: CodeFormat): CodedLayout {
  if (bits === 8) return { kind: "coded", bits, group, offset: 128, hasMin };
  if (!table) return { kind: "coded", bits: bits === 4 ? 4 : 6, group, offset, hasMin };
  const recoding = recode(table);
  if (recoding) {
    const { offset: zero, planes } = recoding;
    return { kind: "coded", bits: 4, group, offset: zero, hasMin, ...(planes && { planes }) };
  }
  const shift = -Math.min(...table);
  return { kind: "coded", bits: 4, group, offset: shift, hasMin, table: [...table].map((value) => value + shift) };
}

export interface PackJob {
  readonly type: GgmlTypeName;
  readonly k: number;
  /** Whole rows of the tensor, the bytes of the file. */
  readonly source: Uint8Array;
  /** How many, a multiple of 8. */
  readonly rows: number;
  readonly target: Uint8Array;
}

/** What the kernels of `kernels/wasm/pack.ts` do, for every type. */
export function packRows(job: PackJob): void {
  const layout = layoutOf(job.type);
  if (layout.kind === "float") return packFloats(job, layout.type);
  const codec = codecOf(job.type);
  if (!codec) throw new RangeError(`no codec for ${job.type}`);
  if (layout.kind === "super") packSuper(job, layout, codec);
  else packCodes(job, layout, codec);
}

function packFloats({ type, k, source, rows, target }: PackJob, kind: "f16" | "bf16" | "f32"): void {
  const values = floatView(source, type, rows * k);
  const elements = rows * k;
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
  const recoding = codec.format.table && recode(codec.format.table);
  const groupBytes = (k / blockWidth) * recordBytes(layout);
  for (let first = 0; first < rows; first += rowGroup) {
    codec.decode(source.subarray(first * rowBytes, (first + rowGroup) * rowBytes), rowGroup * k, {
      codes: bytes,
      scales: decoded.scales,
      ...(layout.hasMin && { mins: decoded.mins }),
    });
    if (recoding) rename(bytes, decoded.scales, recoding);
    const group = target.subarray((first / rowGroup) * groupBytes, (first / rowGroup + 1) * groupBytes);
    writeGroup(decoded, layout, k, group);
  }
}

function rename(codes: Uint8Array, scales: Float32Array, recoding: Recoding): void {
  const names = Uint8Array.from(recoding.codes);
  for (let index = 0; index < codes.length; index++) codes[index] = names[codes[index]!]!;
  if (recoding.factor !== 1) for (let index = 0; index < scales.length; index++) scales[index]! *= recoding.factor;
}

function writeGroup(decoded: Decoded, layout: CodedLayout, k: number, target: Uint8Array): void {
  const record = recordBytes(layout);
  const blocks = k / blockWidth;
  const words = new Uint32Array(target.buffer, target.byteOffset, target.byteLength / 4);
  writeCodes[layout.bits](decoded.codes, words, { blocks, first: 0, perRow: blocks, record: record / 4 });
  const halves = new Uint16Array(target.buffer, target.byteOffset, target.byteLength / 2);
  const groups = blockWidth / layout.group;
  const at = (layout.bits * blockWidth * rowGroup) / 8 / 2;
  writeScales(decoded.scales, halves, { blocks, groups, at, record: record / 2 });
  if (layout.hasMin) {
    writeScales(decoded.mins, halves, { blocks, groups, at: at + groups * rowGroup, record: record / 2 });
  }
}

/** Rows of a type with two levels of scales. */
function packSuper(job: PackJob, layout: SuperLayout, codec: Codec): void {
  const { type, k, rows, source, target } = job;
  const { blockSize, blockBytes } = ggmlType(type);
  const rowBytes = (k / blockSize) * blockBytes;
  const records = k / superWidth;
  const groups = k / layout.group;
  const words = new Uint32Array((rowGroup * k) / 4);
  const decoded = {
    codes: new Uint8Array(words.buffer),
    subScales: new Int8Array(rowGroup * groups),
    subMins: new Uint8Array(rowGroup * groups),
    d: new Float32Array(rowGroup * records),
    dmin: new Float32Array(rowGroup * records),
  };
  const groupBytes = rowGroupBytes(layout, k);
  for (let first = 0; first < rows; first += rowGroup) {
    codec.decodeSuper?.(source.subarray(first * rowBytes, (first + rowGroup) * rowBytes), rowGroup * k, decoded);
    const at = (first / rowGroup) * groupBytes;
    writeSuper({ ...decoded, words, records }, layout, target.subarray(at, at + groupBytes));
  }
}

interface DecodedSuper {
  readonly words: Uint32Array;
  readonly subScales: Int8Array;
  readonly subMins: Uint8Array;
  readonly d: Float32Array;
  readonly dmin: Float32Array;
  readonly records: number;
}

function writeSuper(decoded: DecodedSuper, layout: SuperLayout, target: Uint8Array): void {
  const { words, subScales, subMins, d, dmin, records } = decoded;
  const record = superRecord(layout);
  const blocks = superWidth / blockWidth;
  const groups = superWidth / layout.group;
  const halves = new Uint16Array(target.buffer, target.byteOffset, target.byteLength / 2);
  const write = writeCodes[layout.bits];
  for (let index = 0; index < records; index++) {
    const base = index * record.bytes;
    const codes = new Uint32Array(
      target.buffer,
      target.byteOffset + base + record.codes,
      (blocks * record.blockBytes) / 4,
    );
    write(words, codes, { blocks, first: index * blocks, perRow: records * blocks, record: record.blockBytes / 4 });
    for (let row = 0; row < rowGroup; row++) {
      for (let group = 0; group < groups; group++) {
        const from = (row * records + index) * groups + group;
        const to = base + (group >> 1) * 16 + row * 2 + (group & 1);
        target[record.scales + to] = subScales[from] ?? 0;
        if (layout.hasMin) target[record.mins + to] = subMins[from] ?? 0;
      }
      halves[(base + record.d) / 2 + row] = floatToHalf(d[row * records + index] ?? 0);
      if (layout.hasMin) halves[(base + record.dmin) / 2 + row] = floatToHalf(dmin[row * records + index] ?? 0);
    }
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

interface CodePlaces {
  /** Blocks to write, the first of them within a row, and blocks of a whole row. */
  readonly blocks: number;
  readonly first: number;
  readonly perRow: number;
  /** Words from block to block. */
  readonly record: number;
}

type WriteCodes = (codes: Uint32Array, words: Uint32Array, places: CodePlaces) => void;

/** Four codes are one word. Words of a row: 8 for a block. */
const writeCodes: Readonly<Record<CodedLayout["bits"], WriteCodes>> = {
  4(codes, words, { blocks, first, perRow, record }) {
    for (let row = 0; row < rowGroup; row++) {
      for (let block = 0; block < blocks; block++) {
        const from = (row * perRow + first + block) * 8;
        const to = block * record + row;
        for (let q = 0; q < 4; q++) words[to + q * 8] = codes[from + q]! | (codes[from + 4 + q]! << 4);
      }
    }
  },
  6(codes, words, { blocks, first, perRow, record }) {
    const low = 0x0f0f0f0f;
    const high = 0x03030303;
    for (let row = 0; row < rowGroup; row++) {
      for (let block = 0; block < blocks; block++) {
        const from = (row * perRow + first + block) * 8;
        const to = block * record + row;
        for (let q = 0; q < 4; q++) words[to + q * 8] = (codes[from + q]! & low) | ((codes[from + 4 + q]! & low) << 4);
        for (let v = 0; v < 2; v++) {
          const at = from + 2 * v;
          words[to + 32 + v * 8] =
            ((codes[at]! >>> 4) & high) |
            (((codes[at + 4]! >>> 4) & high) << 2) |
            (((codes[at + 1]! >>> 4) & high) << 4) |
            (((codes[at + 5]! >>> 4) & high) << 6);
        }
      }
    }
  },
  8(codes, words, { blocks, first, perRow, record }) {
    for (let row = 0; row < rowGroup; row++) {
      for (let block = 0; block < blocks; block++) {
        const from = (row * perRow + first + block) * 8;
        const to = block * record + row;
        // Signed codes become codes from 0, with an offset of 128.
        for (let q = 0; q < 8; q++) words[to + q * 8] = codes[from + q]! ^ 0x80808080;
      }
    }
  },
};
