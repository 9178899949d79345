/** Boxes of MP4 files: ISO/IEC 14496-12. Throws `bad_request` that says what is wrong. */
import type { ByteSource } from "../../protobuf/source.ts";
import { badSound } from "../fault.ts";

export interface Box {
  readonly type: string;
  /** Of what is in it, in the file. */
  readonly start: number;
  readonly end: number;
}

/** Tables of an hour take 1 MB; these limits are for hostile files. */
const mostTableBytes = 64 * 1024 ** 2;
const mostBoxes = 10_000;

export interface Table {
  readonly count: number;
  readonly view: DataView;
}

interface TableKind {
  readonly type: string;
  /** Bytes of an entry. */
  readonly width: number;
}

/** A list of entries of one width. */
export function table(source: ByteSource, parent: Box, { type, width }: TableKind): Table {
  const box = find(source, parent, type);
  if (!box || box.end - box.start < 8) throw damaged(`its sound has no box \`${type}\``);
  const count = view(source, box.start + 4, 4).getUint32(0);
  if (box.start + 8 + count * width > box.end) throw damaged(`its box \`${type}\` is too short`);
  return { count, view: view(source, box.start + 8, count * width) };
}

export function find(source: ByteSource, parent: Box, type: string): Box | undefined {
  for (const box of boxes(source, parent)) if (box.type === type) return box;
  return undefined;
}

export function* boxes(source: ByteSource, { start, end }: Box): Generator<Box> {
  let at = start;
  for (let count = 0; at + 8 <= end; count++) {
    if (count >= mostBoxes) throw damaged(`it has more than ${mostBoxes} boxes side by side`);
    const head = view(source, at, Math.min(16, end - at));
    const type = text(head, 4);
    let size = head.getUint32(0);
    let inner = at + 8;
    if (size === 1 && head.byteLength === 16) [size, inner] = [Number(head.getBigUint64(8)), at + 16];
    if (size === 0) size = end - at;
    if (size < inner - at || at + size > end) throw damaged(`its box ${JSON.stringify(type)} has ${size} bytes`);
    yield { type, start: inner, end: at + size };
    at += size;
  }
}

export function view(source: ByteSource, offset: number, count: number): DataView {
  if (count > mostTableBytes) throw damaged(`it has a table of ${count} bytes; ${mostTableBytes} can be`);
  if (offset + count > source.sizeBytes) throw damaged("it ends early");
  const bytes = new Uint8Array(count);
  source.read(offset, bytes);
  return new DataView(bytes.buffer);
}

export function text(from: DataView, offset: number): string {
  return String.fromCharCode(...new Uint8Array(from.buffer, from.byteOffset + offset, 4));
}

export function damaged(what: string): Error {
  return badSound(`The MP4 file is damaged: ${what}.`);
}
