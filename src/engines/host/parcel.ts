/**
 * Large arrays between a process and its child, beside their messages: the writer puts them into a file that both have
 * open, the reader copies them out. Node's own channel takes several times as long for them: it puts a message together
 * in one buffer, and that goes through a socket in pieces.
 */
import { ftruncateSync, readSync, writeSync } from "node:fs";
import { putLeaf, takeLeaves } from "./leaves.ts";
import type { Path, TypedArray } from "./leaves.ts";
import { createRegions } from "./regions.ts";

/** An array that was taken out of a message, and where it lies in the file. */
export interface Parcel {
  readonly path: Path;
  /** `Buffer`, or the name of the constructor. */
  readonly kind: string;
  readonly at: number;
  readonly bytes: number;
}

/** A message, and what was taken out of it. */
export type Packed<Message> = Message & { readonly parcels?: readonly Parcel[] };

export interface ParcelWriter {
  /** What does not fit into the file stays in the message. */
  pack<Message extends object>(message: Message): Packed<Message>;
  /** The reader has taken what lay at these places. */
  free(places: readonly number[]): void;
  /** Gives back the memory of a file that was not used since the last call. */
  trim(): void;
}

export interface ParcelReader {
  /** The message as it was packed. Throws for parcels that are not in the file. */
  unpack<Message extends object>(packed: Packed<Message>): Message;
  /** Nobody wants what was taken out of this message. */
  drop(packed: Packed<object>): void;
  /** Places that can be used again; each is told once. */
  taken(): readonly number[];
  /** So much has been taken that the writer should know it now, and not with the next message. */
  readonly urgent: boolean;
}

/** Below this the channel is as quick. */
export const leastBytes: number = 64 * 1024;
/** More is given back as soon as nothing is under way. */
const keptBytes = 32 * 1024 ** 2;
const urgentBytes = 8 * 1024 ** 2;

const kinds: Readonly<Record<string, new (buffer: ArrayBuffer) => TypedArray>> = {
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
};

function kindOf(array: TypedArray): string | undefined {
  if (Buffer.isBuffer(array)) return "Buffer";
  const { name } = array.constructor;
  return Object.hasOwn(kinds, name) ? name : undefined;
}

export function createParcelWriter(file: number): ParcelWriter {
  const regions = createRegions();
  let fileBytes = 0;
  let mostBytes = Infinity;
  let used = false;
  const shrink = (): void => {
    try {
      ftruncateSync(file, 0);
      fileBytes = 0;
    } catch {
      // What cannot be given back is not used any more.
      mostBytes = 0;
    }
  };
  const store = (array: TypedArray): number | undefined => {
    const at = regions.allocate(array.byteLength);
    const end = at + array.byteLength;
    let full = false;
    try {
      if (end <= mostBytes) {
        fileBytes = Math.max(fileBytes, end);
        writeAll(file, array, at);
        return at;
      }
    } catch {
      // The disk is full. From now on we take half of that, and leave room for others.
      mostBytes = Math.floor(end / 2);
      full = true;
    }
    regions.free(at);
    if (full && regions.count === 0) shrink();
    return undefined;
  };
  return {
    pack(message) {
      const parcels: Parcel[] = [];
      const rest = takeLeaves(message, (array, path) => {
        const kind = array.byteLength < leastBytes ? undefined : kindOf(array);
        const at = kind === undefined ? undefined : store(array);
        if (kind === undefined || at === undefined) return false;
        return parcels.push({ path, kind, at, bytes: array.byteLength }) > 0;
      });
      used ||= parcels.length > 0;
      return parcels.length === 0 ? message : { ...(rest as typeof message), parcels };
    },
    free(places) {
      for (const at of places) regions.free(at);
      if (regions.count === 0 && fileBytes > keptBytes) shrink();
    },
    trim() {
      if (!used && regions.count === 0 && fileBytes > 0) shrink();
      used = false;
    },
  };
}

export function createParcelReader(file: number): ParcelReader {
  let places: number[] = [];
  let bytes = 0;
  const drop = ({ parcels = [] }: Packed<object>): void => {
    for (const parcel of parcels) {
      places.push(parcel.at);
      bytes += parcel.bytes;
    }
  };
  return {
    drop,
    unpack(packed) {
      try {
        for (const parcel of packed.parcels ?? []) putLeaf(packed, parcel.path, readArray(file, parcel));
        return packed;
      } finally {
        drop(packed);
      }
    },
    taken() {
      const told = places;
      places = [];
      bytes = 0;
      return told;
    },
    get urgent() {
      return bytes >= urgentBytes;
    },
  };
}

function writeAll(file: number, array: TypedArray, at: number): void {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done, bytes.length - done, at + done);
}

/** A fresh array. The child may be broken: what it says of itself is checked. */
function readArray(file: number, { kind, at, bytes }: Parcel): TypedArray {
  // Not cleared first: every byte is read, or this throws.
  const buffer = Buffer.allocUnsafeSlow(bytes);
  for (let done = 0; done < bytes;) {
    const count = readSync(file, buffer, done, bytes - done, at + done);
    if (count === 0) throw new Error(`the file ends after ${done} of ${bytes} bytes`);
    done += count;
  }
  if (kind === "Buffer") return buffer;
  const create = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  if (!create) throw new Error(`${kind} is no kind of array`);
  return new create(buffer.buffer);
}
