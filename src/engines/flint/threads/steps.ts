/** Runs steps with the memory and the workers of a loaded model. Knows of sequences only where their cache stands. */
import { HearthError } from "../../../error.ts";
import { BlockTable } from "../cache/blocks.ts";
import { CacheMemory } from "../cache/memory.ts";
import { PrefixCache } from "../cache/prefix.ts";
import type { HeldBlocks } from "../cache/held.ts";
import type { BlockStore } from "../cache/store.ts";
import type { Plan } from "../graph/plan.ts";
import { frequenciesOf } from "../graph/rope-table.ts";
import type { PlacedPicture } from "../pictures/names.ts";
import { findRows } from "../pictures/names.ts";
import { createPlaces } from "../pictures/places.ts";
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

/** What the rows of a step bring along, one row after the other. */
export interface Brought {
  /** For each input of the graph. */
  readonly inputs?: readonly Float32Array[];
  /** Cosine and sine of each pair, in place of those of a row's position. */
  readonly angles?: Float32Array | undefined;
  /** Where each part of the rows ends; layers with `AttentionOptions.parts` see no further. */
  readonly parts?: Int32Array | undefined;
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
  #embedding: ReturnType<typeof embeddingOf> | undefined;
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
  run(parts: readonly BatchPart[], { inputs = [], angles, parts: ends }: Brought = {}): void {
    const { control } = this.#compute;
    const rows = parts.reduce((sum, { tokens }) => sum + tokens.length, 0);
    if (rows > this.plan.capacity.all) throw new RangeError(`${rows} rows in a step of ${this.plan.capacity.all}`);
    for (const { table, position, tokens } of parts) table.reserve(position + tokens.length, position);
    control.close();
    // Made at the first step: by then other threads have loaded their tensors too.
    this.#writer ??= createWriter(this.plan, this.#memories);
    this.#writer.write(parts);
    if (ends) this.#writer.writeParts(ends);
    this.#bringPictures(parts);
    inputs.forEach((input, index) => this.#bring(input, this.plan.inputs[index]));
    const [rope] = this.plan.ropes;
    if (angles && rope) for (const { buffer } of this.#memories) new Float32Array(buffer).set(angles, rope.table / 4);
    this.#compute.runStep(control.begin(this.#model));
    if (control.failed) throw new HearthError("engine_failed", "A kernel of flint failed.");
  }

  /** Rows of pictures stand where those of the table of embeddings would. */
  #bringPictures(parts: readonly BatchPart[]): void {
    if (!parts.some(({ rowOf }) => rowOf)) return;
    const { floats, value } = (this.#embedding ??= embeddingOf(this.plan, this.#memories));
    let row = 0;
    for (const { tokens, rowOf } of parts) {
      for (const token of tokens) {
        if (token < 0 && rowOf) floats.set(rowOf(token), (value.address + row * value.stride) / 4);
        row++;
      }
    }
  }

  /** What the rows of a prompt with these pictures are found by, and where they stand. */
  takePictures(pictures: readonly PlacedPicture[], prompt: readonly number[]): Pick<BatchPart, "rowOf" | "placeOf"> {
    for (const { serial, digest } of pictures) this.cacheMemory.learn(serial, digest);
    const { value } = (this.#embedding ??= embeddingOf(this.plan, this.#memories));
    const rowOf = findRows(pictures, value.width);
    if (!this.plan.ropes.some(({ sections }) => sections)) return { rowOf };
    const columns = new Map(pictures.map((picture) => [picture.serial, picture.columns]));
    return { rowOf, placeOf: createPlaces(prompt, (serial) => columns.get(serial) ?? 1) };
  }

  #bring(input: Float32Array, id = -1): void {
    const value = this.plan.values[id];
    const [memory] = this.#memories;
    if (!value || !memory) throw new RangeError(`no input ${id}`);
    const { address, stride, width } = value;
    const floats = new Float32Array(memory.buffer);
    for (let row = 0; row * width < input.length; row++) {
      floats.set(input.subarray(row * width, (row + 1) * width), (address + row * stride) / 4);
    }
  }

  /** A row of the results, in the order in which outputs were asked for. */
  row(index: number): Float32Array {
    const { address = 0, stride = 0 } = this.plan.values[this.plan.result.value] ?? {};
    const start = (address + index * stride) / 4;
    return this.#floats.subarray(start, start + this.width);
  }
}

/** Where the rows of tokens are written. */
function embeddingOf({ stages, values }: Plan, memories: readonly WebAssembly.Memory[]) {
  for (const stage of stages) {
    const op = stage.kind === "rows" ? stage.ops.find(({ kind }) => kind === "embed") : undefined;
    const value = op && values[op.out];
    const memory = memories[stage.bank];
    if (value && memory) return { value, floats: new Float32Array(memory.buffer) };
  }
  throw new RangeError("no embedding");
}

function createWriter(plan: Plan, memories: readonly WebAssembly.Memory[]): BatchWriter {
  const frequencies = plan.ropes.map((rope) => {
    const factors = rope.factors && plan.vectors[rope.factors.name];
    const memory = factors && memories[factors.bank];
    return frequenciesOf(rope, memory && new Float32Array(memory.buffer, factors.address, factors.length));
  });
  return new BatchWriter(plan, memories, frequencies);
}
