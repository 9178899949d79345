import { groupOf, groups } from "./names.ts";

/** Bytes in the folder, as far as it was looked at; keys are spread evenly, so the rest is taken to be like it. */
export class Census {
  readonly #known = new Map<string, number>();

  get bytes(): number {
    const known = this.#known.values().reduce((sum, bytes) => sum + bytes, 0);
    return this.#known.size === 0 ? 0 : Math.round((known * groups.length) / this.#known.size);
  }

  set(group: string, bytes: number): void {
    this.#known.set(group, bytes);
  }

  /** A block has come or, with negative bytes, gone. */
  add(key: string, bytes: number): void {
    const known = this.#known.get(groupOf(key));
    if (known !== undefined) this.#known.set(groupOf(key), known + bytes);
  }
}
