import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { HearthError } from "../error.ts";
import type { ModelFile } from "../spec/model.ts";
import type { LibraryContext } from "./context.ts";
import { download, type RemoteFile } from "./download.ts";
import { dropJournal } from "./journal.ts";
import { withLock } from "./lock.ts";
import type { Courier, StagedFile } from "./sources/source.ts";
import { blobPath, hasBlob } from "./store.ts";
import { hashFile } from "./verify.ts";

export interface Wanted extends RemoteFile {
  readonly name: string;
  readonly role: ModelFile["role"];
  /** What the bytes must hash to; absent where the source does not say. */
  readonly sha256?: string | undefined;
}

/** Fetches one file into the staging folder and checks it. A wrong hash leaves nothing behind and throws `hash_mismatch`. */
export async function stageFile(context: LibraryContext, wanted: Wanted, courier: Courier): Promise<StagedFile> {
  const { name, role, sha256: expected } = wanted;
  const { data, sha256, sizeBytes } = await fetchChecked(context, wanted, {
    courier,
    present: async () => await presentBlob(context, wanted, courier),
    check: async (path) => {
      const digest = (await hashStaged({ path, label: wanted.label, courier })).toString("hex");
      if (expected !== undefined && digest !== expected) throw mismatch(wanted.label, digest, expected);
      return digest;
    },
  });
  return { name, role, sha256, sizeBytes, staged: data };
}

interface FetchOptions {
  readonly courier: Courier;
  /** The digest when the bytes are here already. */
  readonly present?: () => Promise<string | undefined>;
  /** Returns the digest, or throws when the bytes are wrong. */
  readonly check: (path: string) => Promise<string>;
}

export interface CheckedFile {
  /** Path in the staging folder; undefined when the store has the bytes. */
  readonly data: string | undefined;
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** One transfer of a file at a time, also between processes; those that wait show how far it is. */
export async function fetchChecked(
  context: LibraryContext,
  remote: RemoteFile & { sha256?: string | undefined },
  { courier, present, check }: FetchOptions,
): Promise<CheckedFile> {
  const data = stagingPath(context, remote.sha256 ?? remote.url);
  const waiting = {
    signal: courier.signal,
    onWait: (progress?: Parameters<Courier["report"]>[0]) => progress && courier.report(progress),
  };
  return await withLock(`${data}.lock`, waiting, async (lock) => {
    const here = await present?.();
    if (here !== undefined) return { data: undefined, sha256: here, sizeBytes: remote.sizeBytes ?? 0 };
    await download(context, remote, {
      data,
      signal: courier.signal,
      answerTimeoutMs: courier.answerTimeoutMs,
      onBytes: (completedBytes, totalBytes) => {
        const progress = {
          phase: "download",
          label: remote.label,
          completedBytes,
          ...(totalBytes !== undefined && { totalBytes }),
        } as const;
        courier.report(progress);
        lock.report(progress);
      },
    });
    try {
      return { data, sha256: await check(data), sizeBytes: (await stat(data)).size };
    } catch (error) {
      if (error instanceof HearthError && error.code === "hash_mismatch") await dropJournal(data);
      throw error;
    }
  });
}

/** Where a file is staged: a name made from its digest or URL, never the name that the source gives it. */
export function stagingPath(context: LibraryContext, key: string): string {
  return join(context.folders.staging, createHash("sha256").update(key).digest("hex"));
}

interface StagedHash {
  readonly path: string;
  readonly label: string;
  readonly courier: Courier;
  readonly algorithm?: string;
}

/** Hashes a staged file with progress. */
export async function hashStaged({ path, label, courier, algorithm = "sha256" }: StagedHash): Promise<Buffer> {
  const totalBytes = (await stat(path)).size;
  let completedBytes = 0;
  const onBytes = (bytes: number): void => {
    completedBytes += bytes;
    courier.report({ phase: "verify", label, completedBytes, totalBytes });
  };
  return await hashFile(path, { signal: courier.signal, algorithm, onBytes });
}

export function mismatch(label: string, found: string, expected: string): HearthError {
  return new HearthError("hash_mismatch", `${label} has the wrong hash: ${found} instead of ${expected}.`, {
    details: { found, expected },
  });
}

/** A blob of the store counts only after it was hashed again: an old one may have been damaged. */
async function presentBlob(
  context: LibraryContext,
  { sha256, sizeBytes, label }: Wanted,
  courier: Courier,
): Promise<string | undefined> {
  if (sha256 === undefined || sizeBytes === undefined || !(await hasBlob(context.folders, sha256, sizeBytes)))
    return undefined;
  const path = blobPath(context.folders, sha256);
  return (await hashStaged({ path, label, courier })).toString("hex") === sha256 ? sha256 : undefined;
}
