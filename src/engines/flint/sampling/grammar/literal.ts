import { malformed } from "../../../../formats/grammar/parse.ts";
import type { CodePoints } from "../../../../formats/grammar/ranges.ts";
import { anyCharacter, joinRanges, withoutRanges } from "../../../../formats/grammar/ranges.ts";

const escapes: Readonly<Record<string, number>> = { t: 9, n: 10, r: 13 };
const one = /\\x([0-9A-Fa-f]{2})|\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})|\\([^xuU])|([^\\])/uy;

/** Where a literal or a class stands in its grammar. */
interface Source {
  readonly text: string;
  readonly at: number;
}

/** The code points of a literal. Throws `grammar_invalid` with the offset of an escape that means no character. */
export function literalCharacters({ text, at }: Source): number[] {
  const codes: number[] = [];
  for (let index = 1; index < text.length - 1;) {
    const { code, end } = readCharacter(text, index, at);
    codes.push(code);
    index = end;
  }
  return codes;
}

/** The code points of a class or a dot; empty for `[]` and `[^]`, which stand for nothing. */
export function classCharacters({ text, at }: Source): CodePoints {
  if (text === ".") return anyCharacter;
  const negated = text.startsWith("[^");
  const end = text.length - 1;
  const ranges: (readonly [number, number])[] = [];
  for (let index = negated ? 2 : 1; index < end;) {
    const first = readCharacter(text, index, at);
    index = first.end;
    let last = first.code;
    if (text[index] === "-" && index + 1 < end) {
      ({ code: last, end: index } = readCharacter(text, index + 1, at));
    }
    if (last < first.code) throw malformed("a class with a range the wrong way round", at);
    ranges.push([first.code, last]);
  }
  if (ranges.length === 0) return [];
  const joined = withoutRanges(joinRanges(ranges), [[0xd800, 0xdfff]]);
  const chosen = negated ? withoutRanges(anyCharacter, joined) : joined;
  if (chosen.length === 0) throw malformed("a class that holds no character", at);
  return chosen;
}

function readCharacter(text: string, index: number, at: number): { readonly code: number; readonly end: number } {
  one.lastIndex = index;
  const [whole = "", ...groups] = one.exec(text) ?? [];
  const [two, four, eight, escaped = "", plain] = groups;
  const hex = two ?? four ?? eight;
  const code = hex === undefined ? simple(escaped, plain) : Number.parseInt(hex, 16);
  if (code === undefined || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
    throw malformed("an escape that means no character", at + index);
  }
  return { code, end: index + whole.length };
}

function simple(escaped: string, plain: string | undefined): number | undefined {
  if (plain !== undefined) return plain.codePointAt(0);
  if (Object.hasOwn(escapes, escaped)) return escapes[escaped];
  return /[A-Za-z0-9]/.test(escaped) ? undefined : escaped.codePointAt(0);
}
