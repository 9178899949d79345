import { malformed } from "./malformed.ts";

/** Thrown when the file goes on but the bytes read so far do not; carries the position they must reach. */
export class NeedBytes extends Error {
  readonly until: number;
  constructor(until: number) {
    super("more bytes of the header are needed");
    this.until = until;
  }
}

const strictText = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenientText = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Reads little-endian values from the start of a file of which only the first bytes may be here. A length is
 * compared with the bytes that remain in the file before anything of that length is made.
 */
export class Cursor {
  readonly name: string;
  readonly fileBytes: number;
  position = 0;
  /** Key or part of the header being read, for messages. */
  field = "header";
  private bytes: Uint8Array;
  private view: DataView;

  constructor(bytes: Uint8Array, fileBytes: number, name: string) {
    this.name = name;
    this.fileBytes = fileBytes;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Replaces the bytes by more of them, from the start of the file. */
  extend(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.fileBytes - this.position;
  }

  fail(problem: string, offset: number = this.position): never {
    throw malformed({ name: this.name, field: this.field, offset }, problem);
  }

  /** Moves on over `count` bytes that are here, and returns where they start. */
  take(count: number): number {
    if (count > this.remaining) this.fail(`needs ${count} bytes, but the file has ${this.remaining} more`);
    const start = this.position;
    if (start + count > this.bytes.length) throw new NeedBytes(start + count);
    this.position = start + count;
    return start;
  }

  uint8(): number {
    return this.view.getUint8(this.take(1));
  }

  uint32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  uint64(): bigint {
    return this.view.getBigUint64(this.take(8), true);
  }

  /** The 64-bit number of things that follow, each of at least so many bytes. */
  count(elementBytes: number, limit: number): number {
    const start = this.position;
    const count = this.uint64();
    if (count * BigInt(elementBytes) > BigInt(this.remaining)) {
      this.fail(`says that ${count} elements follow, but the file has ${this.remaining} more bytes`, start);
    }
    if (count > BigInt(limit)) this.fail(`says that ${count} elements follow; at most ${limit} are allowed`, start);
    return Number(count);
  }

  /** A string whose length is in front of it. Strict: must be UTF-8. */
  text(limit: number, strict: boolean): string {
    const start = this.position;
    const length = this.count(1, limit);
    const from = this.take(length);
    const bytes = this.bytes.subarray(from, from + length);
    if (!strict) return lenientText.decode(bytes);
    try {
      return strictText.decode(bytes);
    } catch {
      return this.fail("is not UTF-8", start);
    }
  }

  /** A copy of bytes from before the position. */
  slice(start: number, end: number): Uint8Array<ArrayBuffer> {
    const copy = new Uint8Array(end - start);
    copy.set(this.bytes.subarray(start, end));
    return copy;
  }

  /** The value of a 32-bit number that was read before. */
  peekUint32(at: number): number {
    return this.view.getUint32(at, true);
  }

  /** Bytes that are here, counted from the start of the file. */
  get available(): number {
    return this.bytes.length;
  }
}
