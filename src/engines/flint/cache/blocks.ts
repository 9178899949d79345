/** Blocks of the KV cache: 32 tokens each, dealt to sequences as they grow. */
import { HearthError } from "../../../error.ts";
import { blockTokens } from "../graph/plan.ts";

export class BlockPool {
  readonly #free: number[];
  /** Blocks that were ever used: only their memory is really there. */
  #touched = 0;

  constructor(blocks: number) {
    this.#free = Array.from({ length: blocks }, (_, index) => blocks - 1 - index);
  }

  get free(): number {
    return this.#free.length;
  }

  get touched(): number {
    return this.#touched;
  }

  take(): number {
    const block = this.#free.pop();
    if (block === undefined) {
      throw new HearthError("out_of_memory", "The KV cache is full.", {
        hint: "Run fewer requests at once (--parallel), or a shorter context (--context).",
      });
    }
    this.#touched = Math.max(this.#touched, block + 1);
    return block;
  }

  give(block: number): void {
    this.#free.push(block);
  }
}

/** The cache of one sequence. */
export class BlockTable {
  readonly #pool: BlockPool;
  readonly #blocks: number[] = [];
  /** The table stands in every bank. */
  readonly #copies: readonly Int32Array[];
  /** Address of the table in memory, for the kernels. */
  readonly address: number;

  constructor(pool: BlockPool, memories: readonly WebAssembly.Memory[], address: number) {
    this.#pool = pool;
    this.#copies = memories.map(({ buffer }) => new Int32Array(buffer));
    this.address = address;
  }

  /** Takes blocks until `tokens` fit. Throws `out_of_memory`. */
  reserve(tokens: number): void {
    while (this.#blocks.length * blockTokens < tokens) {
      const block = this.#pool.take();
      for (const words of this.#copies) words[this.address / 4 + this.#blocks.length] = block;
      this.#blocks.push(block);
    }
  }

  /** Gives back what lies behind the first `tokens` tokens. */
  truncate(tokens: number): void {
    while ((this.#blocks.length - 1) * blockTokens >= tokens) {
      const block = this.#blocks.pop();
      if (block === undefined) return;
      this.#pool.give(block);
    }
  }
}
