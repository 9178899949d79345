/**
 * How the folder is kept below its limit. No process knows all of it, so it is kept in parts: a part of the subfolders has
 * the same part of the limit, and each block that is written looks at its part only. So opening the folder costs nothing,
 * and what other processes write and delete in it is always seen. Families are spread evenly, and each over 16 subfolders
 * that lie as far apart as they can (`key.ts`): over all parts where fewer than 1024 blocks fit, else over 16 of them.
 */
import { statfsSync } from "node:fs";
import { join } from "node:path";
import type { BlockFolder } from "./folder.ts";
import { listBlocks } from "./list.ts";
import { groupOf, groups } from "./names.ts";

/** Blocks for which a part has room, at least: with fewer, some parts would be full long before others. */
const partBlocks = 64;
const gibibyte = 1024 ** 3;

export interface DiskSpace {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

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
  /** Of the whole folder. */
  readonly mostBytes: number;
  readonly key: string;
  /** Of the block that is to come; no more than `mostBytes`. */
  readonly bytes: number;
  readonly nowMs: number;
  /** Told of what lies in a subfolder now. */
  readonly onGroup: (group: string, bytes: number) => void;
}

/** Deletes what was not used for longest in the block's part until it fits. Throws where a file cannot be deleted. */
export function makeRoom({ folder, mostBytes, key, bytes, nowMs, onGroup }: Room): void {
  const part = partOf(key, mostBytes / bytes);
  const blocks = part.flatMap((group) => listBlocks(join(folder.path, group), nowMs));
  const sizes = new Map(part.map((group) => [group, 0]));
  const grow = (one: string, by: number): void => void sizes.set(groupOf(one), (sizes.get(groupOf(one)) ?? 0) + by);
  for (const block of blocks) grow(block.key, block.bytes);
  let excess = blocks.reduce((sum, block) => sum + block.bytes, bytes) - (mostBytes * part.length) / groups.length;
  for (const block of blocks.toSorted((left, right) => left.touchedMs - right.touchedMs)) {
    if (excess <= 0) break;
    if (!folder.remove(block.key)) throw new Error(`block ${block.key} cannot be deleted`);
    grow(block.key, -block.bytes);
    excess -= block.bytes;
  }
  for (const [group, size] of sizes) onGroup(group, size);
}

/** The subfolders of a block's part, where so many blocks of its size fit into all. */
function partOf(key: string, blocks: number): readonly string[] {
  let width = 1;
  while (width < groups.length && (blocks * width) / groups.length < partBlocks) width *= 2;
  const index = groups.indexOf(groupOf(key));
  return groups.slice(index - (index % width), index - (index % width) + width);
}
