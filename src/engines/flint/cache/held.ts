/** The cache of one sequence: shared blocks of the tree, then blocks of its own that it writes. */
import { blockTokens } from "../graph/plan.ts";
import type { Block, Found, PrefixCache } from "./prefix.ts";
import { firstSeen } from "./prefix.ts";
import type { BlockPart } from "./store.ts";

/** What the cache asks of memory, and of what lies outside it. */
export interface BlockMemory {
  /** Writes the place of a block into the table of a sequence, for the kernels. */
  setTable(table: number, group: number, index: number, place: number): void;
  copy(group: number, from: number, to: number): void;
  /** Name of the block with these tokens that follows `parent`, if it is kept outside memory. */
  stored(parent: Block, tokens: readonly number[]): string | undefined;
  /** The block kept there that follows `parent` and begins with most of the tokens. */
  storedPart(parent: Block, tokens: readonly number[]): BlockPart | undefined;
  /** Fills the places with a block of that name; false: it cannot be read. */
  restore(key: string, places: readonly number[]): boolean;
}

export interface HeldOptions {
  readonly cache: PrefixCache;
  readonly memory: BlockMemory;
  /** Number of its table. */
  readonly table: number;
  /** Blocks are shared by sequences with one name: of one tenant, with the same adapters. */
  readonly root: string;
}

export class HeldBlocks {
  readonly #cache: PrefixCache;
  readonly #memory: BlockMemory;
  readonly table: number;
  readonly #root: Block;
  readonly #path: Block[] = [];
  /** Places of the blocks after the path, in each group. */
  readonly #own: number[][] = [];
  /** For each group the first block that it still holds. */
  readonly #first: number[];
  /** Tokens that came out of the store. */
  restored = 0;

  constructor({ cache, memory, table, root }: HeldOptions) {
    this.#cache = cache;
    this.#memory = memory;
    this.table = table;
    this.#root = cache.enterRoot(root);
    this.#first = cache.groups.map(() => 0);
  }

  /** The block that all its shared tokens end with. */
  get last(): Block {
    return this.#path.at(-1) ?? this.#root;
  }

  /** Takes what the cache has of the first `most` tokens. Returns how many that are. */
  begin(tokens: readonly number[], most: number): number {
    this.#follow(this.#cache.find(this.#root, tokens, most).path);
    this.#restore(tokens, most);
    const found = this.#path.length * blockTokens;
    const rest = tokens.slice(found, Math.min(most, found + blockTokens));
    const more =
      this.#restorePart(rest, this.#findPart(tokens, most)?.tokens ?? 0) ||
      this.#continue(this.#findPart(tokens, most));
    if (more === 0) this.#shorten();
    const end = this.#path.length * blockTokens + more;
    this.slide(end);
    return end;
  }

  /** Takes blocks that others have computed since. Only where all its tokens are shared. Returns the tokens it has then. */
  catchUp(tokens: readonly number[], most: number): number {
    const { path } = this.#cache.find(this.#root, tokens, most);
    if (path.length > this.#path.length && path[this.#path.length - 1] === this.#path.at(-1)) {
      this.#dropOwn();
      this.#follow(path.slice(this.#path.length));
      this.#shorten();
    }
    return this.#path.length * blockTokens;
  }

