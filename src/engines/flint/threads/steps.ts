/** Runs steps with the memory and the workers of a loaded model. Knows of sequences only where their cache stands. */
import { HearthError } from "../../../error.ts";
import { ggmlType, tensorBytes } from "../../../formats/gguf/ggml.ts";
import type { GgufFile } from "../../../formats/gguf/types.ts";
import { BlockPool, BlockTable } from "../cache/blocks.ts";
import type { Plan } from "../graph/plan.ts";
import { frequenciesOf } from "../graph/rope-table.ts";
import type { Frequencies } from "../graph/rope-table.ts";
import type { BatchPart } from "../scheduler/batch.ts";
import { BatchWriter } from "../scheduler/batch.ts";
import { toFloat32 } from "../weights/codecs/float.ts";
import type { ReadFile } from "./load.ts";
import type { Compute, WorkerSetup } from "./worker.ts";

export interface StepsOptions {
  readonly setup: Pick<WorkerSetup, "plan" | "memory">;
  readonly compute: Compute;
  readonly file: GgufFile;
  readonly read: ReadFile;
}

export class Steps {
  readonly plan: Plan;
  /** Places of sequences in the cache. */
  readonly tables: readonly BlockTable[];
  /** Length of a row of results. */
  readonly width: number;
  readonly #compute: Compute;
  readonly #writer: BatchWriter;
  readonly #floats: Float32Array;

  constructor({ setup: { plan, memory }, compute, file, read }: StepsOptions) {
    this.plan = plan;
    this.width = plan.values[plan.result.value]?.width ?? 0;
    this.#compute = compute;
    this.#floats = new Float32Array(memory.buffer);
    this.#writer = new BatchWriter(plan, memory, ropeFrequencies(plan, file, read));
    const pool = new BlockPool(plan.cacheBlocks);
    this.tables = Array.from(
      { length: plan.sequences },
      (_, index) => new BlockTable(pool, memory, plan.blockTables + index * plan.tableBlocks * 4),
    );
  }

  /** Computes the parts in one step; the rows of its results can be read until the next one. Throws `engine_failed`. */
  run(parts: readonly BatchPart[]): void {
    const { control } = this.#compute;
    for (const { table, position, tokens } of parts) table.reserve(position + tokens.length);
    control.close();
    this.#writer.write(parts);
    this.#compute.runStep(control.begin());
    if (control.failed) throw new HearthError("engine_failed", "A kernel of flint failed.");
  }

  /** A row of the results, in the order in which outputs were asked for. */
  row(index: number): Float32Array {
    const { address = 0, stride = 0 } = this.plan.values[this.plan.result.value] ?? {};
    const start = (address + index * stride) / 4;
    return this.#floats.subarray(start, start + this.width);
  }
}

function ropeFrequencies(plan: Plan, file: GgufFile, read: ReadFile): Frequencies[] {
  return plan.ropes.map((rope) => frequenciesOf(rope, rope.factors && readVector(file, rope.factors.name, read)));
}

function readVector(file: GgufFile, name: string, read: ReadFile): Float32Array {
  const tensor = file.tensors.find((one) => one.name === name);
  const length = tensor?.shape[0] ?? 0;
  const values = new Float32Array(length);
  if (!tensor) return values;
  const bytes = new Uint8Array(tensorBytes(ggmlType(tensor.typeName), [length]));
  read(file.dataOffset + tensor.offset, bytes);
  toFloat32(tensor.typeName, bytes, values);
  return values;
}
