import { rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { HearthError } from "../error.ts";
import type { Format, InstalledModel, ModelFile } from "../spec/model.ts";
import type { LibraryContext } from "./context.ts";
import { makeView, toInstalled } from "./installed.ts";
import { dropJournal, journalPath } from "./journal.ts";
import { withLock } from "./lock.ts";
import type { Manifest } from "./manifest.ts";
import { readManifest, writeManifest } from "./manifests.ts";
import type { StoreName } from "./naming.ts";
import type { Fetched, StagedFile } from "./sources/source.ts";
import { blobPath, commitBlob, fileSize } from "./store.ts";

/** Makes a fetched model visible: its files become blobs, its manifest comes last. Throws `model_malformed` for what is no model. */
export async function install(
  context: LibraryContext,
  name: StoreName,
  { fetched, license }: { fetched: Fetched; license: string | undefined },
): Promise<InstalledModel> {
  const format = await checkFormat(context, name, fetched);
  const { folders } = context;
  return await withLock(join(folders.staging, "store.lock"), {}, async () => {
    for (const { staged, sha256, name: file } of fetched.files) {
      if (staged !== undefined) await commitBlob(folders, staged, sha256);
      else if ((await fileSize(blobPath(folders, sha256))) === undefined) {
        throw new HearthError("conflict", `${file} was removed from the store meanwhile.`, { hint: "Start again." });
      }
    }
    const manifest: Manifest = {
      version: 1,
      ...(await freeName(context, name, fetched)),
      format,
      files: fetched.files.map(({ role, name: file, sha256, sizeBytes }) => ({ role, name: file, sha256, sizeBytes })),
      source: fetched.source,
      ...((fetched.license ?? license) !== undefined && { license: fetched.license ?? license ?? "" }),
      modifiedAt: new Date().toISOString(),
      ...(fetched.overrides && { overrides: fetched.overrides }),
    };
    await writeManifest(folders, manifest);
    const model = toInstalled(folders, manifest);
    await makeView(folders, model);
    for (const { staged } of fetched.files) if (staged !== undefined) await rm(journalPath(staged), { force: true });
    for (const path of fetched.leftovers) await rm(path, { force: true });
    return model;
  });
}

/** The header must be that of a model before anything becomes visible; bytes that are none are thrown away. */
async function checkFormat(context: LibraryContext, name: StoreName, fetched: Fetched): Promise<Format> {
  const first = fetched.files.find((file) => file.role === "weights");
  if (!first) throw new HearthError("model_malformed", `${fetched.source} has no weights.`);
  const path = pathOf(context, first);
  try {
    const format = await context.detect(path);
    if (format === undefined) throw new HearthError("model_malformed", `${first.name} is no model file.`);
    if (format !== "tflite") await checkHeader(context, { ...name, format }, fetched);
    return format;
  } catch (error) {
    if (!(error instanceof HearthError)) throw error;
    for (const { staged } of fetched.files) if (staged !== undefined) await dropJournal(staged);
    for (const leftover of fetched.leftovers) await rm(leftover, { force: true });
    // The staged file has a name that says nothing to anybody.
    const message = error.message.replaceAll(basename(path), first.name);
    throw new HearthError(error.code, `${message} Nothing was installed from ${fetched.source}.`, {
      hint: error.hint,
      details: error.details,
      cause: error,
    });
  }
}

/** What no engine runs yet, or not on its own, may be kept all the same; only what is malformed may not. */
async function checkHeader(
  context: LibraryContext,
  { name, tag, format }: StoreName & { readonly format: Format },
  fetched: Fetched,
): Promise<void> {
  const files = fetched.files.map((file): ModelFile => ({ ...file, path: pathOf(context, file) }));
  const weights = files.filter((file) => file.role === "weights");
  const model: InstalledModel = {
    name: `${name}:${tag}`,
    id: "",
    format,
    files,
    sizeBytes: 0,
    origin: "store",
    modifiedAt: new Date(),
  };
  try {
    await context.inspect(weights[0]?.path ?? "", model);
  } catch (error) {
    if (!(error instanceof HearthError && error.code === "model_unsupported")) throw error;
  }
}

function pathOf({ folders }: LibraryContext, file: StagedFile): string {
  return file.staged ?? blobPath(folders, file.sha256);
}

/** Two URLs may end in one file name: the second model gets a tag of its own. */
async function freeName(context: LibraryContext, { name, tag }: StoreName, fetched: Fetched): Promise<StoreName> {
  const existing = await readManifest(context.folders, name, tag).catch(() => undefined);
  const isUrl = /^https?:/.test(fetched.source);
  if (!existing || !isUrl || existing.source === fetched.source) return { name, tag };
  return { name, tag: fetched.files[0]?.sha256.slice(0, 12) ?? tag };
}
