/** Reads rows of a packed matrix back as float32, e.g. of the token embedding. */
import { halves } from "../../../util/half.ts";
import { grid2Value } from "./recode.ts";
import type { CodedLayout, FloatLayout, Layout, SuperLayout } from "./layout.ts";
import { blockWidth, recordBytes, rowGroup, rowGroupBytes, superRecord, superWidth } from "./layout.ts";

export interface PackedView {
  readonly bytes: Uint8Array;
  readonly shorts: Uint16Array;
  readonly floats: Float32Array;
}

export interface RowPlace {
  readonly layout: Layout;
  /** Address of the matrix, a multiple of 16. */
  readonly address: number;
  readonly k: number;
  readonly row: number;
}

/** Writes row `row` of the matrix to `target`. */
export function readRow(view: PackedView, place: RowPlace, target: Float32Array): void {
  const { layout, address, k, row } = place;
  const start = address + Math.floor(row / rowGroup) * rowGroupBytes(layout, k);
  const lane = row % rowGroup;
  switch (layout.kind) {
    case "float":
      return readFloats(view, { layout, start, lane, k }, target);
    case "super":
      return readSuper(view, { layout, start, lane, k }, target);
    case "coded":
      return readCodes(view, { layout, start, lane, k }, target);
  }
}

interface Lane<L> {
  readonly layout: L;
  readonly start: number;
  readonly lane: number;
  readonly k: number;
}

const words = new Uint32Array(1);
const asFloat = new Float32Array(words.buffer);

function readFloats(
  { shorts, floats }: PackedView,
  { layout, start, lane, k }: Lane<FloatLayout>,
  target: Float32Array,
): void {
  for (let index = 0; index < k; index++) {
    const at = index * rowGroup + lane;
    if (layout.type === "f32") target[index] = floats[start / 4 + at] ?? 0;
    else if (layout.type === "f16") target[index] = halves[shorts[start / 2 + at] ?? 0] ?? 0;
    else {
      words[0] = (shorts[start / 2 + at] ?? 0) << 16;
      target[index] = asFloat[0] ?? 0;
    }
  }
}

function readCodes(view: PackedView, { layout, start, lane, k }: Lane<CodedLayout>, target: Float32Array): void {
  const { bytes, shorts } = view;
  const record = recordBytes(layout);
  const codeBytes = (layout.bits * blockWidth * rowGroup) / 8;
  const groups = blockWidth / layout.group;
  for (let block = 0; block < k / blockWidth; block++) {
    const base = start + block * record;
    for (let i = 0; i < blockWidth; i++) {
      const group = groups === 1 ? 0 : i >> 4;
      const at = (base + codeBytes) / 2 + group * rowGroup + lane;
      const scale = (halves[shorts[at] ?? 0] ?? 0) / (layout.planes ? 8 : 1);
      const min = layout.hasMin ? (halves[shorts[at + groups * rowGroup] ?? 0] ?? 0) : 0;
      const code = codeOf(bytes, { base, lane, i }, layout);
      target[block * blockWidth + i] =
        scale * ((layout.planes ? grid2Value(code) : (layout.table?.[code] ?? code)) - layout.offset) - min;
    }
  }
}

function readSuper(view: PackedView, { layout, start, lane, k }: Lane<SuperLayout>, target: Float32Array): void {
  const { bytes, shorts } = view;
  const record = superRecord(layout);
  for (let index = 0; index < k; index++) {
    const base = start + Math.floor(index / superWidth) * record.bytes;
    const inside = index % superWidth;
    const group = Math.floor(inside / layout.group);
    const small = base + (group >> 1) * 16 + lane * 2 + (group & 1);
    const d = halves[shorts[(base + record.d) / 2 + lane] ?? 0] ?? 0;
    const scale = ((bytes[small + record.scales] ?? 0) << 24) >> 24;
    const block = base + record.codes + (inside >> 5) * record.blockBytes;
    const code = codeOf(bytes, { base: block, lane, i: inside & 31 }, layout);
    let value = d * scale * (code - layout.offset);
    if (layout.hasMin) {
      value -= (halves[shorts[(base + record.dmin) / 2 + lane] ?? 0] ?? 0) * (bytes[small + record.mins] ?? 0);
    }
    target[index] = value;
  }
}

interface CodePlace {
  readonly base: number;
  readonly lane: number;
  readonly i: number;
}

function codeOf(bytes: Uint8Array, { base, lane, i }: CodePlace, { bits }: CodedLayout | SuperLayout): number {
  if (bits === 8) return bytes[base + (i >> 2) * 32 + lane * 4 + (i & 3)] ?? 0;
  const high = i >> 4;
  const q = (i & 15) >> 2;
  const nibble = ((bytes[base + q * 32 + lane * 4 + (i & 3)] ?? 0) >> (high * 4)) & 15;
  if (bits === 4) return nibble;
  const upper = bytes[base + 128 + (q >> 1) * 32 + lane * 4 + (i & 3)] ?? 0;
  return nibble | (((upper >> ((q & 1) * 4 + high * 2)) & 3) << 4);
}
