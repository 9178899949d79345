/** The texts of all tokens, in one block of memory. */
export interface Pieces {
  readonly size: number;
  /** Bytes of all texts, one behind the other. */
  readonly bytes: Uint8Array;
  /** Where the text of a token starts; one element more than there are tokens. */
  readonly starts: Uint32Array;
  /** The token whose text is this range of the bytes, -1 for none. */
  find(source: Uint8Array, from: number, to: number): number;
  /** The token with this text, -1 for none. */
  findText(text: string): number;
  text(id: number): string;
  bytesOf(id: number): Uint8Array;
  /** Bytes of the longest text. */
  readonly longest: number;
}

/** What `createPieces` needs of a list of texts. */
export interface PieceSource {
  readonly length: number;
  bytes(index: number): Uint8Array;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** FNV-1a. */
function hashOf(source: Uint8Array, from: number, to: number): number {
  let hash = 0x811c9dc5;
  for (let at = from; at < to; at++) hash = Math.imul(hash ^ (source[at] ?? 0), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}

/** An index of texts by their bytes: a hash table with open addressing. Of equal texts the first is found. */
export function createPieces(source: PieceSource): Pieces {
  const { bytes, starts } = copyTexts(source);
  const size = source.length;
  let slots = 16;
  while (slots < size * 2) slots *= 2;
  const table = new Int32Array(slots).fill(-1);
  /** The slot of the text, or the free one where it belongs. */
  const slotOf = (text: Uint8Array, from: number, to: number): number => {
    const length = to - from;
    for (let slot = hashOf(text, from, to) & (slots - 1); ; slot = (slot + 1) & (slots - 1)) {
      const id = table[slot] ?? -1;
      if (id < 0) return slot;
      const start = starts[id] ?? 0;
      if ((starts[id + 1] ?? 0) - start !== length) continue;
      let same = 0;
      while (same < length && bytes[start + same] === text[from + same]) same++;
      if (same === length) return slot;
    }
  };
  const find = (text: Uint8Array, from: number, to: number): number => table[slotOf(text, from, to)] ?? -1;
  let longest = 0;
  for (let id = 0; id < size; id++) {
    const [from, to] = [starts[id] ?? 0, starts[id + 1] ?? 0];
    longest = Math.max(longest, to - from);
    const slot = slotOf(bytes, from, to);
    if ((table[slot] ?? -1) < 0) table[slot] = id;
  }
  const scratch = new Uint8Array(longest * 3);
  const bytesOf = (id: number): Uint8Array => bytes.subarray(starts[id], starts[id + 1]);
  return {
    size,
    bytes,
    starts,
    longest,
    find,
    findText(text) {
      if (text.length > longest) return -1;
      return find(scratch, 0, encoder.encodeInto(text, scratch).written);
    },
    text: (id) => decoder.decode(bytesOf(id)),
    bytesOf,
  };
}

function copyTexts(source: PieceSource): { readonly bytes: Uint8Array; readonly starts: Uint32Array } {
  const starts = new Uint32Array(source.length + 1);
  let bytes = new Uint8Array(source.length * 8);
  let end = 0;
  for (let id = 0; id < source.length; id++) {
    const text = source.bytes(id);
    if (end + text.length > bytes.length) {
      const grown = new Uint8Array((end + text.length) * 2);
      grown.set(bytes.subarray(0, end));
      bytes = grown;
    }
    for (let index = 0; index < text.length; index++) bytes[end + index] = text[index]!;
    end += text.length;
    starts[id + 1] = end;
  }
  return { bytes: bytes.slice(0, end), starts };
}
