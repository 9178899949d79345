import { classOf, isNewer, letter, mark, number, punctuation, space, symbol } from "../unicode.ts";

/** Tells whether a code point belongs to a set. */
export type CodeTest = (code: number) => boolean;

export interface CodeSet {
  /** Equal keys mean equal sets. */
  readonly key: string;
  readonly has: CodeTest;
}

export function range(first: number, last: number): CodeSet {
  return { key: `${first}-${last}`, has: (code) => code >= first && code <= last };
}

export function union(sets: readonly CodeSet[]): CodeSet {
  const [only] = sets;
  if (only && sets.length === 1) return only;
  return { key: `(${sets.map((set) => set.key).join("|")})`, has: (code) => sets.some((set) => set.has(code)) };
}

export function intersection(sets: readonly CodeSet[]): CodeSet {
  const [only] = sets;
  if (only && sets.length === 1) return only;
  return { key: `(${sets.map((set) => set.key).join("&")})`, has: (code) => sets.every((set) => set.has(code)) };
}

export function complement(set: CodeSet): CodeSet {
  return { key: `!${set.key}`, has: (code) => !set.has(code) };
}

const byClass = (bits: number): CodeTest => {
  return (code) => (classOf(code) & bits) !== 0;
};

const common: Readonly<Record<string, CodeTest>> = {
  L: byClass(letter),
  N: byClass(number),
  M: byClass(mark),
  P: byClass(punctuation),
  S: byClass(symbol),
  White_Space: byClass(space),
};

/** `\p{NAME}`: a general category, a script (`Han`, `Script=Han`) or a binary property. undefined: there is none. */
export function property(name: string): CodeSet | undefined {
  const known = common[name];
  if (known) return { key: `p${name}`, has: known };
  if (!/^[A-Za-z_]{1,40}(=[A-Za-z_]{1,40})?$/.test(name)) return undefined;
  const test = compile(name) ?? compile(`Script=${name}`);
  return test && { key: `p${name}`, has: (code) => !isNewer(code) && test.test(String.fromCodePoint(code)) };
}

function compile(name: string): RegExp | undefined {
  try {
    return new RegExp(`^\\p{${name}}$`, "u");
  } catch {
    return undefined;
  }
}

export const whiteSpace: CodeSet = { key: "s", has: byClass(space) };

/** `\d`, `\s`, `\w` with the meaning that Oniguruma gives them in Unicode text. */
export function shorthand(name: string): CodeSet | undefined {
  const digits = property("Nd");
  switch (name.toLowerCase()) {
    case "s":
      return negateUpper(name, whiteSpace);
    case "d":
      return digits && negateUpper(name, digits);
    case "w": {
      const parts = [property("Alphabetic"), property("M"), property("Nd"), property("Pc")].filter(
        (set) => set !== undefined,
      );
      return negateUpper(name, union(parts));
    }
    default:
      return undefined;
  }
}

function negateUpper(name: string, set: CodeSet): CodeSet {
  return name === name.toUpperCase() ? complement(set) : set;
}

/** Letters that are equal when case is ignored; two capitals of other alphabets fold to ASCII letters. */
export function ignoreCase(code: number): CodeSet {
  const text = String.fromCodePoint(code);
  const codes = new Set([code, text.toLowerCase().codePointAt(0) ?? code, text.toUpperCase().codePointAt(0) ?? code]);
  if (codes.has(0x73)) codes.add(0x17f);
  if (codes.has(0x6b)) codes.add(0x212a);
  return union([...codes].sort((a, b) => a - b).map((each) => range(each, each)));
}
