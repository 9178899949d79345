/** The cache of a text that is computed and forgotten: nothing of it is shared. */
import { HearthError } from "../../../error.ts";
import { blockTokens } from "../graph/plan.ts";
import type { CacheMemory } from "./memory.ts";
import type { PrefixCache } from "./prefix.ts";
import { firstSeen } from "./prefix.ts";

export class BlockTable {
  readonly #cache: PrefixCache;
  readonly #memory: CacheMemory;
  readonly #table: number;
  readonly #blocks: number[][] = [];

  constructor(cache: PrefixCache, memory: CacheMemory, table: number) {
    this.#cache = cache;
    this.#memory = memory;
    this.#table = table;
  }

  /** Address of the table in memory, for the kernels. */
  get address(): number {
    return this.#memory.address(this.#table);
  }

  /** Takes blocks until `tokens` fit, of which those from `first` on are computed next. Throws `out_of_memory`. */
  reserve(tokens: number, first: number): void {
    this.#slide(first);
    while (this.#blocks.length * blockTokens < tokens) {
      const places = this.#cache.takeAll();
      if (!places) {
        throw new HearthError("out_of_memory", "The KV cache is full.", {
          hint: "Run fewer requests at once (--parallel), or a shorter context (--context).",
        });
      }
      places.forEach((place, group) => this.#memory.setTable(this.#table, group, this.#blocks.length, place));
      this.#blocks.push(places);
    }
  }

  /** Lets go of what no window sees any more. */
  #slide(first: number): void {
    this.#cache.groups.forEach(({ window }, group) => {
      if (window === undefined) return;
      for (const places of this.#blocks.slice(0, firstSeen(first, window))) {
        this.#cache.give(group, places[group] ?? -1);
        places[group] = -1;
      }
    });
  }

  /** Gives back what lies behind the first `tokens` tokens. */
  truncate(tokens: number): void {
    while ((this.#blocks.length - 1) * blockTokens >= tokens) this.#cache.giveAll(this.#blocks.pop() ?? []);
  }
}
