/**
 * The blocks of the KV cache and what they hold: a tree of prefixes. A block is up to 32 tokens of one path from a root;
 * sequences that begin alike hold the same blocks. What nobody holds stays until its place is needed, least recently used
 * first. Knows of places by number only, and of no memory.
 *
 * Layers that see all tokens and layers with a sliding window have places of their own: groups. Group 0 has a place for
 * every block of the tree; the others may have let theirs go, since they need it for the last tokens only.
 */
import { blockTokens } from "../graph/plan.ts";

export interface CacheGroup {
  readonly blocks: number;
  /** Tokens that a row sees, itself included; absent: all. */
  readonly window?: number | undefined;
}

export interface Block {
  /** Place in each group; -1: none. */
  readonly places: number[];
  /** Sequences that need it, for each group. */
  readonly holders: number[];
  readonly parent: Block | undefined;
  /** Fewer than 32 only where no block follows. */
  readonly tokens: readonly number[];
  readonly children: Map<string, Block>;
  /** Name of a root. */
  readonly name: string;
  /** Its name in the store outside memory, once it has been asked for. */
  storeKey: string | undefined;
  stored: boolean;
}

/** What of a prompt is in the cache. */
export interface Found {
  /** Full blocks from the root on. */
  readonly path: readonly Block[];
  /** A block that goes on as the prompt does for so many tokens, and then differs or ends. */
  readonly partial?: { readonly block: Block; readonly tokens: number } | undefined;
}

export class PrefixCache {
  readonly groups: readonly CacheGroup[];
  readonly #free: number[][];
  /** Shared blocks that nobody holds, for each group, the one that goes first at the front. */
  readonly #idle: Set<Block>[];
  readonly #roots = new Map<string, Block>();
  readonly #touched: number[];
  readonly #leaving: (block: Block) => void;
  /** Full blocks in the order in which they were shared (see `finish`); whoever keeps them elsewhere takes them out. */
  readonly fresh: Set<Block> = new Set();

  /** `leaving` is told of a block before its places are used for something else. */
  constructor(groups: readonly CacheGroup[], leaving: (block: Block) => void = () => {}) {
    this.groups = groups;
    this.#leaving = leaving;
    this.#free = groups.map(({ blocks }) => Array.from({ length: blocks }, (_, index) => blocks - 1 - index));
    this.#idle = groups.map(() => new Set());
    this.#touched = groups.map(() => 0);
  }

