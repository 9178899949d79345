import { malformed, unsupported } from "../fail.ts";
import { Matcher } from "../pattern/match.ts";
import { compilePattern } from "../pattern/program.ts";
import { createSplitter } from "../split.ts";
import type { Stage } from "../split.ts";
import { objectOf, stringOf } from "./read.ts";

/** Where a pattern matches in a text: from, to, from, to … in UTF-16 units. */
export type Finder = (text: string) => readonly number[];

/** Ways to group digits, which look ahead by more than a character. */
const groupings: Readonly<Record<string, Stage>> = {
  "\\d{1,3}(?=(?:\\d{3})*\\b)": { group: "words" },
  "(?=(\\d{3})+(?!\\d))": { group: "thousands" },
};

/** Reads `{"String": …}` or `{"Regex": …}`. Throws `model_unsupported` for an expression that we cannot bound. */
export function readPattern(value: unknown, field: string): Finder {
  if (typeof value === "string") return findText(value, field);
  const pattern = objectOf(value, field);
  if (pattern["String"] !== undefined) return findText(stringOf(pattern["String"], field), field);
  return findRegex(stringOf(pattern["Regex"], field));
}

function findText(wanted: string, field: string): Finder {
  if (wanted === "") throw malformed(field, "looks for nothing");
  return (text) => {
    const found: number[] = [];
    for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length)) {
      found.push(at, at + wanted.length);
    }
    return found;
  };
}

export function findRegex(source: string): Finder {
  const grouping = Object.hasOwn(groupings, source) ? groupings[source] : undefined;
  if (grouping) return findPieces(grouping);
  const matcher = new Matcher(compilePattern(source));
  return (text) => {
    const found: number[] = [];
    matcher.find(text, 0, text.length, found);
    return found;
  };
}

/** Every piece is a match. */
function findPieces(stage: Stage): Finder {
  const split = createSplitter([stage]);
  return (text) => {
    let from = 0;
    return split(text).flatMap((to) => {
      const match = [from, to];
      from = to;
      return match;
    });
  };
}

const behaviors = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"] as const;
export type Behavior = (typeof behaviors)[number];

export function readBehavior(value: unknown, field: string): Behavior {
  const found = behaviors.find((behavior) => behavior === value);
  if (found) return found;
  throw unsupported(field, "has a behavior that is not known");
}

interface Span {
  readonly from: number;
  readonly to: number;
  readonly match: boolean;
}

export interface CutOptions {
  readonly find: Finder;
  readonly behavior: Behavior;
  /** What lies between the matches counts as the matches. */
  readonly invert?: boolean;
}

/** Cuts a text at the matches; the behavior says what becomes of these. */
export function cutText(text: string, { find, behavior, invert = false }: CutOptions): string[] {
  const spans = spansOf(text.length, find(text));
  const pieces: string[] = [];
  let from = 0;
  let last: boolean | undefined;
  const finish = (to: number): void => {
    if (to > from) pieces.push(text.slice(from, to));
    from = to;
  };
  for (const span of spans) {
    const match = span.match !== invert;
    switch (behavior) {
      case "Removed":
        finish(span.from);
        if (match) from = span.to;
        break;
      case "Isolated":
        finish(span.from);
        break;
      case "Contiguous":
        if (match !== last) finish(span.from);
        break;
      case "MergedWithPrevious":
        // A match goes with what stands before it, unless that is a match too.
        if (!match || last === true) finish(span.from);
        break;
      case "MergedWithNext":
        if (match || last === false) finish(span.from);
        break;
    }
    last = match;
  }
  finish(text.length);
  return pieces;
}

function spansOf(length: number, matches: readonly number[]): Span[] {
  const spans: Span[] = [];
  let done = 0;
  for (let index = 0; index < matches.length; index += 2) {
    const [from, to] = [matches[index] ?? 0, matches[index + 1] ?? 0];
    if (from > done) spans.push({ from: done, to: from, match: false });
    spans.push({ from, to, match: true });
    done = to;
  }
  if (done < length) spans.push({ from: done, to: length, match: false });
  return spans;
}
