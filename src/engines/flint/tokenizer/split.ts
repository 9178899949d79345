import { Matcher } from "./pattern/match.ts";
import { compilePattern } from "./pattern/program.ts";
import { classOf, number } from "./unicode.ts";

/**
 * One cut of a text into pieces: a pattern whose matches are pieces, or a way to group digits, which no pattern can
 * say that looks ahead by one character only.
 */
export type Stage = string | { readonly group: DigitGroups };

/**
 * Groups of three digits, counted from the right. `thousands`: runs of decimal digits are cut in front of each full group,
 * with `ascii` only those of ASCII. `numbers`: runs of all numbers are cut behind each group, and the text in front of a run stays with its first group.
 * `words`: each group is a piece of its own, and a run that goes on with a letter stays whole.
 */
export type DigitGroups = "thousands" | "ascii" | "numbers" | "words";

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
  const { group } = stage;
  return (text, from, to, ends) => cutDigits(text, from, to, { ends, group });
}

const isAscii = (code: number): boolean => code >= 0x30 && code <= 0x39;
const isNumber = (code: number): boolean => (classOf(code) & number) !== 0;
const isDecimal = (code: number): boolean =>
  isAscii(code) || (code > 127 && /^\p{Nd}$/u.test(String.fromCodePoint(code)));
const isWord = (code: number): boolean => /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]$/u.test(String.fromCodePoint(code));

const isDigit: Readonly<Record<DigitGroups, (code: number) => boolean>> = {
  thousands: isDecimal,
  ascii: isAscii,
  numbers: isNumber,
  words: isDecimal,
};

interface DigitOptions {
  readonly ends: number[];
  readonly group: DigitGroups;
}

function cutDigits(text: string, from: number, to: number, { ends, group }: DigitOptions): void {
  let done = from;
  const cut = (at: number | undefined): void => {
    if (at === undefined || at <= done) return;
    ends.push(at);
    done = at;
  };
  for (let at = from; at < to;) {
    const marks = digitMarks(text, at, { to, is: isDigit[group] });
    const count = marks.length - 1;
    at = marks[count] ?? to;
    if (count === 0) at += codeAt(text, at, to) > 0xffff ? 2 : 1;
    else if (group !== "words" || at >= to || !isWord(codeAt(text, at, to))) {
      if (group === "words") cut(marks[0]);
      const first = count % 3;
      for (let index = first; index <= count; index += 3) {
        if (group === "thousands" || group === "ascii" ? index < count : index > 0) cut(marks[index]);
      }
    }
  }
  cut(to);
}

/** Where the digits that begin at `at` stand, and where they end. */
function digitMarks(
  text: string,
  at: number,
  { to, is }: { readonly to: number; readonly is: (code: number) => boolean },
): number[] {
  const marks = [at];
  let next = at;
  for (let code = codeAt(text, next, to); code >= 0 && is(code); code = codeAt(text, next, to)) {
    next += code > 0xffff ? 2 : 1;
    marks.push(next);
  }
  return marks;
}

function codeAt(text: string, at: number, to: number): number {
  return at < to ? (text.codePointAt(at) ?? -1) : -1;
}
