/** Files that are there whole or not at all: written under another name, flushed, and renamed. */
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { HearthError } from "../error.ts";
import { diskFreeBytes } from "../hardware/disk.ts";
import { syncFolder } from "../models/durable.ts";
import { formatBytes } from "../util/format.ts";

export interface OutputFile {
  readonly path: string;
  /** Bytes that will be written; checked against what the disk has. */
  readonly sizeBytes: number;
  /** For tests. */
  readonly freeBytes?: ((folder: string) => Promise<number | undefined>) | undefined;
}

/**
 * Has `write` fill a file with another name in the same folder, and gives it its own name when that is done. Throws
 * `conflict` where there is a file of that name, and `disk_full` before anything is written; what was written by then is
 * removed, also what a process left that was killed.
 */
export async function writeOutput(file: OutputFile, write: (temporary: string) => Promise<void>): Promise<void> {
  const path = resolve(file.path);
  const folder = dirname(path);
  checkAbsent(file.path);
  await checkRoom(file, folder);
  await mkdir(folder, { recursive: true });
  await removeLeftovers(path);
  const temporary = join(folder, `.${basename(path)}.${process.pid}-${randomBytes(3).toString("hex")}.partial`);
  try {
    await write(temporary);
    await flush(temporary);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(folder);
}

/** Throws `conflict`. For work that takes long before anything is written. */
export function checkAbsent(path: string): void {
  if (!existsSync(resolve(path))) return;
  throw new HearthError("conflict", `${path} exists already.`, { hint: "Remove it, or name another one with --out." });
}

export async function checkRoom(
  { path, sizeBytes, freeBytes = diskFreeBytes }: OutputFile,
  folder: string,
): Promise<void> {
  const free = await freeBytes(folder);
  if (free === undefined || free >= sizeBytes) return;
  throw new HearthError(
    "disk_full",
    `${basename(path)} needs ${formatBytes(sizeBytes)} on the disk of ${folder}; ${formatBytes(free)} are free.`,
    {
      hint: "Free some space, or name a file on another disk with --out.",
      details: { freeBytes: free, neededBytes: sizeBytes },
    },
  );
}

async function flush(path: string): Promise<void> {
  const handle = await open(path, "r+");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Of processes that are no more. */
export async function removeLeftovers(path: string): Promise<void> {
  const prefix = `.${basename(path)}.`;
  for (const name of readdirSync(dirname(path))) {
    if (!name.startsWith(prefix) || !name.endsWith(".partial")) continue;
    const pid = Number(/^(\d+)-/.exec(name.slice(prefix.length))?.[1] ?? Number.NaN);
    if (!(pid > 0) || isAlive(pid)) continue;
    await rm(join(dirname(path), name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
