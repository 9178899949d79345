/** Where the blocks of the KV cache and the tables of the sequences stand in memory. */
import type { Plan } from "../graph/plan.ts";
import { rowOf, serialOf } from "../pictures/names.ts";
import type { BlockMemory } from "./held.ts";
import type { Block } from "./prefix.ts";
import type { BlockPart, BlockStore } from "./store.ts";
import { leastPart } from "./store.ts";

/** Digests that are remembered. */
const mostPictures = 65_536;

export class CacheMemory implements BlockMemory {
  readonly #plan: Plan;
  readonly #store: BlockStore | undefined;
  /** Tables stand in every bank. */
  readonly #words: readonly Int32Array[];
  readonly #bytes: readonly Uint8Array[];
  /** Serial of a picture → its digest. */
  readonly #pictures = new Map<number, string>();

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

  /** Blocks with rows of this picture can be kept outside memory: there the digest stands for it. */
  learn(serial: number, digest: string): void {
    this.#pictures.delete(serial);
    this.#pictures.set(serial, digest);
    const [oldest] = this.#pictures.keys();
    if (this.#pictures.size > mostPictures && oldest !== undefined) this.#pictures.delete(oldest);
  }

  stored(parent: Block, tokens: readonly number[]): string | undefined {
    const key = this.#keyOf(parent, tokens);
    return key !== undefined && this.#store?.has(key) ? key : undefined;
  }

  /** Of a block only what comes before the first row of a picture is looked for. */
  storedPart(parent: Block, tokens: readonly number[]): BlockPart | undefined {
    const name = this.#nameOf(parent);
    if (parent.parent && name === undefined) return undefined;
    const end = tokens.findIndex((token) => token < 0);
    return this.#store?.partial(name, rootOf(parent).name, end < 0 ? tokens : tokens.slice(0, end));
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
    if (key === undefined || this.#store.has(key)) return;
    this.#store.write(key, { tokens: tokens.map(withoutSerial), parts: this.#parts(places) });
  }

  /** Undefined: nothing tells it from others any more, since the digest of a picture in it or before it is gone. */
  #keyOf(parent: Block, tokens: readonly number[]): string | undefined {
    const before = this.#nameOf(parent);
    if (parent.parent && before === undefined) return undefined;
    const pictures = picturesIn(tokens);
    const digests = pictures.flatMap((serial) => this.#pictures.get(serial) ?? []);
    if (digests.length < pictures.length) return undefined;
    return this.#store?.key(before, rootOf(parent).name, tokens.map(withoutSerial), digests);
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

/** Serials in the order in which their rows begin or go on: what the rows alone do not say. */
function picturesIn(tokens: readonly number[]): number[] {
  const rows = tokens.filter((token) => token < 0);
  return rows.filter((name, index) => index === 0 || name !== (rows[index - 1] ?? 0) - 1).map(serialOf);
}

/** Rows of a picture are numbered from -2 down: in a stored block -1 is no token. */
function withoutSerial(token: number): number {
  return token < 0 ? -2 - rowOf(token) : token;
}

function rootOf(block: Block): Block {
  let root = block;
  while (root.parent) root = root.parent;
  return root;
}
