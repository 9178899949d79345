import { rm } from "node:fs/promises";
import { join } from "node:path";
import { HearthError } from "../error.ts";
import { removalCommand } from "./adopt/adopt.ts";
import type { Catalog } from "./catalog.ts";
import type { LibraryContext } from "./context.ts";
import { syncFolder } from "./durable.ts";
import { missingFile } from "./installed.ts";
import { manifestId, type Manifest } from "./manifest.ts";
import { readManifests, removeManifest } from "./manifests.ts";
import { withLock } from "./lock.ts";
import { parseName } from "./reference.ts";
import { resolveModel } from "./resolve.ts";
import { blobPath, makeStore } from "./store.ts";

/** Removes a name, and the blobs and views that no other name needs. Throws `model_not_found`, or `conflict` for files of other tools. */
export async function removeModel(context: LibraryContext, catalog: Catalog, text: string): Promise<void> {
  const { name, tag } = (await damagedName(context, text)) ?? (await ownName(context, catalog, text));
  await makeStore(context.folders);
  await withLock(join(context.folders.staging, "store.lock"), {}, async () => {
    const before = await readManifests(context.folders);
    const gone = before.manifests.find((manifest) => isNamed(manifest, name, tag));
    await removeManifest(context.folders, name, tag);
    if (gone) await collect(context, gone);
  });
}

/** Deletes what `gone` needed and nothing else needs. A damaged manifest keeps every digest that it still shows. */
async function collect({ folders }: LibraryContext, gone: Manifest): Promise<void> {
  const { manifests, damaged } = await readManifests(folders);
  const needed = new Set(manifests.flatMap((manifest) => manifest.files.map((file) => file.sha256)));
  for (const { text } of damaged) for (const [digest] of text.matchAll(/[0-9a-f]{64}/g)) needed.add(digest);
  for (const { sha256 } of gone.files) {
    if (!needed.has(sha256)) await rm(blobPath(folders, sha256), { force: true });
  }
  await syncFolder(folders.blobs);
  const id = manifestId(gone);
  if (!manifests.some((manifest) => manifestId(manifest) === id)) {
    await rm(join(folders.views, id), { recursive: true, force: true });
  }
}

async function ownName(
  context: LibraryContext,
  catalog: Catalog,
  text: string,
): Promise<{ name: string; tag: string }> {
  const model = await resolveModel(context, catalog, text);
  if (model.origin === "store") return parseName(model.name);
  throw new HearthError(
    "conflict",
    `"${model.name}" belongs to ${model.origin === "path" ? "you" : model.origin}, not to hearth.`,
    {
      hint: `Remove it there: ${removalCommand(model) ?? ""}`,
      details: { model: model.name },
    },
  );
}

/** A damaged model cannot be resolved, but it can be removed by its exact name. */
async function damagedName(
  { folders }: LibraryContext,
  text: string,
): Promise<{ name: string; tag: string } | undefined> {
  const word = text.trim().toLowerCase();
  const is = ({ name, tag }: { name: string; tag: string }): boolean =>
    word === `${name}:${tag}`.toLowerCase() || (tag === "latest" && word === name.toLowerCase());
  const { manifests, damaged } = await readManifests(folders);
  const unreadable = damaged.find(is);
  if (unreadable) return unreadable;
  const named = manifests.find(is);
  return named && (await missingFile(folders, named)) !== undefined ? named : undefined;
}

function isNamed(manifest: Manifest, name: string, tag: string): boolean {
  return manifest.name.toLowerCase() === name.toLowerCase() && manifest.tag.toLowerCase() === tag.toLowerCase();
}
