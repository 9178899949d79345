/** Reads protocol buffers field by field: https://protobuf.dev/programming-guides/encoding/ */
import type { ByteSource } from "./source.ts";

/** Kinds of values on the wire; groups, which are of the past, are refused. */
export const wires = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

export interface CursorOptions {
  readonly source: ByteSource;
  /** Makes the error for what stands at a byte of the source. */
  readonly fail: (problem: string, offset: number) => Error;
  /** Values that one message may give rise to in all, so that a small file cannot fill the memory. */
  readonly mostValues?: number;
  /** The same for the bytes of texts. */
  readonly mostTextBytes?: number;
}

const windowBytes = 64 * 1024;
const strictText = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Stands at one field at a time: `next` reads its number and where its value is, and leaves the value alone. Long values are
 * skipped unless they are asked for.
 */
export class WireCursor {
  /** Number of the field. */
  field = 0;
  wire: number = wires.varint;
  /** Bytes of the value. */
  start = 0;
  end = 0;
  private integer: number | bigint = 0;
  private position = 0;
  private windowStart = 0;
  private windowEnd = 0;
  private readonly window: Uint8Array;
  private readonly view: DataView;
  private readonly source: ByteSource;
  private readonly failure: CursorOptions["fail"];
  private values: number;
  private textBytes: number;

  constructor({ source, fail, mostValues = Infinity, mostTextBytes = Infinity }: CursorOptions) {
    this.source = source;
    this.failure = fail;
    this.values = mostValues;
    this.textBytes = mostTextBytes;
    this.window = new Uint8Array(Math.min(windowBytes, source.sizeBytes));
    this.view = new DataView(this.window.buffer);
  }

  fail(problem: string, offset: number = this.start): never {
    throw this.failure(problem, offset);
  }

  /** Goes to the next field of the message that ends at `end`; false: there is none. */
  next(end: number): boolean {
    if (this.position >= end) return false;
    this.spend(1);
    const tagAt = this.position;
    const tag = this.varint(end);
    if (typeof tag !== "number" || tag >= 2 ** 32) this.fail("has a field whose number is too large", tagAt);
    this.field = Math.floor(tag / 8);
    this.wire = tag % 8;
    if (this.field === 0) this.fail("has a field with the number 0", tagAt);
    this.start = this.position;
    switch (this.wire) {
      case wires.varint:
        this.integer = this.varint(end);
        break;
      case wires.fixed64:
        this.skip(8, end);
        break;
      case wires.fixed32:
        this.skip(4, end);
        break;
      case wires.bytes: {
        const length = this.varint(end);
        if (typeof length !== "number") this.fail(`says that ${length} bytes follow`, tagAt);
        this.start = this.position;
        this.skip(length, end);
        break;
      }
      default:
        this.fail(`has a field of the unknown kind ${this.wire}`, tagAt);
    }
    this.end = this.position;
    return true;
  }

  /** Goes into the message that is the value; gives its end. */
  enter(): number {
    this.want(wires.bytes, "a message");
    this.position = this.start;
    return this.end;
  }

  /** An integer of 64 bits. */
  int64(): bigint {
    this.want(wires.varint, "an integer");
    return BigInt.asIntN(64, BigInt(this.integer));
  }

  /** An integer that a double holds exactly. */
  safeInteger(): number {
    this.want(wires.varint, "an integer");
    if (typeof this.integer === "number") return this.integer;
    const value = Number(BigInt.asIntN(64, this.integer));
    if (!Number.isSafeInteger(value)) this.fail(`is ${value}, which is too large`);
    return value;
  }

  float32(): number {
    this.want(wires.fixed32, "a float");
    return this.view.getFloat32(this.load(this.start, 4), true);
  }

  /** A copy of the value. */
  bytes(most: number): Uint8Array<ArrayBuffer> {
    this.want(wires.bytes, "bytes");
    const length = this.end - this.start;
    if (length > most) this.fail(`has ${length} bytes; at most ${most} are allowed`);
    this.textBytes -= length;
    if (this.textBytes < 0) this.fail("makes the texts of the file too long altogether");
    const copy = new Uint8Array(length);
    if (length <= this.window.length) {
      const at = this.load(this.start, length);
      copy.set(this.window.subarray(at, at + length));
    } else this.source.read(this.start, copy);
    return copy;
  }

  text(most: number): string {
    const bytes = this.bytes(most);
    try {
      return strictText.decode(bytes);
    } catch {
      return this.fail("is not UTF-8");
    }
  }

  /** Adds a repeated integer to a list: one, or a packed row of them. */
  integers(list: bigint[]): void {
    if (this.wire === wires.varint) {
      list.push(this.int64());
      return;
    }
    const end = this.enter();
    while (this.position < end) {
      this.spend(1);
      list.push(BigInt.asIntN(64, BigInt(this.varint(end))));
    }
  }

  /** The same for floats. */
  floats(list: number[]): void {
    if (this.wire === wires.fixed32) {
      list.push(this.float32());
      return;
    }
    this.want(wires.bytes, "floats");
    const length = this.end - this.start;
    if (length % 4 !== 0) this.fail(`has ${length} bytes, which are no floats`);
    this.spend(length / 4);
    for (let at = this.start; at < this.end; at += 4) list.push(this.view.getFloat32(this.load(at, 4), true));
  }

  private want(wire: number, what: string): void {
    if (this.wire !== wire) this.fail(`is not ${what}, but a value of the kind ${this.wire}`);
  }

  private spend(count: number): void {
    this.values -= count;
    if (this.values < 0) this.fail("has more values than are allowed", this.position);
  }

  private skip(count: number, end: number): void {
    if (count > end - this.position) {
      this.fail(`needs ${count} bytes, but ${end - this.position} follow`, this.position);
    }
    this.position += count;
  }

  /** A number below 2^49, else an exact one of at most 64 bits. */
  private varint(end: number): number | bigint {
    const start = this.position;
    let value = 0;
    for (let shift = 0; shift < 49; shift += 7) {
      const byte = this.byte(end);
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
    let large = BigInt(value);
    for (let shift = 49n; shift < 70n; shift += 7n) {
      const byte = this.byte(end);
      large |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asUintN(64, large);
    }
    return this.fail("has a number of more than ten bytes", start);
  }

  private byte(end: number): number {
    if (this.position >= end) this.fail("ends inside a number", this.position);
    const at = this.load(this.position, 1);
    this.position += 1;
    return this.window[at] ?? 0;
  }

  /** Makes sure that bytes of the source are in the window; gives where. */
  private load(offset: number, count: number): number {
    if (offset < this.windowStart || offset + count > this.windowEnd) {
      const length = Math.min(this.window.length, this.source.sizeBytes - offset);
      this.source.read(offset, this.window.subarray(0, length));
      this.windowStart = offset;
      this.windowEnd = offset + length;
    }
    return offset - this.windowStart;
  }
}
