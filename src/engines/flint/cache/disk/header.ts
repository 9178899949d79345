/**
 * The file of a block, numbers little-endian: "flint-kv" · format version, u32 · engine version, u32 · key, 47 bytes ·
 * tokens, 32 times i32, -1 where there are fewer · number of parts, u32 · CRC-32 of tokens and payload, u32 · bytes of each
 * part, u32 · the payload: the parts, one after the other.
 */
import { crc32 } from "node:zlib";
import { blockTokens } from "../../graph/plan.ts";
import type { StoredBlock } from "../store.ts";
import { keyBytes } from "./key.ts";
import { engineVersion, formatVersion } from "./version.ts";

const magic = "flint-kv";
const tokensAt = magic.length + 8 + keyBytes;
/** Up to the end of the tokens: what has to be read of a file to know these. */
export const startBytes: number = tokensAt + blockTokens * 4;
const fixedBytes = startBytes + 8;

type Parts = readonly Uint8Array[];

export function fileBytes(parts: Parts): number {
  return parts.reduce((sum, { length }) => sum + length, headerBytes(parts));
}

/** Fills `file` with a block. */
export function encodeBlock(file: Buffer, key: string, { tokens, parts }: StoredBlock): void {
  for (let index = 0; index < blockTokens; index++) file.writeInt32LE(tokens[index] ?? -1, tokensAt + index * 4);
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

/** What stands as tokens at the start of a file. */
export function decodeTokens(start: Buffer): number[] {
  const tokens = Array.from({ length: blockTokens }, (_, index) => start.readInt32LE(tokensAt + index * 4));
  const end = tokens.indexOf(-1);
  return end < 0 ? tokens : tokens.slice(0, end);
}

function headerBytes(parts: Parts): number {
  return fixedBytes + parts.length * 4;
}

/** The header that fits the tokens and the payload in `file`. */
function encodeHeader(file: Buffer, key: string, parts: Parts): Buffer {
  const bytes = headerBytes(parts);
  const tokens = file.subarray(tokensAt, startBytes);
  const header = Buffer.alloc(bytes);
  let at = header.write(magic, "latin1");
  at = header.writeUInt32LE(formatVersion, at);
  at = header.writeUInt32LE(engineVersion, at);
  at += header.write(key, at, keyBytes, "hex");
  at += tokens.copy(header, at);
  at = header.writeUInt32LE(parts.length, at);
  at = header.writeUInt32LE(crc32(file.subarray(bytes), crc32(tokens)), at);
  for (const { length } of parts) at = header.writeUInt32LE(length, at);
  return header;
}
