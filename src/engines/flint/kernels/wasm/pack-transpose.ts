/** Transposition of small squares, as rows become lanes of vectors. */
import type { Code, Scope } from "./code.ts";
import { i8x16 } from "./instructions.ts";

/** First `load`, then each column once. */
export interface Transposed {
  readonly load: Code;
  readonly columns: readonly Code[];
}

/** Byte lanes of a shuffle that picks elements of `width` bytes out of two vectors. */
function picks(width: number, elements: readonly number[]): number[] {
  return elements.flatMap((element) => Array.from({ length: width }, (_, byte) => element * width + byte));
}

const lowWords = picks(4, [0, 4, 1, 5]);
const highWords = picks(4, [2, 6, 3, 7]);
const lowPairs = picks(8, [0, 2]);
const highPairs = picks(8, [1, 3]);
const lowShorts = picks(2, [0, 8, 1, 9, 2, 10, 3, 11]);
const highShorts = picks(2, [4, 12, 5, 13, 6, 14, 7, 15]);

/** Two vectors as one: the lower halves of both. */
export function joinLow(a: Code, b: Code): Code {
  return i8x16.shuffle(a, b, lowPairs);
}

/** The second and fourth word of both vectors. */
export function oddWords(a: Code, b: Code): Code {
  return i8x16.shuffle(a, b, picks(4, [1, 3, 5, 7]));
}

export type Transpose = (rows: readonly Code[]) => Transposed;

/** For vectors of four words of four rows: column q has word q of each row. The variables are those of every call. */
export function wordTransposer(scope: Scope): Transpose {
  const rows = scope.locals("v128", 4);
  const mixed = scope.locals("v128", 4);
  const [a, b, c, d] = rows.map(({ get }) => get) as [Code, Code, Code, Code];
  const [low, high, nextLow, nextHigh] = mixed.map(({ get }) => get) as [Code, Code, Code, Code];
  const mix = [
    i8x16.shuffle(a, b, lowWords),
    i8x16.shuffle(a, b, highWords),
    i8x16.shuffle(c, d, lowWords),
    i8x16.shuffle(c, d, highWords),
  ];
  return (sources) => ({
    load: [
      ...rows.flatMap((row, index) => row.set(sources[index] ?? [])),
      ...mixed.flatMap((vector, index) => vector.set(mix[index] ?? [])),
    ],
    columns: [
      i8x16.shuffle(low, nextLow, lowPairs),
      i8x16.shuffle(low, nextLow, highPairs),
      i8x16.shuffle(high, nextHigh, lowPairs),
      i8x16.shuffle(high, nextHigh, highPairs),
    ],
  });
}

/** For vectors of eight 16-bit numbers of eight rows. */
export function shortTransposer(scope: Scope): Transpose {
  const rows = scope.locals("v128", 8);
  const words = [wordTransposer(scope), wordTransposer(scope)] as const;
  const pairs = (lanes: readonly number[]): Code[] =>
    [0, 2, 4, 6].map((row) => i8x16.shuffle(rows[row]?.get ?? [], rows[row + 1]?.get ?? [], lanes));
  const [low, high] = [words[0](pairs(lowShorts)), words[1](pairs(highShorts))];
  return (sources) => ({
    load: [...rows.flatMap((row, index) => row.set(sources[index] ?? [])), ...low.load, ...high.load],
    columns: [...low.columns, ...high.columns],
  });
}
