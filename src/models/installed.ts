import { link, mkdir, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { InstalledModel, ModelFile } from "../spec/model.ts";
import type { Manifest } from "./manifest.ts";
import { manifestId } from "./manifest.ts";
import { checkFile } from "./names.ts";
import { blobPath, fileSize, type StoreFolders } from "./store.ts";

/** A manifest as the rest of hearth sees it. Pure: touches no file. */
export function toInstalled(folders: StoreFolders, manifest: Manifest): InstalledModel {
  const id = manifestId(manifest);
  // Split GGUF models and checkpoints are found by the names of their parts.
  const parts = manifest.format === "gguf" ? manifest.files.filter((file) => file.role === "weights").length : 0;
  let part = 0;
  const files = manifest.files.map((file): ModelFile => {
    const split = file.role === "weights" && parts > 1 ? partName(++part, parts) : undefined;
    const view = hasFolder(manifest) ? checkFile(file.name, file.name) : split;
    const path = view === undefined ? blobPath(folders, file.sha256) : join(folders.views, id, view);
    return { ...file, path };
  });
  return {
    name: `${manifest.name}:${manifest.tag}`,
    id,
    format: manifest.format,
    files,
    sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
    origin: "store",
    ...(manifest.source !== undefined && { source: manifest.source }),
    ...(manifest.license !== undefined && { license: manifest.license }),
    modifiedAt: new Date(manifest.modifiedAt),
    ...(manifest.overrides !== undefined && { overrides: manifest.overrides }),
  };
}

/** Whether the files of a model find each other by their names. */
function hasFolder({ format, files }: Manifest): boolean {
  return format === "safetensors" || (format !== "gguf" && files.length > 1);
}

/** Which file of a model is gone or has another size, or undefined. */
export async function missingFile(folders: StoreFolders, manifest: Manifest): Promise<string | undefined> {
  const sizes = await Promise.all(manifest.files.map(async ({ sha256 }) => await fileSize(blobPath(folders, sha256))));
  for (const [index, file] of manifest.files.entries()) {
    const size = sizes[index];
    if (size === undefined) return `its file ${file.name} is missing`;
    if (size !== file.sizeBytes) return `its file ${file.name} has ${size} bytes instead of ${file.sizeBytes}`;
  }
  return undefined;
}

/** Makes the names by which the parts of a split model and the files of a checkpoint are found. */
export async function makeView(folders: StoreFolders, model: InstalledModel): Promise<void> {
  for (const file of model.files) {
    if (!file.path.startsWith(folders.views) || file.sha256 === undefined) continue;
    if ((await fileSize(file.path)) === file.sizeBytes) continue;
    await mkdir(dirname(file.path), { recursive: true });
    const blob = blobPath(folders, file.sha256);
    await ignoreExisting(link(blob, file.path).catch(async () => await ignoreExisting(symlink(blob, file.path))));
  }
}

function partName(part: number, parts: number): string {
  const digits = (value: number): string => String(value).padStart(5, "0");
  return `model-${digits(part)}-of-${digits(parts)}.gguf`;
}

async function ignoreExisting(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
}
