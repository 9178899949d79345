import type { Charsmap } from "./charsmap.ts";
import type { TextModel } from "./model.ts";
import { Trie } from "./trie.ts";
import type { Unigram, UnigramToken } from "./unigram.ts";
import { Scratch, characterBytes, toUtf8 } from "./utf8.ts";
import { blank } from "./words.ts";

export interface UnigramModelOptions {
  readonly unigram: Unigram;
  readonly charsmap: Charsmap | undefined;
  readonly userDefined: Iterable<UnigramToken>;
  readonly spaceBefore: boolean;
  /** Runs of spaces become one, and those at the end none. */
  readonly mergeSpaces: boolean;
}

const blankBytes = toUtf8(blank);
const replacementBytes = toUtf8("\uFFFD");

/** A unigram vocabulary with the normalization that llama.cpp gives its texts. */
export function createUnigramModel(options: UnigramModelOptions): TextModel {
  const scratch = new Scratch();
  const reserved = new Trie();
  for (const { bytes } of options.userDefined) reserved.insert(bytes, 0);
  return (text, before, output) => {
    const length = scratch.write(text);
    const normal = normalize(scratch.bytes.subarray(0, length), before !== "text", { ...options, reserved });
    if (normal.length > 0) options.unigram(normal.bytes, normal.length, output);
    scratch.release();
  };
}

interface NormalizeOptions extends UnigramModelOptions {
  readonly reserved: Trie;
}

interface Bytes {
  readonly bytes: Uint8Array;
  readonly length: number;
}

function normalize(text: Uint8Array, start: boolean, options: NormalizeOptions): Bytes {
  const { spaceBefore, mergeSpaces } = options;
  const result = new Output(text.length + 16);
  let inWord = !start;
  let begun = !start;
  for (let at = 0; at < text.length;) {
    const { length, bytes } = readCharacter(text, at, options);
    at += length;
    for (const byte of bytes) {
      if (byte === 0x20) {
        inWord = false;
        if (!mergeSpaces) result.add(blankBytes);
        continue;
      }
      if (!inWord && (mergeSpaces || (spaceBefore && !begun))) {
        result.add(blankBytes);
        begun = true;
      }
      inWord = true;
      result.push(byte);
    }
  }
  return result;
}

/** One step of the text, and what it becomes: as it is where it may begin a user-defined token. */
function readCharacter(
  text: Uint8Array,
  at: number,
  { reserved, charsmap }: NormalizeOptions,
): { readonly length: number; readonly bytes: Uint8Array } {
  let end = at;
  for (let node = 0; end < text.length; end++) {
    node = reserved.step(node, text[end] ?? 0);
    if (node === 0) break;
  }
  if (end > at) return { length: end - at, bytes: text.subarray(at, end) };
  const replaced = charsmap?.(text, at, text.length);
  if (replaced) return replaced;
  const first = text[at] ?? 0;
  // The rest of a character whose beginning was taken above.
  if (first >= 0x80 && first < 0xc0) return { length: 1, bytes: replacementBytes };
  const length = characterBytes(first);
  return { length, bytes: text.subarray(at, at + length) };
}

/** Bytes that grow. */
class Output implements Bytes {
  bytes: Uint8Array;
  length = 0;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
  }

  push(byte: number): void {
    if (this.length === this.bytes.length) {
      const larger = new Uint8Array(this.bytes.length * 2);
      larger.set(this.bytes);
      this.bytes = larger;
    }
    this.bytes[this.length++] = byte;
  }

  add(bytes: Uint8Array): void {
    for (const byte of bytes) this.push(byte);
  }
}
