/** Where the blocks of the KV cache and the tables of the sequences stand in memory. */
import type { Plan } from "../graph/plan.ts";
import type { BlockMemory } from "./held.ts";
import type { Block } from "./prefix.ts";
import type { BlockPart, BlockStore } from "./store.ts";
import { leastPart } from "./store.ts";

export class CacheMemory implements BlockMemory {
  readonly #plan: Plan;
  readonly #store: BlockStore | undefined;
  /** Tables stand in every bank. */
  readonly #words: readonly Int32Array[];
  readonly #bytes: readonly Uint8Array[];

  constructor(plan: Plan, memories: readonly WebAssembly.Memory[], store?: BlockStore) {
    this.#plan = plan;
    this.#store = store;
    this.#words = memories.map(({ buffer }) => new Int32Array(buffer));
    this.#bytes = memories.map(({ buffer }) => new Uint8Array(buffer));
  }

  /** Of a sequence's tables, one for each group. */
  address(table: number): number {
    const { blockTables, cacheGroups, tableBlocks } = this.#plan;
    return blockTables + table * cacheGroups.length * tableBlocks * 4;
  }

  setTable(table: number, group: number, index: number, place: number): void {
    const at = this.address(table) / 4 + group * this.#plan.tableBlocks + index;
    for (const words of this.#words) words[at] = place;
  }

  copy(group: number, from: number, to: number): void {
    for (const { bank, start, bytes } of this.#regions(group)) {
      this.#bytes[bank]?.copyWithin(start + to * bytes, start + from * bytes, start + (from + 1) * bytes);
    }
  }

  stored(parent: Block, tokens: readonly number[]): string | undefined {
    const key = this.#keyOf(parent, tokens);
    return this.#store?.has(key) ? key : undefined;
  }

  storedPart(parent: Block, tokens: readonly number[]): BlockPart | undefined {
    return this.#store?.partial(this.#nameOf(parent), rootOf(parent).name, tokens);
  }

  restore(key: string, places: readonly number[]): boolean {
    return this.#store?.read(key, this.#parts(places)) ?? false;
  }

  /** Writes a block to the store, unless a window has let it go, or it is too short to be found. */
  save(block: Block): void {
    const { parent, tokens, places, stored } = block;
    if (!this.#store || stored || !parent || tokens.length < leastPart || places.some((place) => place < 0)) return;
    block.stored = true;
    const key = this.#keyOf(parent, tokens);
    if (!this.#store.has(key)) this.#store.write(key, { tokens, parts: this.#parts(places) });
  }

  #keyOf(parent: Block, tokens: readonly number[]): string {
    return this.#store?.key(this.#nameOf(parent), rootOf(parent).name, tokens) ?? "";
  }

  #nameOf(block: Block): string | undefined {
    if (block.parent) block.storeKey ??= this.#keyOf(block.parent, block.tokens);
    return block.storeKey;
  }

  #parts(places: readonly number[]): Uint8Array[] {
    return places.flatMap((place, group) =>
      this.#regions(group).map(({ bank, start, bytes }) => {
        const at = start + place * bytes;
        return this.#bytes[bank]?.subarray(at, at + bytes) ?? new Uint8Array();
      }),
    );
  }

  /** Keys and values of each layer of a group: where block 0 stands, and bytes of a block. */
  #regions(group: number): { readonly bank: number; readonly start: number; readonly bytes: number }[] {
    return this.#plan.attentions.flatMap((attention) => {
      if (attention.group !== group) return [];
      const { bank, keys, values, keyBlockBytes, valueBlockBytes } = attention;
      return [
        { bank, start: keys, bytes: keyBlockBytes },
        { bank, start: values, bytes: valueBlockBytes },
      ];
    });
  }
}

function rootOf(block: Block): Block {
  let root = block;
  while (root.parent) root = root.parent;
  return root;
}
