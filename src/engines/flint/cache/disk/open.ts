/**
 * The KV cache on disk. The folder may be shared by any number of processes: each keeps an index of its own, which it
 * corrects as it goes, and takes whatever it does not find or cannot read as not there.
 */
import { join } from "node:path";
import { formatBytes } from "../../../../util/format.ts";
import type { BlockStore, StoreSetup } from "../store.ts";
import { BlockFolder } from "./folder.ts";
import { decodeBlock, encodeBlock, fileBytes } from "./header.ts";
import { BlockIndex } from "./index.ts";
import { createKeys } from "./key.ts";
import { groups, isOlder } from "./names.ts";
import type { DiskSpace } from "./room.ts";
import { diskSpace, makeRoom, reservedBytes } from "./room.ts";
import { entries, removeVersion, scanGroups } from "./scan.ts";

export interface DiskOptions extends StoreSetup {
  /** Told once that nothing is written any more, or not for now. */
  readonly onNotice: (text: string) => void;
  readonly now?: () => number;
  /** Of the disk that holds a folder. */
  readonly space?: (folder: string) => DiskSpace | undefined;
}

/** How often the time of use of a file is written. */
const touchMs = 60_000;

/** Never throws: without a folder nothing is found, and nothing is kept. */
export function openBlockStore(options: DiskOptions): BlockStore {
  return new DiskStore(options);
}

class DiskStore implements BlockStore {
  readonly key: BlockStore["key"];
  readonly #options: Required<DiskOptions>;
  readonly #folder: BlockFolder;
  readonly #index = new BlockIndex();
  readonly #said = new Set<string>();
  #buffer = Buffer.alloc(0);
  #writes = 0;
  #reads = false;
  #appends = false;

  constructor(options: DiskOptions) {
    this.#options = { now: Date.now, space: diskSpace, ...options };
    this.#folder = new BlockFolder(options.folder);
    this.key = createKeys(options.identity);
    this.#open();
  }

  get sizeBytes(): number {
    return this.#index.bytes;
  }

  has(key: string): boolean {
    if (!this.#reads || this.#index.get(key)) return this.#reads;
    // Another process may have written it.
    const found = attempt(() => this.#folder.find(key));
    if (found) this.#index.put(key, found);
    return found !== undefined;
  }

  read(key: string, parts: readonly Uint8Array[]): boolean {
    if (!this.has(key)) return false;
    const file = this.#bufferOf(fileBytes(parts));
    const there = attempt(() => this.#folder.read(key, file));
    if (there && decodeBlock(file, key, parts)) {
      this.#touch(key);
      return true;
    }
    this.#index.forget(key);
    // What could not be read may be whole.
    if (there !== undefined) attempt(() => this.#folder.remove(key));
    return false;
  }

  write(key: string, parts: readonly Uint8Array[]): void {
    const bytes = fileBytes(parts);
    if (!this.#appends || this.has(key) || bytes > this.#options.mostBytes || !this.#hasSpace()) return;
    try {
      // A subfolder with each block: what other processes write counts too.
      this.#scan([groups[this.#writes++ % groups.length] ?? ""]);
      this.#makeRoom(bytes);
      const file = this.#bufferOf(bytes);
      encodeBlock(file, key, parts);
      const touchedMs = this.#options.now();
      if (this.#folder.write(key, file, touchedMs)) this.#index.put(key, { bytes, touchedMs });
    } catch (error) {
      this.#stop(error);
    }
  }

  #open(): void {
    const { folder, mostBytes } = this.#options;
    if (mostBytes <= 0) return;
    try {
      this.#folder.make();
    } catch (error) {
      this.#say("off", `There is no cache of prompts on disk: ${messageOf(error)}.`);
      return;
    }
    this.#reads = true;
    this.#appends = true;
    for (const { name } of entries(folder)) if (isOlder(name)) removeVersion(join(folder, name));
    try {
      this.#scan(groups);
      this.#makeRoom(0);
    } catch (error) {
      this.#stop(error);
    }
  }

  #scan(names: readonly string[]): void {
    scanGroups({ folder: this.#folder.path, index: this.#index, groups: names, nowMs: this.#options.now() });
  }

  #makeRoom(bytes: number): void {
    makeRoom({ folder: this.#folder, index: this.#index, mostBytes: this.#options.mostBytes }, bytes);
  }

  #touch(key: string): void {
    const entry = this.#index.get(key);
    if (!entry) return;
    const nowMs = this.#options.now();
    const late = Math.abs(nowMs - entry.touchedMs) >= touchMs;
    this.#index.put(key, late ? { ...entry, touchedMs: nowMs } : entry);
    if (late) attempt(() => this.#folder.touch(key, nowMs));
  }

  #hasSpace(): boolean {
    const { folder, space } = this.#options;
    const found = space(folder);
    if (!found || found.freeBytes >= reservedBytes(found)) return true;
    const [free, needed] = [found.freeBytes, reservedBytes(found)].map(formatBytes);
    this.#say("space", `The disk of ${folder} has ${free} free: prompts are kept there only while it has ${needed}.`);
    return false;
  }

  /** The buffer is used again: blocks of one model have one size. */
  #bufferOf(bytes: number): Buffer {
    if (this.#buffer.length < bytes) this.#buffer = Buffer.allocUnsafeSlow(bytes);
    return this.#buffer.subarray(0, bytes);
  }

  #stop(error: unknown): void {
    this.#appends = false;
    this.#say("off", `No more prompts are kept in ${this.#options.folder}: ${messageOf(error)}.`);
  }

  #say(what: string, text: string): void {
    if (this.#said.has(what)) return;
    this.#said.add(what);
    this.#options.onNotice(text);
  }
}

/** Undefined: it is gone, or not ours to use. */
function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