  /** Has blocks for so many tokens. Returns how many fit: fewer where all places are held. */
  reserve(tokens: number): number {
    const wanted = Math.ceil(tokens / blockTokens);
    while (this.#path.length + this.#own.length < wanted) {
      const places = this.#cache.takeAll();
      if (!places) break;
      this.#append(places);
    }
    return Math.min(tokens, (this.#path.length + this.#own.length) * blockTokens);
  }

  /** Shares the blocks that the first `end` tokens fill, and lets go of what no window sees any more. */
  commit(tokens: readonly number[], end: number): void {
    while ((this.#path.length + 1) * blockTokens <= end) {
      const index = this.#path.length;
      const places = this.#own.shift();
      if (!places) return;
      const part = tokens.slice(index * blockTokens, (index + 1) * blockTokens);
      const block = this.#cache.share(this.last, part, places);
      this.#path.push(block);
      this.#write(index, block.places);
    }
    this.slide(end);
  }

  /** Gives everything back: what it computed stays in the tree. */
  release(tokens: readonly number[], end: number): void {
    this.commit(tokens, end);
    const rest = tokens.slice(this.#path.length * blockTokens, end);
    const places = rest.length > 0 ? this.#own.shift() : undefined;
    if (places) this.#cache.leave(this.last, rest, places);
    this.#letGo();
  }

  /** Gives everything back, and what is not shared is forgotten. */
  forget(): void {
    this.#letGo();
  }

  #letGo(): void {
    this.#dropOwn();
    // Of a window its first block goes first; of a path its last, since no block is of use without those before it.
    this.#first.forEach((first, group) => {
      const held = this.#path.slice(first);
      for (const block of group === 0 ? held.toReversed() : held) this.#cache.drop(block, group);
    });
    this.#path.length = 0;
    this.#first.fill(0);
    this.#cache.leaveRoot(this.#root);
  }

  /** Lets go of the blocks that the row after `end` tokens does not see. */
  slide(end: number): void {
    this.#cache.groups.forEach(({ window }, group) => {
      if (window === undefined) return;
      const first = Math.min(firstSeen(end, window), this.#path.length);
      for (let index = this.#first[group] ?? 0; index < first; index++) {
        const block = this.#path[index];
        if (block) this.#cache.drop(block, group);
      }
      this.#first[group] = Math.max(this.#first[group] ?? 0, first);
    });
  }

  #follow(path: readonly Block[]): void {
    for (const block of path) {
      this.#write(this.#path.length, block.places);
      this.#path.push(block);
      this.#cache.groups.forEach((_, group) => this.#cache.hold(block, group));
    }
  }

  /** A path that was found for the sake of a partial block may end where windows miss something without that block. */
  #shorten(): void {
    while (!this.#cache.serves(this.#path, this.#path.length * blockTokens)) {
      const block = this.#path.pop();
      if (block) this.#cache.groups.forEach((_, group) => this.#cache.drop(block, group));
    }
  }

  #findPart(tokens: readonly number[], most: number): Found["partial"] {
    const { path, partial } = this.#cache.find(this.#root, tokens, most);
    return path.at(-1) === this.#path.at(-1) ? partial : undefined;
  }

  /** Goes on writing behind the first tokens of a shared block: in it, if nobody else needs it, else in a copy. */
  #continue(part: Found["partial"]): number {
    if (!part) return 0;
    const { block, tokens } = part;
    const whole = tokens === block.tokens.length && this.#cache.detach(block);
    if (whole) {
      this.#append(whole);
      return tokens;
    }
    this.#cache.groups.forEach((_, group) => this.#cache.hold(block, group));
    const places = this.#cache.takeAll();
    if (places) {
      places.forEach((place, group) => this.#memory.copy(group, block.places[group] ?? 0, place));
      this.#append(places);
    }
    this.#cache.groups.forEach((_, group) => this.#cache.drop(block, group));
    return places ? tokens : 0;
  }

  /** Brings back the blocks that are kept outside memory. */
  #restore(tokens: readonly number[], most: number): void {
    for (let at = this.#path.length * blockTokens; at + blockTokens <= most; at += blockTokens) {
      const part = tokens.slice(at, at + blockTokens);
      const key = this.#memory.stored(this.last, part);
      if (key === undefined || !this.#bring(key)) return;
      this.commit(tokens, at + blockTokens);
      this.last.stored = true;
      this.restored += blockTokens;
    }
  }

  /** Goes on behind the first tokens of a block kept outside memory, if they are more than `least`. It is its own then. */
  #restorePart(tokens: readonly number[], least: number): number {
    if (tokens.length <= least) return 0;
    const part = this.#memory.storedPart(this.last, tokens);
    if (!part || part.tokens <= least || !this.#bring(part.key)) return 0;
    this.restored += part.tokens;
    return part.tokens;
  }

  /** Appends a block that is kept outside memory; false: it cannot be read, or there is no place for it. */
  #bring(key: string): boolean {
    const places = this.#cache.takeAll();
    if (!places) return false;
    const read = this.#memory.restore(key, places);
    if (read) this.#append(places);
    else this.#cache.giveAll(places);
    return read;
  }

  #append(places: readonly number[]): void {
    this.#write(this.#path.length + this.#own.length, places);
    this.#own.push([...places]);
  }

  #dropOwn(): void {
    for (const places of this.#own.splice(0)) this.#cache.giveAll(places);
  }

  #write(index: number, places: readonly number[]): void {
    places.forEach((place, group) => this.#memory.setTable(this.table, group, index, place));
  }
}
