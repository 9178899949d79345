/** Runs steps with the memory and the workers of a loaded model. Knows of sequences only where their cache stands. */
import { HearthError } from "../../../error.ts";
import { BlockTable } from "../cache/blocks.ts";
import { CacheMemory } from "../cache/memory.ts";
import { PrefixCache } from "../cache/prefix.ts";
import type { HeldBlocks } from "../cache/held.ts";
import type { BlockStore } from "../cache/store.ts";
import type { Plan } from "../graph/plan.ts";
import { frequenciesOf } from "../graph/rope-table.ts";
import type { BatchPart, StepTable } from "../scheduler/batch.ts";
import { BatchWriter } from "../scheduler/batch.ts";
import type { Compute, WorkerSetup } from "./worker.ts";

export interface StepsOptions {
  readonly setup: Pick<WorkerSetup, "plan" | "memories">;
  readonly compute: Compute;
  /** Which of the models of the workers it is. Default 0. */
  readonly model?: number;
  /** Keeps blocks outside memory. */
  readonly store?: BlockStore | undefined;
}

export class Steps {
  readonly plan: Plan;
  readonly cache: PrefixCache;
  readonly cacheMemory: CacheMemory;
  /** Places of texts that are computed and forgotten; the leader's sequences have all but the last one. */
  readonly tables: readonly BlockTable[];
  /** Length of a row of results. */
  readonly width: number;
  readonly #compute: Compute;
  readonly #memories: readonly WebAssembly.Memory[];
  readonly #model: number;
  readonly #store: BlockStore | undefined;
  #writer: BatchWriter | undefined;
  readonly #floats: Float32Array;

  constructor({ setup: { plan, memories }, compute, model = 0, store }: StepsOptions) {
    this.plan = plan;
    this.width = plan.values[plan.result.value]?.width ?? 0;
    this.#compute = compute;
    const result = memories[plan.resultBank];
    if (!result) throw new RangeError("no memory");
    this.#floats = new Float32Array(result.buffer);
    this.#memories = memories;
    this.#store = store;
    this.#model = model;
    const cacheMemory = new CacheMemory(plan, memories, store);
    this.cacheMemory = cacheMemory;
    this.cache = new PrefixCache(plan.cacheGroups, (block) => cacheMemory.save(block));
    this.tables = Array.from({ length: plan.sequences }, (_, index) => new BlockTable(this.cache, cacheMemory, index));
  }

  /** Bytes that the store holds. */
  get storeBytes(): number {
    return this.#store?.sizeBytes ?? 0;
  }

  tableOf(held: HeldBlocks): StepTable {
    return { address: this.cacheMemory.address(held.table), reserve: (tokens) => held.reserve(tokens) };
  }

  /** Computes the parts in one step; the rows of its results can be read until the next one. Throws `engine_failed`. */
  run(parts: readonly BatchPart[]): void {
    const { control } = this.#compute;
    const rows = parts.reduce((sum, { tokens }) => sum + tokens.length, 0);
    if (rows > this.plan.capacity.all) throw new RangeError(`${rows} rows in a step of ${this.plan.capacity.all}`);
    for (const { table, position, tokens } of parts) table.reserve(position + tokens.length, position);
    control.close();
    // Made at the first step: by then other threads have loaded their tensors too.
    this.#writer ??= createWriter(this.plan, this.#memories);
    this.#writer.write(parts);
    this.#compute.runStep(control.begin(this.#model));
    if (control.failed) throw new HearthError("engine_failed", "A kernel of flint failed.");
  }

  /** A row of the results, in the order in which outputs were asked for. */
  row(index: number): Float32Array {
    const { address = 0, stride = 0 } = this.plan.values[this.plan.result.value] ?? {};
    const start = (address + index * stride) / 4;
    return this.#floats.subarray(start, start + this.width);
  }
}

function createWriter(plan: Plan, memories: readonly WebAssembly.Memory[]): BatchWriter {
  const frequencies = plan.ropes.map((rope) => {
    const factors = rope.factors && plan.vectors[rope.factors.name];
    const memory = factors && memories[factors.bank];
    return frequenciesOf(rope, memory && new Float32Array(memory.buffer, factors.address, factors.length));
  });
  return new BatchWriter(plan, memories, frequencies);
}
