const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A text in UTF-8 in a buffer that is used again: valid until the next call. */
export class Scratch {
  bytes: Uint8Array = new Uint8Array(1024);

  /** Writes the text and returns how many bytes it takes. */
  write(text: string): number {
    const most = text.length * 3;
    if (this.bytes.length < most) this.bytes = new Uint8Array(most * 2);
    return encoder.encodeInto(text, this.bytes).written;
  }

  /** Large buffers are not kept for the next text. */
  release(): void {
    if (this.bytes.length > 1_000_000) this.bytes = new Uint8Array(1024);
  }
}

export function toUtf8(text: string): Uint8Array {
  return encoder.encode(text);
}

export function fromUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** Bytes of a character, told by the first of them. */
export function characterBytes(first: number): number {
  if (first < 0xc0) return 1;
  return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/** The byte of `<0xNN>`, or undefined. */
export function byteOfName(name: string): number | undefined {
  const found = /^<0x([0-9A-F]{2})>$/.exec(name);
  return found ? Number.parseInt(found[1] ?? "", 16) : undefined;
}

export function nameOfByte(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
}
