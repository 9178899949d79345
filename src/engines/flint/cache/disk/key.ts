/**
 * Names of blocks, hexadecimal: subfolder, 2 digits · family, 14 · sketch, 14 · digest, 64. The digest is SHA-256 over that
 * of the block before it, or of the root, and its tokens: it stands for all tokens from the start on, for the root, and for
 * `identity` (`identity.ts`); a picture whose rows stand among the tokens is in it with all of its own SHA-256. A chat
 * template has no part in it: what it makes of a chat is tokens. The rest says where to look for a block of which only the
 * beginning is known, and proves nothing.
 *
 * Blocks that follow the same block are a family. They lie in 16 subfolders, so that a block that many prompts follow, as
 * the root of short ones is, has at least a sixteenth of the limit (`room.ts`) and not the share of one subfolder.
 */
import { createHash } from "node:crypto";
import type { BlockStore } from "../store.ts";
import { leastPart } from "../store.ts";
import { groups } from "./names.ts";

const digestBytes = 32;
const familyDigits = 16;
/** A byte after each `leastPart` tokens. */
const sketchBytes = 7;
const digestAt = familyDigits + 2 * sketchBytes;
const spread = 16;

export const keyBytes: number = digestAt / 2 + digestBytes;

export interface Family {
  readonly groups: readonly string[];
  /** What its keys have after the subfolder. */
  readonly name: string;
}

export interface Keys {
  readonly key: BlockStore["key"];
  readonly family: (parent: string | undefined, root: string) => Family;
}

export function createKeys(identity: string): Keys {
  const before = (parent: string | undefined, root: string): string =>
    parent?.slice(digestAt) ?? sha256(JSON.stringify([identity, root]));
  return {
    key(parent, root, tokens, pictures = []) {
      const digest = before(parent, root);
      const bytes = Buffer.alloc(digestBytes + tokens.length * 4);
      bytes.write(pictures.length > 0 ? sha256(JSON.stringify([digest, ...pictures])) : digest, "hex");
      tokens.forEach((token, index) => bytes.writeInt32LE(token, digestBytes + index * 4));
      const own = sha256(bytes);
      return groupsOf(digest)[Number.parseInt(own.slice(-1), 16)] + nameOf(digest) + sketchOf(tokens) + own;
    },
    family(parent, root) {
      const digest = before(parent, root);
      return { groups: groupsOf(digest), name: nameOf(digest) };
    },
  };
}

/** Tells blocks that begin alike without opening them: equal after equal tokens, and seldom equal after others. */
export function sketchOf(tokens: readonly number[]): string {
  const bytes = Buffer.alloc(sketchBytes);
  let hash = 0;
  tokens.slice(0, sketchBytes * leastPart).forEach((token, index) => {
    hash = Math.imul(hash ^ token, 0x9e3779b1);
    hash ^= hash >>> 15;
    if ((index + 1) % leastPart === 0) bytes[Math.floor(index / leastPart)] = hash;
  });
  return bytes.toString("hex");
}

/** For how many times `leastPart` tokens a block may begin as the sketch does. */
export function likeness(key: string, sketch: string): number {
  let bytes = 0;
  while (bytes < sketchBytes && isSame(key, sketch, bytes)) bytes++;
  return bytes;
}

function isSame(key: string, sketch: string, byte: number): boolean {
  const at = familyDigits + 2 * byte;
  return key.slice(at, at + 2) === sketch.slice(2 * byte, 2 * byte + 2);
}

function groupsOf(digest: string): string[] {
  const first = Number.parseInt(digest.slice(0, 2), 16);
  return Array.from({ length: spread }, (_, index) => groups[(first + index * spread) % groups.length] ?? "");
}

function nameOf(digest: string): string {
  return digest.slice(2, familyDigits);
}

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
