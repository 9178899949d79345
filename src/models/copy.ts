import { join } from "node:path";
import { HearthError } from "../error.ts";
import type { InstalledModel } from "../spec/model.ts";
import type { Catalog } from "./catalog.ts";
import type { LibraryContext } from "./context.ts";
import { toInstalled } from "./installed.ts";
import { withLock } from "./lock.ts";
import type { Manifest } from "./manifest.ts";
import { readManifest, writeManifest } from "./manifests.ts";
import { parseName, parseReference } from "./reference.ts";
import { resolveModel } from "./resolve.ts";
import { makeStore } from "./store.ts";

/** A second name for a model of the store; no bytes are copied. A name that exists is replaced, as with `cp`. */
export async function copyModel(
  context: LibraryContext,
  catalog: Catalog,
  { source, destination }: { source: string; destination: string },
): Promise<InstalledModel> {
  const wanted = parseReference(destination, () => false);
  if (wanted.kind !== "name") {
    throw new HearthError("bad_request", `"${destination}" cannot be the name of a copy.`, {
      hint: "Choose name or name:tag.",
      details: { field: "destination" },
    });
  }
  await makeStore(context.folders);
  return await withLock(join(context.folders.staging, "store.lock"), {}, async () => {
    const model = await resolveModel(context, catalog, source);
    const own = model.origin === "store" ? parseName(model.name) : undefined;
    const manifest = own && (await readManifest(context.folders, own.name, own.tag));
    if (!manifest) {
      throw new HearthError(
        "conflict",
        `"${model.name}" is a file of ${model.origin === "path" ? "yours" : model.origin}; only models of the store can be copied.`,
        {
          hint: `Use it as "${model.name}", or fetch it into the store with \`hearth pull\`.`,
        },
      );
    }
    const copy: Manifest = { ...manifest, name: wanted.name, tag: wanted.tag, modifiedAt: new Date().toISOString() };
    await writeManifest(context.folders, copy);
    return toInstalled(context.folders, copy);
  });
}
