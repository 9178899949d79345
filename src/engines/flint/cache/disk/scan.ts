/** What lies in the folder: ours is counted, what our own processes have left is removed, the rest is left alone. */
import { readdirSync, rmdirSync } from "node:fs";
import type { Dirent } from "node:fs";
import { join } from "node:path";
import type { FoundFile } from "./files.ts";
import { findFile, isFolder, removeFile } from "./files.ts";
import type { BlockIndex } from "./index.ts";
import { blockPath, isTemporary, keyOf } from "./names.ts";

/** A block is written in milliseconds: what is this old belongs to a process that is gone. */
const leftoverMs = 3_600_000;

export interface ScanOptions {
  /** Of this version. */
  readonly folder: string;
  readonly index: BlockIndex;
  /** Subfolders to look at. */
  readonly groups: readonly string[];
  readonly nowMs: number;
}

/** Brings the index up to date with what other processes have written and deleted. */
export function scanGroups({ folder, index, groups, nowMs }: ScanOptions): void {
  const found: (readonly [string, FoundFile])[] = [];
  for (const group of groups) {
    const keys = new Set<string>();
    for (const { name } of plainFiles(join(folder, group))) {
      const key = keyOf(group, name);
      if (key !== undefined) keys.add(key);
      else if (isTemporary(name)) removeLeftover(join(folder, group, name), nowMs);
    }
    for (const key of index.group(group)) if (!keys.has(key)) index.forget(key);
    for (const key of keys) {
      const entry = index.get(key) ? undefined : findFile(blockPath(folder, key));
      if (entry) found.push([key, entry]);
    }
  }
  found.sort(([, left], [, right]) => left.touchedMs - right.touchedMs);
  for (const [key, entry] of found) index.put(key, entry);
}

/** Removes the blocks in the folder of a version, and the folder itself where nothing else is in it. */
export function removeVersion(folder: string): void {
  for (const { name: group } of entries(folder).filter((entry) => entry.isDirectory())) {
    for (const { name } of plainFiles(join(folder, group))) {
      if (keyOf(group, name) !== undefined || isTemporary(name)) removeFile(join(folder, group, name));
    }
    removeEmpty(join(folder, group));
  }
  removeEmpty(folder);
}

export function entries(folder: string): readonly Dirent[] {
  try {
    return isFolder(folder) ? readdirSync(folder, { withFileTypes: true }) : [];
  } catch {
    // It went away, or is not ours to read: there is nothing in it for us.
    return [];
  }
}

function plainFiles(folder: string): readonly Dirent[] {
  return entries(folder).filter((entry) => entry.isFile());
}

function removeLeftover(path: string, nowMs: number): void {
  const found = findFile(path);
  if (found && nowMs - found.touchedMs > leftoverMs) removeFile(path);
}

function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Something of somebody else is in it, or it is gone already.
  }
}
