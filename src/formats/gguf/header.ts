/** Reads a header from anything that has bytes: a file, or in a browser a `Blob`. */
import { Cursor } from "./cursor.ts";
import { limits } from "./limits.ts";
import { malformed } from "./malformed.ts";
import { parseHeader } from "./parse.ts";
import type { GgufParseOptions } from "./parse.ts";
import type { GgufFile } from "./types.ts";

export interface GgufReadOptions extends GgufParseOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface HeaderSource {
  /** What messages call it. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Writes bytes of the file from `offset` on to the start of `target`, as many as it likes; 0: the file ends there. */
  read(offset: number, target: Uint8Array<ArrayBuffer>): Promise<number>;
}

const firstBytes = 64 * 1024;

/**
 * Reads and checks a header in pieces that grow fourfold, and never the tensor data. Throws `model_malformed` with details
 * {field, offset}, and `model_unsupported` for version 1 and big-endian files.
 */
export async function readHeader(source: HeaderSource, options: GgufReadOptions = {}): Promise<GgufFile> {
  const { name, sizeBytes } = source;
  let bytes = new Uint8Array(0);
  const cursor = new Cursor(bytes, sizeBytes, name);
  const parser = parseHeader(cursor, options);
  for (let step = parser.next(); ; step = parser.next()) {
    if (step.done) return step.value;
    options.signal?.throwIfAborted();
    if (step.value > limits.headerBytes) cursor.fail(`makes the header longer than ${limits.headerBytes} bytes`);
    const wanted = Math.max(step.value, firstBytes, Math.min(bytes.length * 4, limits.headerBytes));
    bytes = await readUpTo(source, bytes, Math.min(wanted, sizeBytes));
    cursor.extend(bytes);
  }
}

/** Reads the header of a file that a person chose in a browser. */
export function readGgufBlob(blob: Blob, options: GgufReadOptions & { readonly name: string }): Promise<GgufFile> {
  const read = async (offset: number, target: Uint8Array<ArrayBuffer>): Promise<number> => {
    const piece = new Uint8Array(await blob.slice(offset, offset + target.length).arrayBuffer());
    target.set(piece);
    return piece.length;
  };
  return readHeader({ name: options.name, sizeBytes: blob.size, read }, options);
}

/** The first `size` bytes of the file, of which some are known. */
async function readUpTo(
  source: HeaderSource,
  known: Uint8Array<ArrayBuffer>,
  size: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(size);
  bytes.set(known);
  for (let offset = known.length; offset < size;) {
    const count = await source.read(offset, bytes.subarray(offset));
    if (count === 0) throw malformed({ name: source.name, field: "header", offset }, "ends while it is being read");
    offset += count;
  }
  return bytes;
}
