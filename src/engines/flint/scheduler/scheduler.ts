/**
 * What runs in the next step: decode tokens of all sequences that answer, and parts of prompts beside them. A pure state
 * machine over block tables: no clock, no memory, no thread.
 *
 * Who comes first: interactive before batch work, then by arrival. When no block is left, who comes last gives its own back
 * and waits; it goes on later as if nothing had been, since what it computes does not depend on who it runs with.
 */
import type { BlockMemory } from "../cache/held.ts";
import { HeldBlocks } from "../cache/held.ts";
import type { PrefixCache } from "../cache/prefix.ts";
import { blockTokens } from "../graph/plan.ts";
import { cutsPicture, pictureEnd } from "../pictures/names.ts";
import type { Sequence } from "./sequence.ts";
import { decodes } from "./sequence.ts";
import { shareRows } from "./together.ts";

export interface SchedulerOptions {
  readonly cache: PrefixCache;
  readonly memory: BlockMemory;
  /** Sequences that run at once. */
  readonly sequences: number;
  /** Rows of a picture that follow each other are computed in one step: they see each other both ways. */
  readonly wholePictures?: boolean;
}

export interface StepLimits {
  /** Rows of a step, and rows whose output can be asked for. */
  readonly rows: number;
  readonly outputs: number;
  /** Rows of so many prompts beside so many rows of others, so that these do not wait long. */
  readonly promptRows: (decodeRows: number, prompts: number) => number;
}

/** What of a sequence goes into the step: tokens from `computed` on, guesses last. */
export interface Share<T extends Sequence = Sequence> {
  readonly sequence: T;
  readonly tokens: readonly number[];
  /** Rows at its end whose outputs are wanted; 0: in the middle of a prompt. */
  readonly outputs: number;
}

export interface StepPlan<T extends Sequence = Sequence> {
  readonly shares: readonly Share<T>[];
  /** Those that got their place just now. */
  readonly admitted: readonly T[];
}

