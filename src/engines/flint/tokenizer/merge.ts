/** Symbols of a text that are neighbours, by their numbers. Grows as needed; only `count` of them are in use. */
export class Run {
  count = 0;
  /** Token of each symbol; -1 where it is none. */
  ids: Int32Array = new Int32Array(64);
  /** Where each symbol ends in the bytes of the text. The first one starts at `start`. */
  ends: Int32Array = new Int32Array(64);
  start = 0;

  clear(start: number): void {
    this.count = 0;
    this.start = start;
  }

  push(id: number, end: number): void {
    if (this.count === this.ids.length) {
      this.ids = grow(this.ids);
      this.ends = grow(this.ends);
    }
    this.ids[this.count] = id;
    this.ends[this.count++] = end;
  }

  /** Large buffers are not kept for the next text. */
  release(): void {
    if (this.ids.length <= 65_536) return;
    this.ids = new Int32Array(64);
    this.ends = new Int32Array(64);
  }
}

function grow(array: Int32Array): Int32Array {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}

/** Which neighbours may become one symbol. */
export interface Joins {
  /**
   * The join of two neighbouring symbols, -1 for none: what they are, and the bytes from the start of the first to the
   * end of the second.
   */
  find(left: number, right: number, from: number, to: number): number;
  /** By join: the lowest comes first; of equals the leftmost. Below 2^26. */
  rank(join: number): number;
  /** By join: the token that it makes. */
  token(join: number): number;
}

const none = -1;

/** Joins neighbours, always the best pair of the whole run next, until no two can be joined. */
export function mergeRun(run: Run, joins: Joins): void {
  if (run.count < 2) return;
  if (run.count <= 32) mergeShort(run, joins);
  else mergeLong(run, joins);
}

const shortJoins = new Int32Array(32);

/** Looks at all pairs for each join: the fastest way for the length of a word. */
function mergeShort(run: Run, joins: Joins): void {
  const { ids, ends } = run;
  const joinAt = (index: number): number =>
    joins.find(
      ids[index] ?? none,
      ids[index + 1] ?? none,
      index === 0 ? run.start : (ends[index - 1] ?? 0),
      ends[index + 1] ?? 0,
    );
  for (let index = 0; index + 1 < run.count; index++) shortJoins[index] = joinAt(index);
  for (;;) {
    let best = none;
    let bestRank = Infinity;
    for (let index = 0; index + 1 < run.count; index++) {
      const join = shortJoins[index] ?? none;
      if (join === none) continue;
      const rank = joins.rank(join);
      if (rank < bestRank) {
        bestRank = rank;
        best = index;
      }
    }
    if (best === none) return;
    ids[best] = joins.token(shortJoins[best] ?? none);
    ends[best] = ends[best + 1] ?? 0;
    ids.copyWithin(best + 1, best + 2, run.count);
    ends.copyWithin(best + 1, best + 2, run.count);
    shortJoins.copyWithin(best, best + 1, run.count - 1);
    run.count--;
    if (best > 0) shortJoins[best - 1] = joinAt(best - 1);
    if (best + 1 < run.count) shortJoins[best] = joinAt(best);
  }
}

/** A queue of joins over a linked list of symbols: n log n for n symbols. */
function mergeLong(run: Run, joins: Joins): void {
  const { count, ids, ends } = run;
  const starts = new Int32Array(count);
  const previous = new Int32Array(count);
  const next = new Int32Array(count);
  for (let index = 0; index < count; index++) {
    starts[index] = index === 0 ? run.start : (ends[index - 1] ?? 0);
    previous[index] = index - 1;
    next[index] = index + 1 < count ? index + 1 : none;
  }
  const queue = new Queue(count);
  const add = (left: number, right: number): void => {
    if (left === none || right === none) return;
    const join = joins.find(ids[left] ?? none, ids[right] ?? none, starts[left] ?? 0, ends[right] ?? 0);
    if (join !== none) queue.push(joins.rank(join), left, join, ends[right] ?? 0);
  };
  for (let index = 0; index + 1 < count; index++) add(index, index + 1);
  while (queue.pop()) {
    const { left } = queue;
    const right = next[left] ?? none;
    // The pair of this join is gone where one of the two has become longer, or part of another.
    if (right === none || starts[left] === none || ends[right] !== queue.end) continue;
    const after = next[right] ?? none;
    ids[left] = joins.token(queue.join);
    ends[left] = queue.end;
    starts[right] = none;
    next[left] = after;
    if (after !== none) previous[after] = left;
    add(previous[left] ?? none, left);
    add(left, after);
  }
  let kept = 0;
  for (let index = 0; index !== none; index = next[index] ?? none) {
    ids[kept] = ids[index] ?? none;
    ends[kept++] = ends[index] ?? 0;
  }
  run.count = kept;
}

const positions = 2 ** 27;

/** A binary heap: the lowest rank first, of equal ranks the leftmost. */
class Queue {
  /** What the last `pop` took out: the symbol on the left, the join, and where it ends in the text. */
  left = 0;
  join = 0;
  end = 0;
  private length = 0;
  /** Rank × 2^27 + index of the symbol. */
  private keys: Float64Array;
  private joins: Int32Array;
  private ends: Int32Array;

  constructor(size: number) {
    this.keys = new Float64Array(size);
    this.joins = new Int32Array(size);
    this.ends = new Int32Array(size);
  }

  push(rank: number, left: number, join: number, end: number): void {
    if (this.length === this.keys.length) this.grow();
    const { keys, joins, ends } = this;
    const key = rank * positions + left;
    let at = this.length++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = keys[parent] ?? 0;
      if (above <= key) break;
      keys[at] = above;
      joins[at] = joins[parent] ?? 0;
      ends[at] = ends[parent] ?? 0;
      at = parent;
    }
    keys[at] = key;
    joins[at] = join;
    ends[at] = end;
  }

  pop(): boolean {
    if (this.length === 0) return false;
    const { keys, joins, ends } = this;
    this.left = (keys[0] ?? 0) % positions;
    this.join = joins[0] ?? 0;
    this.end = ends[0] ?? 0;
    const last = --this.length;
    const key = keys[last] ?? 0;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= last) break;
      if (child + 1 < last && (keys[child + 1] ?? 0) < (keys[child] ?? 0)) child++;
      if ((keys[child] ?? 0) >= key) break;
      keys[at] = keys[child] ?? 0;
      joins[at] = joins[child] ?? 0;
      ends[at] = ends[child] ?? 0;
      at = child;
    }
    keys[at] = key;
    joins[at] = joins[last] ?? 0;
    ends[at] = ends[last] ?? 0;
    return true;
  }

  private grow(): void {
    const keys = new Float64Array(this.keys.length * 2 + 16);
    keys.set(this.keys);
    this.keys = keys;
    this.joins = copyInto(this.joins, keys.length);
    this.ends = copyInto(this.ends, keys.length);
  }
}

function copyInto(array: Int32Array, length: number): Int32Array {
  const larger = new Int32Array(length);
  larger.set(array);
  return larger;
}