  /** Places that can be taken: free ones, and those of blocks that nobody holds. */
  available(group: number): number {
    return (this.#free[group]?.length ?? 0) + (this.#idle[group]?.size ?? 0);
  }

  /** Blocks that nobody holds. */
  get cached(): number {
    return this.#idle[0]?.size ?? 0;
  }

  get used(): number {
    return (this.groups[0]?.blocks ?? 0) - this.available(0);
  }

  /** Places of a group that were ever used: only their memory is really there. */
  touched(group: number): number {
    return this.#touched[group] ?? 0;
  }

  /** The root of all prompts with a name, held by the caller until `leaveRoot`. */
  enterRoot(name: string): Block {
    const root = this.#roots.get(name) ?? createBlock({ places: [], tokens: [], groups: this.groups.length, name });
    this.#roots.set(name, root);
    root.holders[0] = (root.holders[0] ?? 0) + 1;
    return root;
  }

  leaveRoot(root: Block): void {
    root.holders[0] = (root.holders[0] ?? 1) - 1;
    this.#forgetRoot(root);
  }

  /** The longest prefix of the first `most` tokens that is there as far as the windows need it. */
  find(root: Block, tokens: readonly number[], most: number): Found {
    const path: Block[] = [];
    let block = root;
    for (let at = 0; at + blockTokens <= most; at += blockTokens) {
      const next = block.children.get(keyOf(tokens.slice(at, at + blockTokens)));
      if (!next) break;
      path.push((block = next));
    }
    const start = path.length * blockTokens;
    const partial = longestChild(block, tokens.slice(start, most));
    if (partial && this.serves([...path, partial.block], start + partial.tokens)) return { path, partial };
    while (path.length > 0 && !this.serves(path, path.length * blockTokens)) path.pop();
    return { path };
  }

  /** How many full blocks of a prompt are there, and how many of them nobody holds. */
  peek(name: string, tokens: readonly number[], most: number): { readonly blocks: number; readonly idle: number } {
    const root = this.#roots.get(name);
    const path = root ? this.find(root, tokens, most).path : [];
    return { blocks: path.length, idle: path.filter(({ holders }) => holders[0] === 0).length };
  }

  /** Whether sliding windows find what the row after `end` tokens sees. */
  serves(path: readonly Block[], end: number): boolean {
    return this.groups.every(({ window }, group) => {
      if (window === undefined) return true;
      return path.slice(firstSeen(end, window)).every(({ places }) => (places[group] ?? -1) >= 0);
    });
  }

  hold(block: Block, group: number): void {
    block.holders[group] = (block.holders[group] ?? 0) + 1;
    this.#idle[group]?.delete(block);
  }

  drop(block: Block, group: number): void {
    const left = (block.holders[group] ?? 1) - 1;
    block.holders[group] = left;
    if (left === 0 && (block.places[group] ?? -1) >= 0) this.#idle[group]?.add(block);
  }

  /** A place for new tokens; undefined: all are held. */
  take(group: number): number | undefined {
    const free = this.#free[group];
    if (free?.length === 0) this.#evict(group);
    const place = free?.pop();
    if (place !== undefined) this.#touched[group] = Math.max(this.#touched[group] ?? 0, place + 1);
    return place;
  }

  /** A place in each group, or none at all. */
  takeAll(): number[] | undefined {
    const places: number[] = [];
    for (let group = 0; group < this.groups.length; group++) {
      const place = this.take(group);
      if (place === undefined) {
        this.giveAll(places);
        return undefined;
      }
      places.push(place);
    }
    return places;
  }

  giveAll(places: readonly number[]): void {
    places.forEach((place, group) => this.give(group, place));
  }

  give(group: number, place: number): void {
    if (place >= 0) this.#free[group]?.push(place);
  }

  /** Shares a full block that its writer holds; where there is one with the same tokens, that one is kept and held instead. */
  share(parent: Block, tokens: readonly number[], places: readonly number[]): Block {
    const block = this.#insert(parent, tokens, places);
    places.forEach((place, group) => {
      if (place >= 0) this.hold(block, group);
    });
    return block;
  }

  /** Leaves a block that is not full, and that nobody holds any more. */
  leave(parent: Block, tokens: readonly number[], places: readonly number[]): void {
    const longer = longestChild(parent, tokens);
    if (tokens.length === 0 || longer?.tokens === tokens.length) {
      this.giveAll(places);
      return;
    }
    // What it continues is of no use any more.
    if (longer && longer.block.tokens.length === longer.tokens && isIdle(longer.block)) this.#remove(longer.block);
    const block = this.#insert(parent, tokens, places);
    places.forEach((place, group) => {
      if (place >= 0) this.#idle[group]?.add(block);
    });
  }

  /** Counts what is not full among the fresh blocks: when no more tokens are to come. */
  finish(): void {
    for (const block of this.#idle[0] ?? []) if (block.tokens.length < blockTokens) this.fresh.add(block);
  }

  /** Takes the places of a block out of the tree that nobody holds and nothing follows, so that it can be written on. */
  detach(block: Block): readonly number[] | undefined {
    if (!isIdle(block) || block.children.size > 0) return undefined;
    const places = [...block.places];
    this.#unlink(block);
    return places;
  }

  #insert(parent: Block, tokens: readonly number[], places: readonly number[]): Block {
    const key = keyOf(tokens);
    const known = parent.children.get(key);
    if (!known) {
      const block = createBlock({ parent, tokens, places, groups: this.groups.length, name: "" });
      parent.children.set(key, block);
      if (tokens.length === blockTokens) this.fresh.add(block);
      return block;
    }
    places.forEach((place, group) => {
      if ((known.places[group] ?? -1) < 0) known.places[group] = place;
      else this.give(group, place);
    });
    return known;
  }

  /** Blocks come before what they follow, so the first one of group 0 has nothing behind it. */
  #evict(group: number): void {
    const [block] = this.#idle[group] ?? [];
    if (!block) return;
    this.#leaving(block);
    if (group === 0) this.#remove(block);
    else {
      this.#idle[group]?.delete(block);
      this.give(group, block.places[group] ?? -1);
      block.places[group] = -1;
    }
  }

  #remove(block: Block): void {
    this.giveAll(block.places);
    this.#unlink(block);
  }

  #unlink(block: Block): void {
    for (const idle of this.#idle) idle.delete(block);
    this.fresh.delete(block);
    block.places.fill(-1);
    const { parent } = block;
    parent?.children.delete(keyOf(block.tokens));
    if (parent && !parent.parent) this.#forgetRoot(parent);
  }

  #forgetRoot(root: Block): void {
    if (root.children.size === 0 && root.holders[0] === 0) this.#roots.delete(root.name);
  }
}

/** Index of the first block that a window sees from the row after `end` tokens. */
export function firstSeen(end: number, window: number): number {
  return Math.floor(Math.max(0, end - window + 1) / blockTokens);
}

interface NewBlock {
  readonly parent?: Block;
  readonly tokens: readonly number[];
  readonly places: readonly number[];
  readonly groups: number;
  readonly name: string;
}

function createBlock({ parent, tokens, places, groups, name }: NewBlock): Block {
  return {
    parent,
    tokens,
    name,
    places: Array.from({ length: groups }, (_, group) => places[group] ?? -1),
    holders: Array.from({ length: groups }, () => 0),
    children: new Map(),
    storeKey: undefined,
    stored: false,
  };
}

function isIdle({ holders }: Block): boolean {
  return holders.every((count) => count === 0);
}

function keyOf(tokens: readonly number[]): string {
  return tokens.join();
}

function longestChild(parent: Block, tokens: readonly number[]): Found["partial"] {
  let best: Found["partial"];
  for (const block of parent.children.values()) {
    let length = 0;
    while (length < tokens.length && block.tokens[length] === tokens[length]) length++;
    if (length > (best?.tokens ?? 0)) best = { block, tokens: length };
  }
  return best;
}
