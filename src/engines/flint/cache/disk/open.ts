/**
 * The KV cache on disk. The folder may be shared by any number of processes. Nothing about it is remembered that the next
 * look at it could prove wrong, and whatever is not found or cannot be read is not there.
 */
import { basename, join } from "node:path";
import { formatBytes } from "../../../../util/format.ts";
import type { BlockPart, BlockStore, StoredBlock, StoreSetup } from "../store.ts";
import { Census } from "./census.ts";
import { BlockFolder } from "./folder.ts";
import { decodeBlock, encodeBlock, fileBytes } from "./header.ts";
import type { Keys } from "./key.ts";
import { createKeys } from "./key.ts";
import { listBlocks, removeEmpty, removeGroup, subfolders } from "./list.ts";
import { groups, isOlder } from "./names.ts";
import { findPart } from "./part.ts";
import type { DiskSpace } from "./room.ts";
import { diskSpace, makeRoom, reservedBytes } from "./room.ts";

export interface DiskOptions extends StoreSetup {
  /** Told once that nothing is written any more, or not for now. */
  readonly onNotice: (text: string) => void;
  readonly now?: () => number;
  /** Of the disk that holds a folder. */
  readonly space?: (folder: string) => DiskSpace | undefined;
}

/** How often the time of use of a file is written. */
const touchMs = 60_000;
/** Files that are looked at when the folder is opened, to tell how large it is. */
const countedFiles = 1000;

/** Never throws: without a folder nothing is found, and nothing is kept. */
export function openBlockStore(options: DiskOptions): BlockStore {
  return new DiskStore(options);
}

class DiskStore implements BlockStore {
  readonly key: BlockStore["key"];
  readonly #keys: Keys;
  readonly #options: Required<DiskOptions>;
  readonly #folder: BlockFolder;
  readonly #census = new Census();
  /** Subfolders of earlier versions. */
  readonly #older: string[] = [];
  readonly #said = new Set<string>();
  #buffer = Buffer.alloc(0);
  #reads = false;
  #writes = false;

  constructor(options: DiskOptions) {
    this.#options = { now: Date.now, space: diskSpace, ...options };
    this.#folder = new BlockFolder(options.folder);
    this.#keys = createKeys(options.identity);
    this.key = this.#keys.key;
    if (options.mostBytes > 0) this.#open();
  }

  get sizeBytes(): number {
    return this.#census.bytes;
  }

  has(key: string): boolean {
    return this.#reads && attempt(() => this.#folder.find(key)) !== undefined;
  }

  partial(parent: string | undefined, root: string, tokens: readonly number[]): BlockPart | undefined {
    if (!this.#reads) return undefined;
    return attempt(() => findPart({ folder: this.#folder, keys: this.#keys, parent, root, tokens }));
  }

  read(key: string, parts: readonly Uint8Array[]): boolean {
    const found = this.#reads ? attempt(() => this.#folder.find(key)) : undefined;
    if (!found) return false;
    const file = this.#bufferOf(fileBytes(parts));
    const whole = attempt(() => this.#folder.read(key, file));
    // What could not be read may be whole.
    if (whole === undefined) return false;
    if (whole && decodeBlock(file, key, parts)) {
      const nowMs = this.#options.now();
      if (Math.abs(nowMs - found.touchedMs) >= touchMs) attempt(() => this.#folder.touch(key, nowMs));
      return true;
    }
    if (attempt(() => this.#folder.remove(key))) this.#census.add(key, -found.bytes);
    return false;
  }

  write(key: string, block: StoredBlock): void {
    const bytes = fileBytes(block.parts);
    const { mostBytes, now } = this.#options;
    if (!this.#writes || bytes > mostBytes || this.has(key)) return;
    this.#removeOlder();
    if (!this.#hasSpace()) return;
    try {
      const nowMs = now();
      const onGroup = (group: string, size: number): void => this.#census.set(group, size);
      makeRoom({ folder: this.#folder, mostBytes, key, bytes, nowMs, onGroup });
      const file = this.#bufferOf(bytes);
      encodeBlock(file, key, block);
      if (this.#folder.write(key, file, nowMs)) this.#census.add(key, bytes);
    } catch (error) {
      this.#writes = false;
      this.#say("off", `No more prompts are kept in ${this.#options.folder}: ${messageOf(error)}.`);
    }
  }

  #open(): void {
    try {
      this.#folder.make();
    } catch (error) {
      this.#say("off", `There is no cache of prompts on disk: ${messageOf(error)}.`);
      return;
    }
    this.#reads = true;
    this.#writes = true;
    for (const path of subfolders(this.#options.folder)) {
      if (isOlder(basename(path))) this.#older.push(path, ...subfolders(path));
    }
    let files = 0;
    for (const group of groups) {
      const blocks = listBlocks(join(this.#folder.path, group), this.#options.now());
      files += blocks.length;
      this.#census.set(
        group,
        blocks.reduce((sum, { bytes }) => sum + bytes, 0),
      );
      if (files >= countedFiles) return;
    }
  }

  /** One subfolder at a time: there may be thousands of files. */
  #removeOlder(): void {
    const path = this.#older.pop();
    if (path === undefined) return;
    if (isOlder(basename(path))) removeEmpty(path);
    else removeGroup(path);
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
