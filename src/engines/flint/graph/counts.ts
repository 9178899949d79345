/** What a step's arrays in memory say, as workers read them. */
import type { StepArea } from "./plan.ts";
import type { RowSpace } from "./program.ts";

export class Counts {
  readonly #words: Int32Array;
  readonly #area: StepArea;
  readonly #used: number;

  constructor(memory: WebAssembly.Memory, area: StepArea, used: number) {
    this.#words = new Int32Array(memory.buffer);
    this.#area = area;
    this.#used = used;
  }

  rows(space: RowSpace): number {
    const rows = this.#word(this.#area.counts, 0);
    const outputs = this.#word(this.#area.counts, 1);
    switch (space) {
      case "all":
        return rows;
      case "outputs":
        return outputs;
      case "slots":
        return rows * this.#used;
      case "outputSlots":
        return outputs * this.#used;
    }
  }

  get runs(): number {
    return this.#word(this.#area.counts, 2);
  }
  run(index: number): { readonly first: number; readonly rows: number } {
    return { first: this.#word(this.#area.runs, index * 2), rows: this.#word(this.#area.runs, index * 2 + 1) };
  }
  token(row: number): number {
    return this.#word(this.#area.tokens, row);
  }
  position(row: number): number {
    return this.#word(this.#area.positions, row);
  }
  /** Tokens of the row's sequence. */
  length(row: number): number {
    return this.#word(this.#area.lengths, row);
  }
  /** The first position of the part that it is in. */
  start(row: number): number {
    return this.#word(this.#area.starts, row);
  }
  /** The position after the last row that it sees of its picture or part; 0: it sees none after it. */
  reach(row: number): number {
    return this.#word(this.#area.reaches, row);
  }
  /** Address of the block table of the row's sequence. */
  table(row: number): number {
    return this.#word(this.#area.tables, row);
  }
  block(table: number, index: number): number {
    return this.#words[table / 4 + index] ?? 0;
  }
  output(index: number): number {
    return this.#word(this.#area.outputs, index);
  }
  slotRow(slot: number): number {
    return this.#word(this.#area.slotRows, slot);
  }
  /** Slot of a row's choice. */
  slotOf(row: number, choice: number): number {
    return this.#word(this.#area.slotOf, row * this.#used + choice);
  }
  expertStart(expert: number): number {
    return this.#word(this.#area.expertStarts, expert);
  }
  /** The expert of a slot. */
  expertOf(slot: number): number {
    let expert = 0;
    while (this.expertStart(expert + 1) <= slot) expert++;
    return expert;
  }
  /** Whether a row of the step uses the adapter. */
  usesAdapter(adapter: number): boolean {
    return this.#word(this.#area.adapterUses, adapter) !== 0;
  }

  #word(base: number, index: number): number {
    return this.#words[base / 4 + index] ?? 0;
  }
}
