/** Fewest tokens for which a part of a block is looked for. */
export const leastPart = 4;

/** A block as it is kept; it is full, or nothing followed its tokens. */
export interface StoredBlock {
  readonly tokens: readonly number[];
  readonly parts: readonly Uint8Array[];
}

/** A block that begins with so many of the tokens that were asked for. */
export interface BlockPart {
  readonly key: string;
  readonly tokens: number;
}

/** Blocks of the KV cache outside memory. Calls are synchronous: the leader makes them between two steps. Never throws. */
export interface BlockStore {
  /**
   * The name of the block that ends with `tokens` and follows the block `parent`; without one it is the first of its
   * prompt, and `root` (tenant, adapters) says who shares it. Negative tokens are rows of the pictures with these digests,
   * in their order.
   */
  key(parent: string | undefined, root: string, tokens: readonly number[], pictures?: readonly string[]): string;
  has(key: string): boolean;
  /** Of the blocks that follow `parent`, one that begins with most of the tokens, `leastPart` of them at least. */
  partial(parent: string | undefined, root: string, tokens: readonly number[]): BlockPart | undefined;
  /** Fills `parts` with the block. False where it is not there, is damaged, or belongs to something else. */
  read(key: string, parts: readonly Uint8Array[]): boolean;
  write(key: string, block: StoredBlock): void;
  readonly sizeBytes: number;
}

/** What a store is opened with; it travels between threads. */
export interface StoreSetup {
  readonly folder: string;
  /** Of all blocks in the folder; the least recently used go first. 0: nothing is kept, found or deleted. */
  readonly mostBytes: number;
  /** All that keys and values depend on besides the tokens and the root. */
  readonly identity: string;
}
