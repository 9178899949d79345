/** What lies in the folder: ours is counted, what our own processes have left is removed, the rest is left alone. */
import { readdirSync, rmdirSync } from "node:fs";
import type { Dirent } from "node:fs";
import { basename, join } from "node:path";
import type { FoundFile } from "./files.ts";
import { findFile, isFolder, removeFile } from "./files.ts";
import { isTemporary, keyOf } from "./names.ts";

/** A block is written in milliseconds: what is this old belongs to a process that is gone. */
const leftoverMs = 3_600_000;

export interface FoundBlock extends FoundFile {
  readonly key: string;
}

/** The blocks in one subfolder. Removes temporary files that a killed process has left there. */
export function listBlocks(path: string, nowMs: number): readonly FoundBlock[] {
  return plainFiles(path).flatMap(({ name }) => {
    const key = keyOf(basename(path), name);
    if (key === undefined && !isTemporary(name)) return [];
    const file = join(path, name);
    const found = findFile(file);
    if (found && key !== undefined) return [{ ...found, key }];
    if (found && nowMs - found.touchedMs > leftoverMs) removeFile(file);
    return [];
  });
}

/** The keys in one subfolder that begin so; whether they can be read is another question. Throws what the system says. */
export function listKeys(path: string, beginning: string): readonly string[] {
  const names = isFolder(path) ? readdirSync(path) : [];
  return names.flatMap((name) => (name.startsWith(beginning) ? (keyOf(basename(path), name) ?? []) : []));
}

/** Removes the blocks in a subfolder, and itself where nothing else is in it. */
export function removeGroup(path: string): void {
  for (const { name } of plainFiles(path)) {
    if (keyOf(basename(path), name) !== undefined || isTemporary(name)) removeFile(join(path, name));
  }
  removeEmpty(path);
}

/** The folders in a folder; none where there is no such folder. */
export function subfolders(path: string): string[] {
  return entries(path).flatMap((entry) => (entry.isDirectory() ? [join(path, entry.name)] : []));
}

export function removeEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // Something of somebody else is in it, or it is gone already.
  }
}

function plainFiles(path: string): readonly Dirent[] {
  return entries(path).filter((entry) => entry.isFile());
}

function entries(path: string): readonly Dirent[] {
  try {
    return isFolder(path) ? readdirSync(path, { withFileTypes: true }) : [];
  } catch {
    // It went away, or is not ours to read: there is nothing in it for us.
    return [];
  }
}
