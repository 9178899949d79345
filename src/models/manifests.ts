/** The folder of manifests: reading all, one, writing, removing. A damaged manifest is reported and harms no other. */
import { readdir, readFile, rm, rmdir } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import { HearthError, toHearthError } from "../error.ts";
import { syncFolder, writeDurable } from "./durable.ts";
import { encodeManifest, parseManifest, type Manifest } from "./manifest.ts";
import { checkName, checkTag } from "./names.ts";
import type { StoreFolders } from "./store.ts";

export interface DamagedManifest {
  readonly name: string;
  readonly tag: string;
  readonly message: string;
  /** What could be read: digests in it are still counted as needed. */
  readonly text: string;
}

export interface ManifestFolder {
  readonly manifests: readonly Manifest[];
  readonly damaged: readonly DamagedManifest[];
}

/** Names differ by more than letter case, so that they stay apart on every file system. */
export function manifestPath(folders: StoreFolders, name: string, tag: string): string {
  checkName(name, name);
  checkTag(tag, tag);
  const path = join(folders.manifests, name.toLowerCase().replaceAll("/", "%2f"), `${tag.toLowerCase()}.json`);
  if (!path.startsWith(folders.manifests + sep)) throw new HearthError("internal", "A manifest left the store.");
  return path;
}

export async function readManifests(folders: StoreFolders): Promise<ManifestFolder> {
  const manifests: Manifest[] = [];
  const damaged: DamagedManifest[] = [];
  for (const folder of await entries(folders.manifests)) {
    const name = folder.replaceAll("%2f", "/");
    for (const file of await entries(join(folders.manifests, folder))) {
      if (!file.endsWith(".json")) continue;
      const tag = file.slice(0, -".json".length);
      const read = await readOne(join(folders.manifests, folder, file), { name, tag });
      if ("message" in read) damaged.push(read);
      else manifests.push(read);
    }
  }
  return { manifests, damaged };
}

/** undefined: there is none. Throws `model_malformed` when it is damaged. */
export async function readManifest(folders: StoreFolders, name: string, tag: string): Promise<Manifest | undefined> {
  const path = manifestPath(folders, name, tag);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  return parseNamed(text, { name, tag });
}

export async function writeManifest(folders: StoreFolders, manifest: Manifest): Promise<void> {
  await writeDurable(manifestPath(folders, manifest.name, manifest.tag), encodeManifest(manifest), folders.staging);
}

export async function removeManifest(folders: StoreFolders, name: string, tag: string): Promise<void> {
  const path = manifestPath(folders, name, tag);
  await rm(path, { force: true });
  await syncFolder(dirname(path));
  // Other tags of the name may be left; then the folder stays.
  await rmdir(dirname(path)).catch((error: unknown) => {
    if (!(error instanceof Error && "code" in error && (error.code === "ENOTEMPTY" || error.code === "EEXIST")))
      throw error;
  });
}

async function readOne(path: string, named: { name: string; tag: string }): Promise<Manifest | DamagedManifest> {
  let text = "";
  try {
    text = await readFile(path, "utf8");
    return parseNamed(text, named);
  } catch (error) {
    return { ...named, message: toHearthError(error).message, text };
  }
}

function parseNamed(text: string, { name, tag }: { name: string; tag: string }): Manifest {
  const manifest = parseManifest(text);
  if (manifest.name.toLowerCase() !== name.toLowerCase() || manifest.tag.toLowerCase() !== tag.toLowerCase()) {
    throw new HearthError("model_malformed", `The manifest belongs to ${manifest.name}:${manifest.tag}.`);
  }
  return manifest;
}

async function entries(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}
