/**
 * Classes of code points. All vocabularies that are in use were made with Unicode 15.1 or older, so whatever came later
 * counts as unassigned: the same text has the same tokens on every platform.
 */

export const letter = 1;
export const number = 2;
export const mark = 4;
export const punctuation = 8;
export const symbol = 16;
/** Categories Cc, Cf, Cs and Co. */
export const control = 32;
export const space = 64;

const classes: readonly (readonly [RegExp, number])[] = [
  [/^\p{L}$/u, letter],
  [/^\p{N}$/u, number],
  [/^\p{M}$/u, mark],
  [/^\p{P}$/u, punctuation],
  [/^\p{S}$/u, symbol],
  [/^[\p{Cc}\p{Cf}\p{Cs}\p{Co}]$/u, control],
];

/** Ranges whose assigned code points are all newer than Unicode 15.1; first and last of each. */
const newer: readonly number[] = (
  "88f 88f 897 897 c5c c5c cdc cdc 1acf 1aeb 1b4e 1b4f 1b7f 1b7f 1c89 1c8a 20c1 20c1 2427 2429 2b96 2b96 31e4 31e5 " +
  "a7cb a7cf a7d2 a7d2 a7d4 a7d4 a7da a7f1 fbc3 fbd2 fd90 fd91 fdc8 fdce 105c0 105f3 10940 10959 10d40 10d8f " +
  "10ec2 10efc 11380 113e2 116d0 116e3 11b60 11bf9 11db0 11de9 11f5a 11f5a 13460 143fa 16100 16139 16d40 16d79 " +
  "16ea0 16ed3 16ff2 16ff6 187f8 187ff 18cff 18cff 18d09 18df2 1cc00 1cef0 1e5d0 1e6ff 1f6d8 1f6d8 1f777 1f77a " +
  "1f8b2 1f8d8 1fa54 1fa57 1fa89 1fa8f 1fabe 1fabe 1fac6 1facd 1fadc 1fadf 1fae9 1faef 1fbcb 1fbef 1fbfa 1fbfa " +
  "2b73a 2b73f 2cea2 2cead 323b0 33479"
)
  .split(" ")
  .map((code) => Number.parseInt(code, 16));

/** Assigned after Unicode 15.1. */
export function isNewer(code: number): boolean {
  for (let index = 0; index < newer.length; index += 2) {
    if (code < (newer[index] ?? 0)) return false;
    if (code <= (newer[index + 1] ?? 0)) return true;
  }
  return false;
}

/** Pages of 256 code points, made when one of them is asked for. */
const pages: (Uint8Array | undefined)[] = [];

/** One of the category bits at most, and `space` for what the property White_Space has. 0: unassigned or a separator. */
export function classOf(code: number): number {
  const page = pages[code >> 8] ?? makePage(code >> 8);
  return page[code & 255] ?? 0;
}

function makePage(index: number): Uint8Array {
  const page = new Uint8Array(256);
  for (let low = 0; low < 256; low++) {
    const code = index * 256 + low;
    if (isNewer(code)) continue;
    const text = String.fromCodePoint(code);
    const bits = classes.find(([pattern]) => pattern.test(text))?.[1] ?? 0;
    page[low] = bits | (/^\p{White_Space}$/u.test(text) ? space : 0);
  }
  pages[index] = page;
  return page;
}

/** The first code point of the lower case: what simple case mapping gives. */
export function lowerCase(code: number): number {
  if (code < 128) return code >= 65 && code <= 90 ? code + 32 : code;
  if (isNewer(code)) return code;
  return String.fromCodePoint(code).toLowerCase().codePointAt(0) ?? code;
}

/** The first code point of the canonical decomposition: the letter without its accents. */
export function baseOf(code: number): number {
  if (code < 128 || isNewer(code)) return code;
  return String.fromCodePoint(code).normalize("NFD").codePointAt(0) ?? code;
}

/** Ideographs of Chinese, which WordPiece takes one by one. Source: BERT's tokenizer and its Rust port. */
export function isIdeograph(code: number): boolean {
  return (
    (code >= 0x4e00 && code <= 0x9fff) ||
    (code >= 0x3400 && code <= 0x4dbf) ||
    (code >= 0x20000 && code <= 0x2a6df) ||
    (code >= 0x2a700 && code <= 0x2b81f) ||
    // BERT says 2B820; the port that all models are run with says 2B920.
    (code >= 0x2b920 && code <= 0x2ceaf) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0x2f800 && code <= 0x2fa1f)
  );
}
