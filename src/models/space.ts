import { HearthError } from "../error.ts";
import { formatBytes } from "../util/format.ts";
import type { LibraryContext } from "./context.ts";

type Disk = Pick<LibraryContext, "folders" | "freeBytes">;

/** Throws `disk_full` with figures when `neededBytes` more do not fit beside a folder. */
export async function checkSpace(context: Disk, neededBytes: number, label: string): Promise<void> {
  const free = await context.freeBytes(context.folders.staging);
  if (neededBytes > free) throw diskFull({ folder: context.folders.staging, label, neededBytes, freeBytes: free });
}

/** Turns a failed write for want of space into `disk_full`; other errors stay. */
export async function explainFull(context: Disk, error: unknown, label: string): Promise<unknown> {
  if (!(error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT")))
    return error;
  const free = await context.freeBytes(context.folders.staging).catch(() => 0);
  return diskFull({ folder: context.folders.staging, label, freeBytes: free, cause: error });
}

interface Full {
  readonly folder: string;
  readonly label: string;
  readonly freeBytes: number;
  readonly neededBytes?: number;
  readonly cause?: unknown;
}

function diskFull({ folder, label, freeBytes, neededBytes, cause }: Full): HearthError {
  const message =
    neededBytes === undefined
      ? `The disk of ${folder} is full: ${formatBytes(freeBytes)} are free.`
      : `${label} needs ${formatBytes(neededBytes)} more on the disk of ${folder}; ${formatBytes(freeBytes)} are free.`;
  return new HearthError("disk_full", message, {
    hint: "Free some space (`hearth rm MODEL`), or set HEARTH_DATA to a folder on another disk; the same command then goes on where it stopped.",
    details: { freeBytes, neededBytes },
    cause,
  });
}
