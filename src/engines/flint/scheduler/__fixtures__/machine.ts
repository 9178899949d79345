/** A machine without a model: blocks hold the tokens themselves, so that a wrong block is seen, and the next token is a sum. */
import type { BlockMemory } from "../../cache/held.ts";
import type { Block, CacheGroup } from "../../cache/prefix.ts";
import { PrefixCache, firstSeen } from "../../cache/prefix.ts";
import type { BlockPart } from "../../cache/store.ts";
import { leastPart } from "../../cache/store.ts";
import { blockTokens } from "../../graph/plan.ts";
import type { Share } from "../scheduler.ts";
import { Scheduler } from "../scheduler.ts";
import type { Sequence } from "../sequence.ts";
import { createSequence } from "../sequence.ts";

export interface Job extends Sequence {
  readonly answer: number;
  onEnd: (tokens: readonly number[]) => void;
}

/** What is written outside memory: it outlives a machine. By the text before a block, then by its own tokens. */
export type Outside = Map<string, Map<string, Kept>>;

interface Kept {
  readonly tokens: readonly number[];
  readonly places: readonly (readonly string[])[];
}

export interface MachineOptions {
  readonly groups: readonly CacheGroup[];
  readonly sequences: number;
  readonly rows: number;
  readonly outside?: Outside;
  readonly wholePictures?: boolean;
  /** Guesses for a sequence. */
  readonly guess?: (job: Job) => readonly number[];
}

/** The token after a text. */
export function nextToken(tokens: readonly number[]): number {
  let sum = 7;
  for (const token of tokens.slice(-100)) sum = (sum * 31 + token) % 65_521;
  return Math.abs(sum) % 50;
}

export class Machine {
  readonly cache: PrefixCache;
  readonly scheduler: Scheduler<Job>;
  readonly #options: MachineOptions;
  readonly #tables: number[][][] = [];
  readonly #blocks: string[][][];
  /** Rows of each step. */
  readonly steps: (readonly Share<Job>[])[] = [];

  constructor(options: MachineOptions) {
    this.#options = options;
    const { groups, sequences, wholePictures = false } = options;
    this.cache = new PrefixCache(groups, (block) => this.#save(block));
    this.#blocks = groups.map(({ blocks }) => Array.from({ length: blocks }, () => []));
    this.scheduler = new Scheduler({ cache: this.cache, memory: this.#memory(), sequences, wholePictures });
  }

  add(options: Pick<Job, "id" | "prompt" | "root" | "priority" | "answer">, onEnd: Job["onEnd"] = () => {}): Job {
    const job = { ...createSequence(options), onEnd };
    this.scheduler.add(job);
    return job;
  }

  get idle(): boolean {
    return this.scheduler.running.length + this.scheduler.waiting === 0;
  }

  step(promptRows = 4): void {
    const { rows, guess } = this.#options;
    for (const job of this.scheduler.running) job.draft = guess?.(job) ?? [];
    const { shares } = this.scheduler.plan({ rows, outputs: rows, promptRows: () => promptRows });
    if (shares.length === 0 && this.scheduler.running.length > 0) throw new Error("nothing moves");
    this.steps.push(shares);
    for (const share of shares) this.#compute(share);
    for (const share of shares) this.#absorb(share);
  }

  run(): void {
    while (!this.idle) this.step();
  }

  /** All that nobody writes goes outside. */
  saveAll(): void {
    this.cache.finish();
    for (const block of this.cache.fresh) this.#save(block);
    this.cache.fresh.clear();
  }

  #compute({ sequence, tokens }: Share<Job>): void {
    const { held, computed, root } = sequence;
    if (!held) throw new Error("a sequence without blocks was planned");
    const said = [...sequence.tokens.slice(0, computed), ...tokens];
    this.#options.groups.forEach(({ window }, group) => {
      const table = this.#tables[held.table]?.[group] ?? [];
      tokens.forEach((token, index) => {
        const at = computed + index;
        const slots = this.#blocks[group]?.[table[Math.floor(at / blockTokens)] ?? -1];
        if (!slots) throw new Error(`token ${at} has no block`);
        slots[at % blockTokens] = tag(root, token);
      });
      // Everything that its rows see has to be there.
      const first = window === undefined ? 0 : firstSeen(computed, window) * blockTokens;
      for (let at = first; at < said.length; at++) {
        const slots = this.#blocks[group]?.[table[Math.floor(at / blockTokens)] ?? -1];
        if (slots?.[at % blockTokens] !== tag(root, said[at] ?? -1)) {
          throw new Error(`token ${at} of request ${sequence.id} is ${slots?.[at % blockTokens]} in group ${group}`);
        }
      }
    });
  }

