/** Reading and writing one file whole. What the system says against it is thrown. */
import {
  closeSync,
  constants,
  futimesSync,
  lstatSync,
  openSync,
  readSync,
  renameSync,
  unlinkSync,
  writeSync,
} from "node:fs";

/** 0 where the system has no such flag, as on Windows. */
const guarded = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/** A folder, and not a link to one. */
export function isFolder(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

export interface FoundFile {
  readonly bytes: number;
  /** Modification time: when it was last used, to a minute. */
  readonly touchedMs: number;
}

/** A plain file, and not a link to one; undefined: something else, or nothing. */
export function findFile(path: string): FoundFile | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found?.isFile() ? { bytes: found.size, touchedMs: found.mtimeMs } : undefined;
}

/** Fills `target` with a file of exactly its length. False: it is longer, shorter, a link, or no file. */
export function readWhole(path: string, target: Uint8Array): boolean {
  return findFile(path)?.bytes === target.length && fill(path, target);
}

/** Fills `target` with the beginning of a file. False: it is shorter, a link, or no file. */
export function readStart(path: string, target: Uint8Array): boolean {
  return findFile(path) !== undefined && fill(path, target);
}

function fill(path: string, target: Uint8Array): boolean {
  const descriptor = openSync(path, constants.O_RDONLY | guarded);
  try {
    for (let done = 0; done < target.length;) {
      const count = readSync(descriptor, target, done, target.length - done, done);
      if (count === 0) return false;
      done += count;
    }
    return true;
  } finally {
    closeSync(descriptor);
  }
}

export interface WriteOptions {
  readonly path: string;
  /** Its name until it is whole, on the same disk. */
  readonly temporary: string;
  readonly bytes: Uint8Array;
  readonly nowMs: number;
}

/**
 * Writes under the temporary name and renames: a reader sees all of it or nothing. Nothing is flushed: what a power cut
 * tears is found out by its checksum. False: something stands in the place that a file cannot replace.
 */
export function writeWhole({ path, temporary, bytes, nowMs }: WriteOptions): boolean {
  try {
    writeNew(temporary, bytes, nowMs / 1000);
  } catch (error) {
    removeFile(temporary);
    throw error;
  }
  try {
    renameSync(temporary, path);
    return true;
  } catch {
    removeFile(temporary);
    return false;
  }
}

function writeNew(path: string, bytes: Uint8Array, seconds: number): void {
  const descriptor = openSync(path, "wx", 0o600);
  try {
    for (let done = 0; done < bytes.length;) done += writeSync(descriptor, bytes, done, bytes.length - done);
    futimesSync(descriptor, seconds, seconds);
  } finally {
    closeSync(descriptor);
  }
}

/** Whether it is gone now. A link goes, not what it points to. */
export function removeFile(path: string): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ENOENT";
  }
}
