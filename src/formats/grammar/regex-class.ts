import { HearthError } from "../../error.ts";
import type { CodePoints } from "./ranges.ts";
import { anyCharacter, joinRanges, withoutRanges } from "./ranges.ts";

/** A place in a pattern. */
export interface Cursor {
  readonly pattern: string;
  readonly end: number;
  at: number;
}

export function regexRefusal({ at }: Cursor, what: string): HearthError {
  return new HearthError("grammar_invalid", `The regular expression has ${what} at offset ${at}.`, {
    details: { offset: at },
  });
}

const digits: CodePoints = [[0x30, 0x39]];
const words: CodePoints = [...digits, [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]];
const spaces: CodePoints = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
const sets: Readonly<Record<string, CodePoints>> = {
  d: digits,
  w: words,
  s: spaces,
  D: withoutRanges(anyCharacter, digits),
  W: withoutRanges(anyCharacter, words),
  S: withoutRanges(anyCharacter, spaces),
};
const controls: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, "0": 0 };
const escape = /\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|u\{([0-9A-Fa-f]{1,6})\}|(0)(?![0-9])|([^ux0]))/uy;

/** What an escape stands for; the cursor is on its backslash. */
export function readEscape(cursor: Cursor): CodePoints {
  escape.lastIndex = cursor.at;
  const [whole = "", x, u, braced, zero, one] = escape.exec(cursor.pattern) ?? [];
  if (whole === "" || cursor.at + whole.length > cursor.end)
    throw regexRefusal(cursor, "an escape that has no meaning");
  const hex = x ?? u ?? braced;
  const code = hex === undefined ? simpleEscape(zero ?? one ?? "") : Number.parseInt(hex, 16);
  if (code === undefined) throw regexRefusal(cursor, `${whole}, which cannot be enforced,`);
  if (typeof code === "number" && ((code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff)) {
    throw regexRefusal(cursor, `${whole}, which is no character,`);
  }
  cursor.at += whole.length;
  return typeof code === "number" ? [[code, code]] : code;
}

function simpleEscape(character: string): CodePoints | number | undefined {
  if (Object.hasOwn(sets, character)) return sets[character];
  if (Object.hasOwn(controls, character)) return controls[character];
  return /[\^$\\.*+?()[\]{}|/\-"'#%&,:;<=>@_`~! ]/.test(character) ? character.codePointAt(0) : undefined;
}

/** A class; the cursor is on its opening bracket. */
export function readClass(cursor: Cursor): CodePoints {
  const start = cursor.at++;
  const negated = cursor.pattern[cursor.at] === "^";
  if (negated) cursor.at++;
  const ranges: (readonly [number, number])[] = [];
  while (cursor.pattern[cursor.at] !== "]") {
    const first = readMember(cursor, start);
    const isRange = cursor.pattern[cursor.at] === "-" && cursor.pattern[cursor.at + 1] !== "]";
    if (!isRange) {
      ranges.push(...first);
      continue;
    }
    cursor.at++;
    const from = onlyOf(first);
    const to = onlyOf(readMember(cursor, start));
    if (from === undefined || to === undefined || from > to) {
      throw regexRefusal({ ...cursor, at: start }, "a class with a range that has no meaning");
    }
    ranges.push([from, to]);
  }
  cursor.at++;
  const joined = joinRanges(ranges);
  // A range may run over the surrogates.
  const chosen = withoutRanges(negated ? withoutRanges(anyCharacter, joined) : joined, [[0xd800, 0xdfff]]);
  if (chosen.length === 0) throw regexRefusal({ ...cursor, at: start }, "a class that holds no character");
  return chosen;
}

function readMember(cursor: Cursor, start: number): CodePoints {
  const code = cursor.pattern.codePointAt(cursor.at);
  if (code === undefined || cursor.at >= cursor.end) {
    throw regexRefusal({ ...cursor, at: start }, "a class without its end");
  }
  if (code === 0x5c) return readEscape(cursor);
  if (code >= 0xd800 && code <= 0xdfff) throw regexRefusal(cursor, "half of a surrogate pair");
  cursor.at += code > 0xffff ? 2 : 1;
  return [[code, code]];
}

function onlyOf(ranges: CodePoints): number | undefined {
  const [range] = ranges;
  return ranges.length === 1 && range && range[0] === range[1] ? range[0] : undefined;
}
