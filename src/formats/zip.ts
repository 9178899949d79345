/** Files in a ZIP archive, also at the end of another file. Format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT */
import { inflateRawSync } from "node:zlib";
import type { ByteSource } from "./protobuf/source.ts";

const endSignature = 0x0605_4b50;
const entrySignature = 0x0201_4b50;
const localSignature = 0x0403_4b50;
const endBytes = 22;
const mostCommentBytes = 65_535;
/** That many stand for "see elsewhere", in archives of more than 4 GiB. */
const mostEntries = 65_535;
const mostDirectoryBytes = 16 * 1024 ** 2;

export interface ZipEntry {
  readonly name: string;
  readonly method: number;
  readonly packedBytes: number;
  readonly sizeBytes: number;
  /** Of its header, from the start of the file. */
  readonly offset: number;
}

/** What is wrong with an archive, as a clause that its name comes before. */
export class ZipFault extends Error {
  override name = "ZipFault";
}

/** The list of files. Throws `ZipFault`. */
export function readZipDirectory(source: ByteSource): readonly ZipEntry[] {
  const { view, base, count } = findDirectory(source);
  const entries: ZipEntry[] = [];
  for (let at = 0; entries.length < count;) {
    if (at + 46 > view.byteLength || view.getUint32(at, true) !== entrySignature) throw damaged();
    const nameBytes = view.getUint16(at + 28, true);
    const next = at + 46 + nameBytes + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (next > view.byteLength) throw damaged();
    entries.push({
      name: new TextDecoder().decode(new Uint8Array(view.buffer, at + 46, nameBytes)),
      method: view.getUint16(at + 10, true),
      packedBytes: view.getUint32(at + 20, true),
      sizeBytes: view.getUint32(at + 24, true),
      offset: base + view.getUint32(at + 42, true),
    });
    at = next;
  }
  return entries;
}

interface Directory {
  readonly view: DataView<ArrayBuffer>;
  /** Where the archive begins in the file: places count from there, or from the start of the file, as writers like it. */
  readonly base: number;
  readonly count: number;
}

/** The end of the directory is the last thing but a comment. */
function findDirectory(source: ByteSource): Directory {
  const tailBytes = Math.min(source.sizeBytes, endBytes + mostCommentBytes);
  const tailStart = source.sizeBytes - tailBytes;
  const tail = read(source, tailStart, tailBytes);
  for (let at = tailBytes - endBytes; at >= 0; at--) {
    if (tail.getUint32(at, true) !== endSignature) continue;
    const count = tail.getUint16(at + 10, true);
    const [length, offset] = [tail.getUint32(at + 12, true), tail.getUint32(at + 16, true)];
    if (count === mostEntries || offset === 0xffff_ffff) throw new ZipFault("is an archive of more than 4 GiB");
    if (length > mostDirectoryBytes) throw damaged();
    const start = tailStart + at - length;
    return { view: read(source, start, length), base: start - offset, count };
  }
  throw new ZipFault("is no archive");
}

/** The bytes of one file. Throws `ZipFault`, also for more than `mostBytes`. */
export function readZipEntry(source: ByteSource, entry: ZipEntry, mostBytes: number): Uint8Array {
  const { method, packedBytes, sizeBytes, offset } = entry;
  const local = read(source, offset, 30);
  if (local.getUint32(0, true) !== localSignature || sizeBytes > mostBytes || packedBytes > mostBytes) throw damaged();
  const start = offset + 30 + local.getUint16(26, true) + local.getUint16(28, true);
  const packed = new Uint8Array(read(source, start, packedBytes).buffer);
  if (method === 0) return packed;
  if (method !== 8) throw new ZipFault(`is packed in the way ${method}, which is not known`);
  try {
    return inflateRawSync(packed, { maxOutputLength: Math.max(1, sizeBytes) });
  } catch (error) {
    throw new ZipFault(`cannot be unpacked: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function damaged(): ZipFault {
  return new ZipFault("is a damaged archive");
}

function read(source: ByteSource, offset: number, length: number): DataView<ArrayBuffer> {
  if (offset < 0 || length < 0 || offset + length > source.sizeBytes) throw damaged();
  const bytes = new Uint8Array(length);
  source.read(offset, bytes);
  return new DataView(bytes.buffer);
}
