/** Files in a ZIP archive at the end of a model. Format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT */
import { inflateRawSync } from "node:zlib";
import type { ByteSource } from "../protobuf/source.ts";
import { limits } from "./limits.ts";

const endSignature = 0x0605_4b50;
const entrySignature = 0x0201_4b50;
const localSignature = 0x0403_4b50;
const endBytes = 22;
const mostCommentBytes = 65_535;
const mostDirectoryBytes = 1024 ** 2;

/** The bytes of a file by its name; undefined where it is not there, or damaged: names of classes are no condition. */
export function readAppended(source: ByteSource, name: string): Uint8Array | undefined {
  const directory = readDirectory(source);
  if (!directory) return undefined;
  const { view, base } = directory;
  for (let at = 0; at + 46 <= view.byteLength && view.getUint32(at, true) === entrySignature;) {
    const nameBytes = view.getUint16(at + 28, true);
    if (at + 46 + nameBytes > view.byteLength) return undefined;
    const found = new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + at + 46, nameBytes));
    if (found === name) {
      return unpack(source, {
        method: view.getUint16(at + 10, true),
        packedBytes: view.getUint32(at + 20, true),
        sizeBytes: view.getUint32(at + 24, true),
        offset: base + view.getUint32(at + 42, true),
      });
    }
    at += 46 + nameBytes + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return undefined;
}

/** The list of files. Places in it count from the start of the archive or of the file: some writers correct them. */
function readDirectory(source: ByteSource): { view: DataView; base: number } | undefined {
  const tailBytes = Math.min(source.sizeBytes, endBytes + mostCommentBytes);
  const tailStart = source.sizeBytes - tailBytes;
  const tail = read(source, tailStart, tailBytes);
  if (!tail) return undefined;
  for (let at = tailBytes - endBytes; at >= 0; at--) {
    if (tail.getUint32(at, true) !== endSignature) continue;
    const [length, offset] = [tail.getUint32(at + 12, true), tail.getUint32(at + 16, true)];
    const start = tailStart + at - length;
    const view = length > mostDirectoryBytes ? undefined : read(source, start, length);
    return view && { view, base: start - offset };
  }
  return undefined;
}

interface Entry {
  readonly method: number;
  readonly packedBytes: number;
  readonly sizeBytes: number;
  readonly offset: number;
}

function unpack(source: ByteSource, { method, packedBytes, sizeBytes, offset }: Entry): Uint8Array | undefined {
  const local = read(source, offset, 30);
  if (!local || local.getUint32(0, true) !== localSignature) return undefined;
  if (sizeBytes > limits.fileBytes || packedBytes > limits.fileBytes) return undefined;
  const start = offset + 30 + local.getUint16(26, true) + local.getUint16(28, true);
  const packed = read(source, start, packedBytes);
  if (!packed) return undefined;
  const bytes = new Uint8Array(packed.buffer);
  if (method === 0) return bytes;
  if (method !== 8) return undefined;
  try {
    return inflateRawSync(bytes, { maxOutputLength: Math.max(1, sizeBytes) });
  } catch {
    return undefined;
  }
}

function read(source: ByteSource, offset: number, length: number): DataView<ArrayBuffer> | undefined {
  if (offset < 0 || length < 0 || offset + length > source.sizeBytes) return undefined;
  const bytes = new Uint8Array(length);
  source.read(offset, bytes);
  return new DataView(bytes.buffer);
}
