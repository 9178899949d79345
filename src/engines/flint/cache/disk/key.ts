import { createHash } from "node:crypto";
import type { BlockStore } from "../store.ts";

const digestBytes = 32;

/**
 * Names of blocks: SHA-256 over the name of the block before it, or of the root, and its tokens. A name so stands for all
 * tokens from the start on, for the root, and for `identity` (`identity.ts`). A chat template has no part in it: what it
 * makes of a chat is tokens.
 */
export function createKeys(identity: string): BlockStore["key"] {
  const rootName = (root: string): string => sha256(JSON.stringify([identity, root]));
  return (parent, root, tokens) => {
    const bytes = Buffer.alloc(digestBytes + tokens.length * 4);
    bytes.write(parent ?? rootName(root), "hex");
    tokens.forEach((token, index) => bytes.writeInt32LE(token, digestBytes + index * 4));
    return sha256(bytes);
  };
}

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
