/** `.npz`: a ZIP archive of NumPy's arrays. Format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT */
import { inflateRawSync } from "node:zlib";
import type { Tensor } from "../tensor.ts";
import { fault, parseNpy } from "./parse.ts";

const endSignature = 0x0605_4b50;
const entrySignature = 0x0201_4b50;
const localSignature = 0x0403_4b50;
const mostEntries = 65_535;
const mostArrayBytes = 2 ** 31;

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly packedBytes: number;
  readonly sizeBytes: number;
  readonly offset: number;
}

/** Arrays by their names. Throws `bad_request`. */
export function parseNpz(bytes: Uint8Array, name: string): ReadonlyMap<string, Tensor> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const arrays = new Map<string, Tensor>();
  for (const entry of readDirectory(view, name)) {
    const key = entry.name.replace(/\.npy$/, "");
    arrays.set(key, parseNpy(unpack(view, entry, name), `${name}: ${key}`));
  }
  return arrays;
}

function readDirectory(view: DataView, name: string): Entry[] {
  const end = findEnd(view, name);
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  // The names of large archives' fields are elsewhere.
  if (count === mostEntries || at === 0xffff_ffff) throw fault(name, "is an archive of more than 4 GiB");
  const entries: Entry[] = [];
  for (let index = 0; index < count; index++) {
    if (at + 46 > end || view.getUint32(at, true) !== entrySignature) throw fault(name, "is a damaged archive");
    const nameBytes = view.getUint16(at + 28, true);
    const next = at + 46 + nameBytes + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (next > end) throw fault(name, "is a damaged archive");
    entries.push({
      name: new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + at + 46, nameBytes)),
      method: view.getUint16(at + 10, true),
      packedBytes: view.getUint32(at + 20, true),
      sizeBytes: view.getUint32(at + 24, true),
      offset: view.getUint32(at + 42, true),
    });
    at = next;
  }
  return entries;
}

/** The end of the directory is the last thing but a comment. */
function findEnd(view: DataView, name: string): number {
  const first = Math.max(0, view.byteLength - 22 - 65_535);
  for (let at = view.byteLength - 22; at >= first; at--) if (view.getUint32(at, true) === endSignature) return at;
  throw fault(name, "is no archive of arrays");
}

function unpack(view: DataView, entry: Entry, name: string): Uint8Array {
  const { offset, packedBytes, sizeBytes, method } = entry;
  if (offset + 30 > view.byteLength || view.getUint32(offset, true) !== localSignature) {
    throw fault(name, "is a damaged archive");
  }
  const start = offset + 30 + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true);
  if (start + packedBytes > view.byteLength || sizeBytes > mostArrayBytes) throw fault(name, "is a damaged archive");
  const packed = new Uint8Array(view.buffer, view.byteOffset + start, packedBytes);
  if (method === 0) return packed;
  if (method !== 8) throw fault(name, `is packed in the way ${method}, which is not known`);
  try {
    return inflateRawSync(packed, { maxOutputLength: Math.max(1, sizeBytes) });
  } catch (error) {
    throw fault(name, `cannot be unpacked: ${error instanceof Error ? error.message : String(error)}`);
  }
}
