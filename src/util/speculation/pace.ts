/** What steps cost, and how many guesses and rows of prompts pay. */

/** Steps of up to so many rows are told apart. */
const mostTold = 64;
/** Weight of the newest measurement. */
const weight = 0.1;
/** Times what was expected: more counts as that. */
const mostSurprise = 2;
/** Rows come in tiles of so many: one that is not full takes as long as a full one. */
const tileRows = 4;
/** A prompt makes a step longer by at most this part of it. */
const mostSlower = 0.5;
const mostGuesses = 16;

export interface GuessOdds {
  readonly rows: number;
  readonly chance: number;
  readonly most: number;
  readonly guessMs?: number;
}

/** Time of a step by its rows, in milliseconds. */
export class Pace {
  readonly #ms: (number | undefined)[] = [];
  /** Of a row in a step of many. */
  #rowMs: number | undefined;

  record(rows: number, ms: number): void {
    if (rows <= mostTold) this.#ms[rows] = average(this.#ms[rows], ms);
    else this.#rowMs = average(this.#rowMs, ms / rows);
  }

  /** Between two known numbers of rows in proportion; beyond them by the time of a row. */
  estimate(rows: number): number {
    const known = this.#ms[rows];
    if (known !== undefined) return known;
    let below = rows - 1;
    while (below > 0 && this.#ms[below] === undefined) below--;
    let above = rows + 1;
    while (above <= mostTold && this.#ms[above] === undefined) above++;
    const low = this.#ms[below];
    const high = this.#ms[above];
    if (low !== undefined && high !== undefined) return low + ((high - low) * (rows - below)) / (above - below);
    if (low !== undefined) return low + (rows - below) * (this.#rowMs ?? low / 4);
    if (high !== undefined) return Math.max(high / 2, high - (above - rows) * (this.#rowMs ?? high / above));
    return (rows + 4) * (this.#rowMs ?? 1);
  }

  /** Rows of so many prompts beside so many others. At least 1, so that they come to an end. */
  promptRows(rows: number, prompts = 1): number {
    const limit = this.estimate(rows) * (1 + prompts * mostSlower);
    let more = 1;
    while (more < mostTold && this.estimate(rows + more + 1) <= limit) more++;
    return Math.ceil((rows + more) / tileRows) * tileRows - rows;
  }

  /**
   * How many guesses give the most tokens for the time, in a step that has so many rows and gives as many tokens without
   * them. `chance`: that a guess is right where those before it are; `guessMs`: what making one costs.
   */
  guesses({ rows, chance, most, guessMs = 0 }: GuessOdds): number {
    let best = 0;
    let bestRate = rows / this.estimate(rows);
    let expected = rows;
    let right = 1;
    for (let count = 1; count <= Math.min(most, mostGuesses); count++) {
      right *= chance;
      expected += right;
      const rate = expected / (this.estimate(rows + count) + count * guessMs);
      if (rate <= bestRate) continue;
      best = count;
      bestRate = rate;
    }
    return best;
  }
}

/** A step that another program held up says little of the next one. */
function average(old: number | undefined, value: number): number {
  return old === undefined ? value : old + weight * (Math.min(value, mostSurprise * old) - old);
}

/** How far a guess of the last kind can be trusted: right and wrong ones, the older the less. */
interface Tally {
  right: number;
  wrong: number;
}

const forgets = 0.85;
/** A kind that is not tried any more is slowly trusted again. */
const recovers = 0.98;
const priorWeight = 2;
/** Kinds: by the number of tokens that matched. A draft model's guesses are one more. */
const kinds = [3, 4, 6, 10, 20] as const;
const priors = [0.2, 0.3, 0.55, 0.75, 0.9, 0.6] as const;
export const draftKind: number = kinds.length;

export function kindOf(matched: number): number {
  return Math.max(
    0,
    kinds.findLastIndex((least) => matched >= least),
  );
}

/** Learns from one text. */
export class Trust {
  readonly #tallies: Tally[] = priors.map((prior) => ({
    right: prior * priorWeight,
    wrong: (1 - prior) * priorWeight,
  }));

  /** The chance that a guess is right where those before it are. */
  chance(kind: number): number {
    const { right = 0, wrong = 1 } = this.#tallies[kind] ?? {};
    return right / (right + wrong);
  }

  learn(kind: number, guessed: number, right: number): void {
    const tally = this.#tallies[kind];
    if (!tally || guessed === 0) return;
    tally.right = tally.right * forgets + right;
    tally.wrong = tally.wrong * forgets + (right < guessed ? 1 : 0);
  }

  /** There was a guess, and it was not tried. */
  rest(kind: number): void {
    const tally = this.#tallies[kind];
    const prior = priors[kind];
    if (!tally || prior === undefined) return;
    tally.right = tally.right * recovers + prior * priorWeight * (1 - recovers);
    tally.wrong = tally.wrong * recovers + (1 - prior) * priorWeight * (1 - recovers);
  }
}
