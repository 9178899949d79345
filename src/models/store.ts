/** The layout of the store on disk, and how a staged file becomes a blob. */
import { chmod, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { HearthError } from "../error.ts";
import { makeFolder, syncFile, syncFolder } from "./durable.ts";
import { parseDigest } from "./names.ts";

export interface StoreFolders {
  /** `sha256-<hex>`: the bytes, read-only. */
  readonly blobs: string;
  /** `<name>/<tag>.json`: what a name means. */
  readonly manifests: string;
  /** Transfers under way, locks, temporary files. Never read as models. */
  readonly staging: string;
  /** Hard links with the file names that an engine insists on (models in several parts). */
  readonly views: string;
}

export function storeFolders(dataFolder: string): StoreFolders {
  const root = join(dataFolder, "models");
  return {
    blobs: join(root, "blobs"),
    manifests: join(root, "manifests"),
    staging: join(root, "staging"),
    views: join(root, "views"),
  };
}

export async function makeStore(folders: StoreFolders): Promise<void> {
  for (const folder of [folders.blobs, folders.manifests, folders.staging]) await makeFolder(folder);
}

/** The path of a blob. Only a strict digest gets one. */
export function blobPath(folders: StoreFolders, sha256: string): string {
  const digest = parseDigest(sha256);
  if (digest === undefined) throw new HearthError("model_malformed", `"${sha256}" is not a SHA-256.`);
  return join(folders.blobs, `sha256-${digest}`);
}

/** Whether the blob is there with this size. */
export async function hasBlob(folders: StoreFolders, sha256: string, sizeBytes: number): Promise<boolean> {
  return (await fileSize(blobPath(folders, sha256))) === sizeBytes;
}

/** Moves a staged file, whose digest and size were checked, to its place. Also when another process was faster. */
export async function commitBlob(folders: StoreFolders, staged: string, sha256: string): Promise<void> {
  const target = blobPath(folders, sha256);
  const size = await fileSize(staged);
  if (size === undefined && (await fileSize(target)) !== undefined) return;
  await syncFile(staged);
  await chmod(staged, 0o444);
  await rename(staged, target);
  await syncFolder(folders.blobs);
}

/** Size of a regular file, undefined when there is none. */
export async function fileSize(path: string): Promise<number | undefined> {
  try {
    const found = await stat(path);
    return found.isFile() ? found.size : undefined;
  } catch {
    return undefined;
  }
}
