/** Tokens that may still be chosen, in no order, in arrays that have room for the whole vocabulary. */
export interface Candidates {
  readonly tokens: Int32Array;
  readonly logits: Float32Array;
  /** Not normalized; valid after `weigh`. */
  readonly weights: Float64Array;
  /** What a step orders them by, lowest first. */
  readonly keys: Float64Array;
  count: number;
  /** Sum of the weights. */
  total: number;
  /** The highest logit; valid after `weigh`. */
  highest: number;
}

let last: Candidates | undefined;

/** Room for a vocabulary. Sampling one token is never interrupted, so all samplers of one size share it. */
export function candidatesFor(size: number): Candidates {
  if (last?.tokens.length === size) return last;
  last = {
    tokens: new Int32Array(size),
    logits: new Float32Array(size),
    weights: new Float64Array(size),
    keys: new Float64Array(size),
    count: 0,
    total: 0,
    highest: -Infinity,
  };
  return last;
}

/** Which tokens of a row of logits come into question. */
export interface Choice {
  /** Bit set: allowed. Absent: all are. */
  readonly mask: Uint32Array | undefined;
  /** The lowest logit; -Infinity and NaN are never taken. */
  readonly floor: number;
}

/** No floor: every finite logit, and +Infinity. */
export const noFloor: number = -Number.MAX_VALUE;

/** The allowed token with the highest logit, the lowest of several; -1: there is none. */
export function findHighest(row: Float32Array, mask: Uint32Array | undefined): number {
  let best = -1;
  let highest = -Infinity;
  for (let start = 0; start < row.length; start += 32) {
    const bits = mask ? (mask[start >>> 5] ?? 0) : -1;
    if (bits === 0) continue;
    const end = Math.min(start + 32, row.length);
    for (let token = start; token < end; token++) {
      const logit = row[token] ?? -Infinity;
      if (logit > highest && (bits >>> (token & 31)) & 1) {
        highest = logit;
        best = token;
      }
    }
  }
  return best;
}

/** Takes all tokens of the choice. */
export function collectAll(into: Candidates, row: Float32Array, { mask, floor }: Choice): void {
  const { tokens, logits } = into;
  let count = 0;
  for (let start = 0; start < row.length; start += 32) {
    const bits = mask ? (mask[start >>> 5] ?? 0) : -1;
    if (bits === 0) continue;
    const end = Math.min(start + 32, row.length);
    for (let token = start; token < end; token++) {
      const logit = row[token] ?? -Infinity;
      if (logit >= floor && (bits >>> (token & 31)) & 1) {
        tokens[count] = token;
        logits[count++] = logit;
      }
    }
  }
  into.count = count;
}

/** Takes the `most` tokens of the choice with the highest logits; of equal ones, those with the lowest ids. */
export function collectTop(into: Candidates, row: Float32Array, { mask, floor }: Choice, most: number): void {
  const { logits } = into;
  let count = 0;
  let worst = floor;
  for (let start = 0; start < row.length; start += 32) {
    const bits = mask ? (mask[start >>> 5] ?? 0) : -1;
    if (bits === 0) continue;
    const end = Math.min(start + 32, row.length);
    for (let token = start; token < end; token++) {
      const logit = row[token] ?? -Infinity;
      if (!(logit >= worst) || !((bits >>> (token & 31)) & 1)) continue;
      if (count < most) {
        rise(into, count++, token, logit);
        if (count === most) worst = logits[0] ?? worst;
      } else if (logit > worst) {
        sink(into, most, token, logit);
        worst = logits[0] ?? worst;
      }
    }
  }
  into.count = count;
}

/** A heap with the worst on top: the lowest logit, of equal ones the highest id. Puts a new one at its end. */
function rise({ tokens, logits }: Candidates, end: number, token: number, logit: number): void {
  let at = end;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = logits[parent] ?? 0;
    // Ids rise while a row is read: a new token is worse than an old one of the same logit.
    if (above < logit) break;
    logits[at] = above;
    tokens[at] = tokens[parent] ?? 0;
    at = parent;
  }
  logits[at] = logit;
  tokens[at] = token;
}

/** Puts a new one in place of the worst. */
function sink({ tokens, logits }: Candidates, size: number, token: number, logit: number): void {
  let at = 0;
  for (let child = 1; child < size; child = 2 * at + 1) {
    if (child + 1 < size && isWorse(tokens, logits, child + 1, child)) child++;
    // Of the same logit the new one has the highest id, and is the worst.
    if ((logits[child] ?? 0) >= logit) break;
    logits[at] = logits[child] ?? 0;
    tokens[at] = tokens[child] ?? 0;
    at = child;
  }
  logits[at] = logit;
  tokens[at] = token;
}

function isWorse(tokens: Int32Array, logits: Float32Array, left: number, right: number): boolean {
  const difference = (logits[left] ?? 0) - (logits[right] ?? 0);
  return difference < 0 || (difference === 0 && (tokens[left] ?? 0) > (tokens[right] ?? 0));
}