export class Scheduler<T extends Sequence = Sequence> {
  readonly #options: SchedulerOptions;
  readonly #tables: number[];
  /** Both in order of priority and arrival. */
  readonly #running: T[] = [];
  readonly #waiting: T[] = [];
  #arrivals = 0;
  preemptions = 0;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#tables = Array.from({ length: options.sequences }, (_, index) => options.sequences - 1 - index);
  }

  get running(): readonly T[] {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  find(id: number): T | undefined {
    return this.#running.find((one) => one.id === id) ?? this.#waiting.find((one) => one.id === id);
  }

  add(sequence: T): void {
    sequence.arrival = this.#arrivals++;
    insert(this.#waiting, sequence);
  }

  /** Ends a sequence, wherever it is; what it computed stays in the cache. */
  remove(sequence: T): void {
    this.#stop(sequence);
    take(this.#waiting, sequence);
  }

  plan(limits: StepLimits): StepPlan<T> {
    const admitted = this.#admit();
    const rows = this.#begins() ? Math.min(limits.rows, firstRows) : limits.rows;
    const step = new Step<T>({ ...limits, rows, capacity: limits.rows });
    for (const priority of priorities) {
      const ours = (): T[] => this.#running.filter((one) => one.priority === priority);
      // Making room takes sequences out, but only later ones.
      for (const sequence of ours()) if (decodes(sequence)) step.add(this.#decode(sequence, step.room));
      step.narrow(this.#running.filter((one) => !decodes(one)).length);
      const prompts = ours().filter((one) => one.held && !decodes(one));
      for (const sequence of prompts) this.#catchUp(sequence);
      this.#prefillAll(
        step,
        prompts.filter((one) => !this.#awaitsOther(one)),
      );
    }
    return { shares: step.shares.filter(({ sequence }) => sequence.held !== undefined), admitted };
  }

  /** The step is done: `kept` tokens of the share stand, all of them but wrong guesses. */
  advance({ sequence }: Share<T>, kept: number): void {
    sequence.computed += kept;
    sequence.draft = [];
  }

  /** Shares what is full; after the chosen tokens were added. */
  settle({ held, tokens, computed }: T): void {
    held?.commit(tokens, computed);
  }

  #admit(): T[] {
    const admitted: T[] = [];
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      while (this.#tables.length === 0 || !this.#fits(next)) if (!this.#preemptFor(next)) return admitted;
      this.#waiting.shift();
      this.#start(next);
      if (!next.begun) admitted.push(next);
      next.begun = true;
    }
    return admitted;
  }

  #start(sequence: T): void {
    const { tokens, root, begun } = sequence;
    const held = new HeldBlocks({ ...this.#options, table: this.#tables.pop() ?? 0, root });
    const computed = held.begin(tokens, tokens.length - 1);
    Object.assign(sequence, { held, computed });
    if (!begun) Object.assign(sequence, { cachedTokens: computed, restoredTokens: held.restored });
    insert(this.#running, sequence);
  }

  /** Room for the rest of its tokens and one more, and for each of the others one block; alone it always fits. */
  #fits({ tokens, root }: T): boolean {
    const others = this.#running.length;
    if (others === 0) return true;
    const { cache } = this.#options;
    const found = cache.peek(root, tokens, tokens.length - 1);
    const needed = Math.ceil((tokens.length + 1) / blockTokens) - found.blocks + others;
    return (
      cache.available(0) - found.idle >= needed && cache.groups.every((_, group) => cache.available(group) > others)
    );
  }

  #decode(sequence: T, most: number): Share<T> | undefined {
    const { tokens, computed, draft } = sequence;
    if (most <= 0) return undefined;
    const fits = this.#reserve(sequence, computed + 1, computed + 1 + Math.min(draft.length, most - 1));
    if (fits === 0) return undefined;
    const guesses = draft.slice(0, fits - 1);
    return { sequence, tokens: [...tokens.slice(computed), ...guesses], outputs: 1 + guesses.length };
  }

  /** The first step after a pause is short: who comes at the same moment takes part in the next. */
  #begins(): boolean {
    const [only, another] = this.#running;
    return another === undefined && only !== undefined && !only.preempted && only.computed === only.cachedTokens;
  }

  #prefillAll(step: Step<T>, prompts: readonly T[]): void {
    const rows = step.isEmpty
      ? shareRows(
          prompts.map(({ tokens, computed, cachedTokens }) => ({
            length: tokens.length - cachedTokens,
            left: tokens.length - computed,
          })),
          step.promptRoom,
        )
      : [];
    prompts.forEach((sequence, index) => step.add(this.#prefill(sequence, rows[index] ?? Infinity, step)));
  }

  #prefill(sequence: T, rows: number, step: Step<T>): Share<T> | undefined {
    const { tokens, computed } = sequence;
    const room = Math.min(rows, step.promptRoom);
    if (room <= 0) return undefined;
    const most = this.#options.wholePictures ? wholeEnd(sequence, room, step.capacity) : computed + room;
    const end = Math.min(tokens.length, most);
    if (end <= computed) return undefined;
    // A picture is not cut where the cache ends either.
    const isPicture = this.#options.wholePictures === true && (tokens[computed] ?? 0) < 0;
    let fits = this.#reserve(sequence, isPicture ? end : computed + 1, end);
    if (this.#options.wholePictures && fits < end - computed) fits = wholeEnd(sequence, fits, fits) - computed;
    if (fits <= 0) return undefined;
    const part = tokens.slice(computed, computed + fits);
    return { sequence, tokens: part, outputs: computed + fits === tokens.length ? 1 : 0 };
  }

  /** Somebody may have computed what comes next. */
  #catchUp(sequence: T): void {
    const { held, tokens, computed: before } = sequence;
    if (!held || before % blockTokens !== 0 || before >= tokens.length - 1) return;
    const computed = Math.max(before, held.catchUp(tokens, tokens.length - 1));
    if (!sequence.preempted) sequence.cachedTokens += computed - before;
    sequence.computed = computed;
  }

  /** An earlier sequence computes the very block that comes next: it will be there without any work. */
  #awaitsOther(sequence: T): boolean {
    const { held, tokens, computed } = sequence;
    const end = computed + blockTokens;
    if (!held || computed % blockTokens !== 0 || end >= tokens.length) return false;
    return this.#running.slice(0, this.#running.indexOf(sequence)).some((other) => {
      if (other.held?.last !== held.last || decodes(other) || other.tokens.length < end) return false;
      for (let at = computed; at < end; at++) if (other.tokens[at] !== tokens[at]) return false;
      return true;
    });
  }

  /** Room for `least` tokens, and up to `most`. Returns how many new ones fit; 0: it has to wait. */
  #reserve(sequence: T, least: number, most: number): number {
    for (;;) {
      const { held, computed } = sequence;
      if (!held) return 0;
      const fits = held.reserve(most);
      if (fits >= least) return fits - computed;
      const last = this.#running.at(-1);
      if (!last || last === sequence) {
        // Nobody is left who comes after it. Alone it would have all the blocks there are.
        if (this.#running.length > 1) this.#preempt(sequence);
        return 0;
      }
      this.#preempt(last);
    }
  }

  /** Batch work makes place for interactive work. */
  #preemptFor(next: T): boolean {
    const last = this.#running.at(-1);
    if (next.priority !== "interactive" || last?.priority !== "batch") return false;
    this.#preempt(last);
    return true;
  }

  #preempt(sequence: T): void {
    this.preemptions++;
    sequence.preempted = true;
    this.#stop(sequence);
    insert(this.#waiting, sequence);
  }

  #stop(sequence: T): void {
    if (!take(this.#running, sequence)) return;
    const { held, tokens, computed } = sequence;
    held?.release(tokens, computed);
    if (held) this.#tables.push(held.table);
    Object.assign(sequence, { held: undefined, computed: 0, draft: [] });
  }
}

