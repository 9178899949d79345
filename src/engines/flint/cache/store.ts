/** Blocks of the KV cache outside memory. Calls are synchronous: the leader makes them between two steps. Never throws. */
export interface BlockStore {
  /**
   * The name of the block that ends with `tokens` and follows the block `parent`; without one it is the first of its
   * prompt, and `root` (tenant, adapters) says who shares it.
   */
  key(parent: string | undefined, root: string, tokens: readonly number[]): string;
  has(key: string): boolean;
  /** Fills `parts` with the block. False where it is not there, is damaged, or belongs to something else. */
  read(key: string, parts: readonly Uint8Array[]): boolean;
  write(key: string, parts: readonly Uint8Array[]): void;
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
