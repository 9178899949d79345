/** What is known to lie in the folder, the least recently used first. */
import type { FoundFile } from "./files.ts";
import { groupOf } from "./names.ts";

export class BlockIndex {
  readonly #entries = new Map<string, FoundFile>();
  readonly #groups = new Map<string, Set<string>>();
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#entries.size;
  }

  get(key: string): FoundFile | undefined {
    return this.#entries.get(key);
  }

  /** Makes it the most recently used one. */
  put(key: string, entry: FoundFile): void {
    this.forget(key);
    this.#entries.set(key, entry);
    this.#bytes += entry.bytes;
    const group = groupOf(key);
    const keys = this.#groups.get(group) ?? new Set();
    this.#groups.set(group, keys.add(key));
  }

  forget(key: string): void {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0;
    this.#entries.delete(key);
    this.#groups.get(groupOf(key))?.delete(key);
  }

  oldest(): readonly [string, FoundFile] | undefined {
    return this.#entries.entries().next().value;
  }

  /** Keys in one subfolder. */
  group(name: string): Iterable<string> {
    return this.#groups.get(name) ?? [];
  }
}