/** What is in a step so far. */
class Step<T extends Sequence> {
  readonly #limits: StepLimits & { readonly capacity: number };
  readonly shares: Share<T>[] = [];
  #rows = 0;
  #outputs = 0;
  #most: number;
  #narrowed = false;

  constructor(limits: StepLimits & { readonly capacity: number }) {
    this.#limits = limits;
    this.#most = limits.rows;
  }

  /** Rows that may be added, each of which asks for its output. */
  get room(): number {
    return Math.min(this.#most - this.#rows, this.#limits.outputs - this.#outputs);
  }

  /** Rows that could be added if nobody's wait counted. */
  get capacity(): number {
    return this.#limits.capacity - this.#rows;
  }

  /** Rows of prompts that may be added: one of each may ask for its output. */
  get promptRoom(): number {
    return this.#outputs < this.#limits.outputs ? this.#most - this.#rows : 0;
  }

  get isEmpty(): boolean {
    return this.#rows === 0;
  }

  add(share: Share<T> | undefined): void {
    if (!share) return;
    this.shares.push(share);
    this.#rows += share.tokens.length;
    this.#outputs += share.outputs;
  }

  /** From here on the rows come beside those that must not wait long. */
  narrow(prompts: number): void {
    if (this.#narrowed || this.#rows === 0) return;
    this.#narrowed = true;
    const { rows, promptRows } = this.#limits;
    this.#most = Math.min(rows, this.#rows + Math.max(1, promptRows(this.#rows, prompts)));
  }
}

/**
 * Where a part of at most `room` tokens ends so that no picture is cut: before the picture that would be, or after it where
 * the part begins with it and `capacity` allows. No more than what is computed: it has to wait.
 */
function wholeEnd({ tokens, computed }: Sequence, room: number, capacity: number): number {
  let end = Math.min(tokens.length, computed + room);
  if (!cutsPicture(tokens, end)) return end;
  const whole = pictureEnd(tokens, end);
  while (end > computed && cutsPicture(tokens, end)) end--;
  if (end > computed) return end;
  return whole - computed <= capacity ? whole : computed;
}

/** Rows of a step that nobody else takes part in yet. */
const firstRows = 64;

const priorities = ["interactive", "batch"] as const;

function comesBefore(a: Sequence, b: Sequence): boolean {
  if (a.priority !== b.priority) return a.priority === "interactive";
  return a.arrival < b.arrival;
}

function insert<T extends Sequence>(list: T[], sequence: T): void {
  const index = list.findIndex((other) => comesBefore(sequence, other));
  list.splice(index < 0 ? list.length : index, 0, sequence);
}

function take<T>(list: T[], item: T): boolean {
  const index = list.indexOf(item);
  if (index >= 0) list.splice(index, 1);
  return index >= 0;
}