  #absorb(share: Share<Job>): void {
    const { sequence, tokens, outputs } = share;
    const guesses = tokens.slice(tokens.length - outputs + 1);
    this.scheduler.advance(share, tokens.length - Math.max(0, outputs - 1));
    for (let row = 0; row < outputs; row++) {
      const token = nextToken(sequence.tokens);
      sequence.tokens.push(token);
      if (sequence.tokens.length === sequence.prompt.length + sequence.answer) {
        this.scheduler.remove(sequence);
        sequence.onEnd(sequence.tokens.slice(sequence.prompt.length));
        return;
      }
      if (guesses[row] !== token) break;
      sequence.computed++;
    }
    this.scheduler.settle(sequence);
  }

  #memory(): BlockMemory {
    return {
      setTable: (table, group, index, place) => {
        const groups = (this.#tables[table] ??= this.#options.groups.map(() => []));
        (groups[group] ?? [])[index] = place;
      },
      copy: (group, from, to) => {
        const blocks = this.#blocks[group];
        if (blocks) blocks[to] = [...(blocks[from] ?? [])];
      },
      stored: (parent, tokens) => {
        const [before, name] = [nameOf(parent), tokens.join()];
        return this.#outside(before).has(name) ? `${before}/${name}` : undefined;
      },
      storedPart: (parent, tokens) => {
        const before = nameOf(parent);
        return longestPart(before, this.#outside(before), tokens);
      },
      restore: (key, places) => {
        const slash = key.lastIndexOf("/");
        const kept = this.#outside(key.slice(0, slash)).get(key.slice(slash + 1));
        if (!kept) return false;
        places.forEach((place, group) => this.#blocks[group]?.splice(place, 1, [...(kept.places[group] ?? [])]));
        return true;
      },
    };
  }

  #outside(parent: string): Map<string, Kept> {
    return this.#options.outside?.get(parent) ?? new Map();
  }

  #save(block: Block): void {
    const { parent, tokens, places } = block;
    if (!parent || block.stored || places.some((place) => place < 0) || tokens.length < leastPart) return;
    block.stored = true;
    const before = nameOf(parent);
    const family = this.#outside(before);
    this.#options.outside?.set(before, family);
    family.set(tokens.join(), {
      tokens,
      places: places.map((place, group) => [...(this.#blocks[group]?.[place] ?? [])]),
    });
  }
}

function tag(root: string, token: number): string {
  return `${root}:${token}`;
}

function nameOf(block: Block): string {
  return block.parent ? `${nameOf(block.parent)}/${block.tokens.join()}` : block.name;
}

function longestPart(parent: string, family: Map<string, Kept>, tokens: readonly number[]): BlockPart | undefined {
  let best: BlockPart | undefined;
  for (const [name, kept] of family) {
    let count = 0;
    while (count < Math.min(tokens.length, kept.tokens.length) && kept.tokens[count] === tokens[count]) count++;
    if (count >= Math.max(leastPart, (best?.tokens ?? 0) + 1)) best = { key: `${parent}/${name}`, tokens: count };
  }
  return best;
}

/** What a request gets that runs alone. */
export function answerOf(prompt: readonly number[], length: number): readonly number[] {
  const tokens = [...prompt];
  while (tokens.length < prompt.length + length) tokens.push(nextToken(tokens));
  return tokens.slice(prompt.length);
}
