/**
 * The file of a block, numbers little-endian: "flint-kv" · format version, u32 · engine version, u32 · key, 32 bytes ·
 * number of parts, u32 · CRC-32 of the payload, u32 · bytes of each part, u32 · the payload: the parts, one after the other.
 */
import { crc32 } from "node:zlib";
import { engineVersion, formatVersion } from "./version.ts";

const magic = "flint-kv";
const keyBytes = 32;
const fixedBytes = magic.length + 8 + keyBytes + 8;

type Parts = readonly Uint8Array[];

export function fileBytes(parts: Parts): number {
  return parts.reduce((sum, { length }) => sum + length, headerBytes(parts));
}

/** Fills `file` with a block. */
export function encodeBlock(file: Buffer, key: string, parts: Parts): void {
  let at = headerBytes(parts);
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  file.set(encodeHeader(file, key, parts));
}

/**
 * Fills the parts, unless a byte is not what was written under this key for parts of these lengths. The checksum is there
 * for torn writes and for disks that forget, not for somebody who changes files on purpose: who can write into the folder
 * has the rights of the person whose cache it is.
 */
export function decodeBlock(file: Buffer, key: string, parts: Parts): boolean {
  const header = encodeHeader(file, key, parts);
  if (!header.equals(file.subarray(0, header.length))) return false;
  let at = header.length;
  for (const part of parts) {
    part.set(file.subarray(at, at + part.length));
    at += part.length;
  }
  return true;
}

function headerBytes(parts: Parts): number {
  return fixedBytes + parts.length * 4;
}

/** The header that fits the payload in `file`. */
function encodeHeader(file: Buffer, key: string, parts: Parts): Buffer {
  const bytes = headerBytes(parts);
  const header = Buffer.alloc(bytes);
  let at = header.write(magic, "latin1");
  at = header.writeUInt32LE(formatVersion, at);
  at = header.writeUInt32LE(engineVersion, at);
  at += header.write(key, at, keyBytes, "hex");
  at = header.writeUInt32LE(parts.length, at);
  at = header.writeUInt32LE(crc32(file.subarray(bytes)), at);
  for (const { length } of parts) at = header.writeUInt32LE(length, at);
  return header;
}
