/** Writes protocol buffers. Long values are not held: they are pieces that write themselves when their turn has come. */
import { wires } from "./cursor.ts";

/** Bytes that are made while they are written. */
export interface LazyBytes {
  readonly length: number;
  /** Hands over exactly `length` bytes, in pieces that are not kept. */
  readonly write: (sink: (bytes: Uint8Array) => Promise<void>) => Promise<void>;
}

export type Piece = Uint8Array | LazyBytes;

const encoder = new TextEncoder();
const pageBytes = 512;

/** A message that is built field by field. */
export class Message {
  /** Bytes so far. */
  length = 0;
  private readonly done: Piece[] = [];
  private page = new Uint8Array(pageBytes);
  private used = 0;

  integer(field: number, value: number | bigint): this {
    this.tag(field, wires.varint);
    this.varint(value);
    return this;
  }

  float32(field: number, value: number): this {
    this.tag(field, wires.fixed32);
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    return this.append(bytes);
  }

  bytes(field: number, value: Piece): this {
    this.tag(field, wires.bytes);
    this.varint(value.length);
    return this.append(value);
  }

  text(field: number, value: string): this {
    return this.bytes(field, encoder.encode(value));
  }

  message(field: number, value: Message): this {
    this.tag(field, wires.bytes);
    this.varint(value.length);
    for (const piece of value.pieces()) this.append(piece);
    return this;
  }

  /** In the order of the bytes. */
  pieces(): readonly Piece[] {
    this.flush();
    return this.done;
  }

  private tag(field: number, wire: number): void {
    this.varint(field * 8 + wire);
  }

  /** Negative numbers are written as the unsigned number of 64 bits with the same bits. */
  private varint(value: number | bigint): void {
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest > 127n; rest >>= 7n) this.byte(Number(rest & 127n) | 128);
    this.byte(Number(rest));
  }

  private byte(value: number): void {
    if (this.used === this.page.length) this.flush();
    this.page[this.used++] = value;
    this.length += 1;
  }

  private append(piece: Piece): this {
    this.length += piece.length;
    if (piece instanceof Uint8Array && piece.length <= pageBytes) {
      if (this.used + piece.length > this.page.length) this.flush();
      this.page.set(piece, this.used);
      this.used += piece.length;
      return this;
    }
    this.flush();
    this.done.push(piece);
    return this;
  }

  private flush(): void {
    if (this.used === 0) return;
    this.done.push(this.page.subarray(0, this.used));
    this.page = new Uint8Array(pageBytes);
    this.used = 0;
  }
}
