import { malformed } from "./fail.ts";

/** What replaces the beginning of a text. */
export interface Replacement {
  /** Bytes of the text that are replaced. */
  readonly length: number;
  readonly bytes: Uint8Array;
}

/** The replacement for what stands at a position of the text. */
export type Charsmap = (text: Uint8Array, at: number, end: number) => Replacement | undefined;

/** Which replacement is taken where several fit. */
export type CharsmapChoice = "longest" | "shortest";

const field = "precompiled_charsmap";
/** Sequences of the normalization forms are much shorter. */
const mostBytes = 256;

/**
 * A normalization that was compiled by SentencePiece: the number of bytes of a double-array trie (S. Yata's darts-clone),
 * the trie, then replacements that end with a zero byte. Throws `model_malformed` where it points beyond its end.
 */
export function readCharsmap(source: Uint8Array, choice: CharsmapChoice): Charsmap {
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  const trieBytes = source.length < 4 ? Infinity : view.getUint32(0, true);
  if (trieBytes + 4 >= source.length) throw malformed(field, "is shorter than its trie");
  const nodes = Uint32Array.from({ length: trieBytes >> 2 }, (_, index) => view.getUint32(4 + index * 4, true));
  const replacements = source.subarray(4 + trieBytes);
  const nodeAt = (index: number): number => {
    const node = nodes[index];
    if (node === undefined) throw malformed(field, `has no node ${index}`);
    return node;
  };
  const baseOf = (node: number): number => ((node >>> 10) << ((node & 0x200) >>> 6)) >>> 0;
  return (text, at, end) => {
    let index = baseOf(nodeAt(0));
    let length = 0;
    let offset = 0;
    for (let next = at; next < end && next - at < mostBytes; next++) {
      const byte = text[next] ?? 0;
      if (byte === 0) break;
      index = (index ^ byte) >>> 0;
      const node = nodeAt(index);
      // The label, and the bit that only leaves have.
      if ((node & 0x800000ff) >>> 0 !== byte) break;
      index = (index ^ baseOf(node)) >>> 0;
      if (node & 0x100) {
        length = next - at + 1;
        offset = nodeAt(index) & 0x7fffffff;
        if (choice === "shortest") break;
      }
    }
    return length === 0 ? undefined : { length, bytes: replacementAt(replacements, offset) };
  };
}

function replacementAt(replacements: Uint8Array, offset: number): Uint8Array {
  const end = replacements.indexOf(0, offset);
  if (offset >= replacements.length || end < 0) throw malformed(field, `has no replacement at ${offset}`);
  return replacements.subarray(offset, end);
}
