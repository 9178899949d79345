// Writes tar archives for tests, well-formed or not.

export interface TarItem {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Type flag; default a regular file. */
  readonly type?: string;
  readonly link?: string;
}

export function tarBytes(items: readonly TarItem[]): Buffer {
  const blocks = items.flatMap(({ name, bytes, type, link }) => [
    tarHeader({ name, size: bytes.length, ...(type !== undefined && { type }), ...(link !== undefined && { link }) }),
    bytes,
    Buffer.alloc((512 - (bytes.length % 512)) % 512),
  ]);
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

export interface TarHeader {
  readonly name: string;
  readonly size: number;
  /** Written instead of the octal size, as Latin-1. */
  readonly sizeText?: string;
  readonly type?: string;
  readonly link?: string;
}

/** One ustar header block with a correct checksum. */
export function tarHeader({ name, size, sizeText, type = "0", link = "" }: TarHeader): Buffer {
  const header = Buffer.alloc(512);
  header.write(name.slice(0, 100), 0);
  header.write("0000644\0", 100);
  header.write(sizeText ?? `${size.toString(8).padStart(11, "0")}\0`, 124, "latin1");
  header.write("00000000000\0", 136);
  header.write("        ", 148);
  header.write(type, 156);
  header.write(link, 157);
  header.write("ustar\u000000", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return header;
}
