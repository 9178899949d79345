/** Whether there is room for a block, and how it is made. */
import { statfsSync } from "node:fs";
import type { BlockFolder } from "./folder.ts";
import type { BlockIndex } from "./index.ts";

export interface DiskSpace {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** Times of files are kept to less than that. */
const slackMs = 1000;
const gibibyte = 1024 ** 3;

/** Undefined where the system does not say. */
export function diskSpace(folder: string): DiskSpace | undefined {
  try {
    const { bavail, blocks, bsize } = statfsSync(folder);
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  } catch {
    return undefined;
  }
}

/** Free bytes that are left to others. */
export function reservedBytes({ totalBytes }: DiskSpace): number {
  return Math.max(gibibyte, totalBytes / 20);
}

export interface Room {
  readonly folder: BlockFolder;
  readonly index: BlockIndex;
  readonly mostBytes: number;
}

/** Deletes what was not used for longest until so many bytes fit. Throws where a file cannot be deleted. */
export function makeRoom({ folder, index, mostBytes }: Room, bytes: number): void {
  for (let oldest = index.oldest(); oldest && index.bytes + bytes > mostBytes; oldest = index.oldest()) {
    const [key, entry] = oldest;
    const found = folder.find(key);
    if (found && found.touchedMs > entry.touchedMs + slackMs) {
      // Another process has used it since.
      index.put(key, found);
      continue;
    }
    if (!folder.remove(key)) throw new Error(`block ${key} cannot be deleted`);
    index.forget(key);
  }
}
