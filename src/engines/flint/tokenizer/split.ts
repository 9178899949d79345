import { Matcher } from "./pattern/match.ts";
import { compilePattern } from "./pattern/program.ts";
import { classOf, number } from "./unicode.ts";

/**
 * One cut of a text into pieces: a pattern whose matches are pieces, or a way to group digits, which no pattern can
 * say that looks ahead by one character only.
 */
export type Stage = string | { readonly group: DigitGroups };

/**
 * `thousands`: runs of ASCII digits are cut every three digits, from the right. `numbers`: so are runs of all numbers,
 * and the text in front of a run stays with its first group. `words`: as `thousands`, but each group is a piece of its
 * own, and a run that goes on with a letter stays whole.
 */
export type DigitGroups = "thousands" | "numbers" | "words";

/** Appends the ends of the pieces of `text` from `from` to `to`. */
type Cut = (text: string, from: number, to: number, ends: number[]) => void;

/** Ends of the pieces of a text, in UTF-16 units. Each stage cuts the pieces of the one before. */
export type Splitter = (text: string) => readonly number[];

/** Throws `model_unsupported` for a pattern that cannot be run in linear time. */
export function createSplitter(stages: readonly Stage[]): Splitter {
  const cuts = stages.map(createCut);
  return (text) => {
    let ends: number[] = [text.length];
    for (const cut of cuts) {
      const finer: number[] = [];
      let from = 0;
      for (const to of ends) {
        cut(text, from, to, finer);
        from = to;
      }
      ends = finer;
    }
    return ends;
  };
}

function createCut(stage: Stage): Cut {
  if (typeof stage === "string") {
    const matcher = new Matcher(compilePattern(stage));
    return (text, from, to, ends) => matcher.split(text, from, to, ends);
  }
  switch (stage.group) {
    case "thousands":
      return (text, from, to, ends) => cutDigits(text, from, to, { ends, isDigit: isAscii, apart: false });
    case "numbers":
      return (text, from, to, ends) => cutDigits(text, from, to, { ends, isDigit: isNumber, apart: false });
    case "words":
      return (text, from, to, ends) => cutDigits(text, from, to, { ends, isDigit: isDecimal, apart: true });
  }
}

const isAscii = (code: number): boolean => code >= 0x30 && code <= 0x39;
const isNumber = (code: number): boolean => (classOf(code) & number) !== 0;
const isDecimal = (code: number): boolean => isAscii(code) || (code > 127 && /^\p{Nd}$/u.test(String.fromCodePoint(code)));
const isWord = (code: number): boolean => /^[\p{L}\p{M}\p{Nd}\p{Pc}]$/u.test(String.fromCodePoint(code));

interface DigitOptions {
  readonly ends: number[];
  readonly isDigit: (code: number) => boolean;
  /** What stands in front of a run is a piece of its own. */
  readonly apart: boolean;
}

function cutDigits(text: string, from: number, to: number, { ends, isDigit, apart }: DigitOptions): void {
  let done = from;
  const cut = (at: number): void => {
    if (at > done) ends.push(at);
    done = at;
  };
  for (let at = from; at < to;) {
    const digits: number[] = [at];
    for (let code = codeAt(text, at, to); code >= 0 && isDigit(code); code = codeAt(text, at, to)) {
      at += code > 0xffff ? 2 : 1;
      digits.push(at);
    }
    const count = digits.length - 1;
    if (count === 0) {
      at += codeAt(text, at, to) > 0xffff ? 2 : 1;
      continue;
    }
    if (apart && at < to && isWord(codeAt(text, at, to))) continue;
    if (apart) cut(digits[0] ?? 0);
    const first = count % 3 === 0 ? 3 : count % 3;
    for (let index = first; index <= count; index += 3) cut(digits[index] ?? 0);
  }
  cut(to);
}

function codeAt(text: string, at: number, to: number): number {
  return at < to ? (text.codePointAt(at) ?? -1) : -1;
}
