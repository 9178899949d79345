/** The rows of one step, as the kernels want them. */
import type { Plan } from "../graph/plan.ts";
import type { Frequencies } from "../graph/rope-table.ts";
import { writeAngles } from "../graph/rope-table.ts";
import { pictureEnd } from "../pictures/names.ts";
import type { Place } from "../pictures/places.ts";

/** Where the blocks of a sequence are listed. */
export interface StepTable {
  readonly address: number;
  /** Has blocks for so many tokens, of which those from `first` on are computed next. */
  reserve(tokens: number, first: number): unknown;
}

/** Consecutive tokens of one sequence. */
export interface BatchPart {
  /** Negative ones stand for rows. */
  readonly tokens: readonly number[];
  readonly rowOf?: ((name: number) => Float32Array) | undefined;
  /** Where a row stands, by its position, for ropes with several directions; absent: at its position in all. */
  readonly placeOf?: ((position: number) => Place) | undefined;
  /** Position of the first. */
  readonly position: number;
  readonly table: StepTable;
  /** Which of them give an output: those from this index on, up to but without another one. Default: to the last. */
  readonly outputsFrom: number;
  readonly outputsTo?: number | undefined;
  /** Scale of each loaded adapter; absent: those of the load. */
  readonly adapters?: readonly number[] | undefined;
}

export interface Batch {
  readonly rows: number;
  readonly outputs: number;
}

export class BatchWriter {
  readonly #plan: Plan;
  /** The arrays stand in every bank. */
  readonly #words: readonly Int32Array[];
  readonly #floats: readonly Float32Array[];
  readonly #frequencies: readonly Frequencies[];

  constructor(plan: Plan, memories: readonly WebAssembly.Memory[], frequencies: readonly Frequencies[]) {
    this.#plan = plan;
    this.#words = memories.map(({ buffer }) => new Int32Array(buffer));
    this.#floats = memories.map(({ buffer }) => new Float32Array(buffer));
    this.#frequencies = frequencies;
  }

  /** Writes the parts one after the other. The caller keeps to the capacity of the plan. */
  write(parts: readonly BatchPart[]): Batch {
    const { step } = this.#plan;
    let row = 0;
    let output = 0;
    const bothWays = this.#plan.attentions.some(({ picturesBothWays }) => picturesBothWays);
    parts.forEach((part, index) => {
      if (bothWays) this.#writeReaches(row, part);
      this.#set(step.runs, index * 2, row);
      this.#set(step.runs, index * 2 + 1, part.tokens.length);
      part.tokens.forEach((token, offset) => {
        this.#row(row, token, part.position + offset, part);
        if (offset >= part.outputsFrom && offset < (part.outputsTo ?? Infinity)) this.#set(step.outputs, output++, row);
        row++;
      });
    });
    this.#set(step.counts, 0, row);
    this.#set(step.counts, 1, output);
    this.#set(step.counts, 2, parts.length);
    this.#writeAdapters(parts);
    return { rows: row, outputs: output };
  }

  #row(row: number, token: number, position: number, { table, position: first, tokens, placeOf }: BatchPart): void {
    const { step, ropes } = this.#plan;
    this.#set(step.tokens, row, Math.max(token, -1));
    this.#set(step.positions, row, position);
    this.#set(step.tables, row, table.address);
    this.#set(step.lengths, row, first + tokens.length);
    const place = placeOf?.(position) ?? position;
    ropes.forEach((rope, index) => {
      const frequencies = this.#frequencies[index];
      if (!frequencies) return;
      const at = rope.table / 4 + row * rope.dimensions;
      const [angles, ...copies] = this.#floats;
      if (angles) writeAngles(angles, at, frequencies, frequencies.directions ? place : position);
      for (const copy of copies) if (angles) copy.set(angles.subarray(at, at + rope.dimensions), at);
    });
  }

  /** For the only sequence of a step: each part goes up to its end, and begins where the one before ends. */
  writeParts(ends: Int32Array): void {
    const { reaches, starts } = this.#plan.step;
    ends.forEach((end, index) => {
      const start = ends[index - 1] ?? 0;
      for (let row = start; row < end; row++) {
        this.#set(starts, row, start);
        this.#set(reaches, row, end);
      }
    });
  }

  #writeReaches(first: number, { tokens, position }: BatchPart): void {
    for (let at = 0; at < tokens.length;) {
      const isRow = (tokens[at] ?? 0) < 0;
      const end = isRow ? pictureEnd(tokens, at) : at + 1;
      for (; at < end; at++) this.#set(this.#plan.step.reaches, first + at, isRow ? position + end : 0);
    }
  }

  #writeAdapters(parts: readonly BatchPart[]): void {
    const { step, adapters: loaded } = this.#plan;
    if (loaded.length === 0) return;
    let to = step.adapterScales / 4;
    for (const { tokens, adapters = loaded } of parts) {
      for (let row = 0; row < tokens.length; row++, to += loaded.length) {
        for (const floats of this.#floats) floats.set(adapters, to);
      }
    }
    const uses = (index: number): boolean => parts.some(({ adapters = loaded }) => adapters[index] !== 0);
    loaded.forEach((_, index) => this.#set(step.adapterUses, index, uses(index) ? 1 : 0));
  }

  #set(base: number, index: number, value: number): void {
    for (const words of this.#words) words[base / 4 + index] = value;
  }
}
