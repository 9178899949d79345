/**
 * Names of rows that stand in place of tokens: negative numbers, one for each row of each picture. Equal names have equal
 * rows, so that the cache can tell sequences apart by their tokens alone.
 */

/** Rows of one picture are counted below this; names stay exact for 2^32 pictures. */
const mostRows = 2 ** 20;

export function nameOf(serial: number, row: number): number {
  return -1 - (serial * mostRows + row);
}

export function serialOf(name: number): number {
  return Math.floor((-1 - name) / mostRows);
}

export function rowOf(name: number): number {
  return (-1 - name) % mostRows;
}

/** The index after the last of the rows that follow the one at `at` without a gap, all of one picture. */
export function pictureEnd(names: readonly number[], at: number): number {
  let end = at;
  while ((names[end + 1] ?? 0) < 0 && names[end + 1] === (names[end] ?? 0) - 1) end++;
  return end + 1;
}

/** Whether a cut before `at` would have rows of one run on both sides. */
export function cutsPicture(names: readonly number[], at: number): boolean {
  return at > 0 && (names[at - 1] ?? 0) < 0 && pictureEnd(names, at - 1) > at;
}

/** What of the prompt is a token of the vocabulary. */
export function onlyTokens(names: readonly number[]): readonly number[] {
  return names.some((name) => name < 0) ? names.filter((name) => name >= 0) : names;
}

/** A picture in a prompt, as the leader gets it. */
export interface PlacedPicture {
  readonly serial: number;
  /** SHA-256 over the picture and over what encoded it. */
  readonly digest: string;
  /** All its rows, one after the other, in memory that threads share. */
  readonly rows: Float32Array;
  /** Rows of a line of it. */
  readonly columns: number;
}

/** Finds rows by their names. Throws for a name that no picture of the prompt has. */
export function findRows(pictures: readonly PlacedPicture[], width: number): (name: number) => Float32Array {
  const bySerial = new Map(pictures.map(({ serial, rows }) => [serial, rows]));
  return (name) => {
    const row = rowOf(name);
    const found = bySerial.get(serialOf(name))?.subarray(row * width, (row + 1) * width);
    if (found?.length !== width) throw new RangeError(`no row of a picture for ${name}`);
    return found;
  };
}
