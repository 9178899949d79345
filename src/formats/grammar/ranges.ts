/** A set of code points as sorted ranges that do not touch, ends included. */
export type CodePoints = readonly (readonly [number, number])[];

/** Every character that text can hold: surrogates are none. */
export const anyCharacter: CodePoints = [
  [0, 0xd7ff],
  [0xe000, 0x10ffff],
];

/** The union of ranges in any order. */
export function joinRanges(ranges: CodePoints): CodePoints {
  const joined: [number, number][] = [];
  for (const [from, to] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const last = joined.at(-1);
    if (last && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else joined.push([from, to]);
  }
  return joined;
}

/** What of `from` is not in `what`; both joined. */
export function withoutRanges(from: CodePoints, what: CodePoints): CodePoints {
  const rest: [number, number][] = [];
  for (const [first, last] of from) {
    let at = first;
    for (const [start, end] of what) {
      if (end < at || start > last) continue;
      if (start > at) rest.push([at, start - 1]);
      at = end + 1;
    }
    if (at <= last) rest.push([at, last]);
  }
  return rest;
}

/** What is in both; both joined. */
export function commonRanges(left: CodePoints, right: CodePoints): CodePoints {
  return left.flatMap(([from, to]) =>
    right.flatMap(([start, end]): CodePoints => {
      const [least, most] = [Math.max(from, start), Math.min(to, end)];
      return least <= most ? [[least, most]] : [];
    }),
  );
}
