/**
 * Byte-level vocabularies write each byte as a printable character: the visible ones of Latin-1 stand for themselves,
 * the other 68 for U+0100 and up. Source: GPT-2 (Radford et al. 2019).
 */
function charactersOfBytes(): number[] {
  const visible = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => (visible(byte) ? byte : next++));
}

/** Code point of the character that stands for a byte. */
export const characterOfByte: readonly number[] = charactersOfBytes();

const byteOfCharacter: ReadonlyMap<number, number> = new Map(characterOfByte.map((code, byte) => [code, byte]));

/** Writes the characters that stand for bytes, in UTF-8; takes up to twice the room. Returns where it ends. */
export function writeByteCharacters(target: Uint8Array, at: number, byte: number): number {
  const code = characterOfByte[byte] ?? 0;
  if (code < 0x80) {
    target[at] = code;
    return at + 1;
  }
  target[at] = 0xc0 | (code >> 6);
  target[at + 1] = 0x80 | (code & 63);
  return at + 2;
}

const encoder = new TextEncoder();

/** The bytes that a token stands for. Characters that stand for no byte stay as they are. */
export function decodeByteLevel(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of text) {
    const byte = byteOfCharacter.get(character.codePointAt(0) ?? 0);
    if (byte === undefined) bytes.push(...encoder.encode(character));
    else bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}
