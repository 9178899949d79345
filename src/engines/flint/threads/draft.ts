/** A smaller model that guesses what the first one will choose: its likeliest tokens, for all sequences at once. */
import { findHighest } from "../sampling/candidates.ts";
import type { Generation } from "../scheduler/generation.ts";
import { Pace } from "../../../util/speculation/pace.ts";
import type { Steps } from "./steps.ts";

export interface Wish {
  readonly sequence: Generation;
  readonly guesses: number;
}

export class Draft {
  readonly #steps: Steps;
  readonly #pace = new Pace();
  /** What the cache of each table holds. */
  readonly #held: number[][];

  constructor(steps: Steps) {
    this.#steps = steps;
    this.#held = steps.tables.map(() => []);
  }

  /** Milliseconds for one more guess, for so many sequences. */
  guessMs(sequences: number): number {
    return this.#pace.estimate(sequences);
  }

  /** Guesses are put into `draft` of the sequences. */
  guess(wishes: readonly Wish[]): void {
    const runs = wishes.flatMap(({ sequence, guesses }) => {
      const table = sequence.held?.table;
      return table === undefined ? [] : [{ sequence, guesses, table, made: [] as number[] }];
    });
    for (let open = runs; open.length > 0; open = open.filter(({ made, guesses }) => made.length < guesses)) {
      this.#step(open.map(({ sequence, table, made }) => ({ table, tokens: [...sequence.tokens, ...made], made })));
    }
    for (const { sequence, made } of runs) sequence.draft = made;
  }

  /** Brings each cache up to its tokens, as far as one step can, and adds a guess where it has come to the end. */
  #step(
    runs: readonly { readonly table: number; readonly tokens: readonly number[]; readonly made: number[] }[],
  ): void {
    const { plan, tables } = this.#steps;
    const share = Math.max(1, Math.floor(plan.capacity.all / runs.length));
    const parts = runs.slice(0, plan.capacity.all).flatMap(({ table: index, tokens, made }) => {
      const table = tables[index];
      const held = this.#held[index];
      if (!table || !held) return [];
      const position = commonLength(held, tokens, tokens.length - 1);
      held.length = position;
      table.truncate(position);
      const part = tokens.slice(position, position + share);
      held.push(...part);
      const whole = position + part.length === tokens.length;
      return [{ made, whole, tokens: part, position, table, outputsFrom: part.length - (whole ? 1 : 0) }];
    });
    const started = performance.now();
    this.#steps.run(parts);
    const rows = parts.reduce((sum, { tokens }) => sum + tokens.length, 0);
    this.#pace.record(rows, performance.now() - started);
    let output = 0;
    for (const { made, whole } of parts) if (whole) made.push(findHighest(this.#steps.row(output++), undefined));
  }
}

function commonLength(left: readonly number[], right: readonly number[], most: number): number {
  let length = 0;
  while (length < most && length < left.length && left[length] === right[length]) length++;
  return length;
}
