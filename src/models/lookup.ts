/** Names that are looked up again and again, as a server does for every request. */
import { statSync } from "node:fs";
import type { InstalledModel } from "../spec/model.ts";
import type { Catalog } from "./catalog.ts";
import type { LibraryContext } from "./context.ts";
import { manifestPath } from "./manifests.ts";
import { parseName } from "./reference.ts";
import { resolveModel } from "./resolve.ts";
import type { StoreFolders } from "./store.ts";

export interface Lookup {
  /** As `resolveModel`. */
  resolve(text: string): Promise<InstalledModel>;
  /** Something was pulled, removed or copied. */
  forget(): void;
}

/**
 * For so long, in milliseconds, a name means the same model while that model's manifest is as it was. What other processes
 * do to other models meanwhile can change only what a short name means.
 */
const goodForMs = 1000;
const mostNames = 256;

interface Known {
  readonly found: Promise<InstalledModel>;
  readonly at: number;
  stamp?: string;
}

/** An inventory reads every manifest and the folders of other tools: 10 ms for fifty models. */
export function createLookup(
  context: LibraryContext,
  catalog: Catalog,
  now: () => number = () => performance.now(),
): Lookup {
  const known = new Map<string, Known>();
  const forget = (text: string, entry: Known): void => {
    if (known.get(text) === entry) known.delete(text);
  };
  const search = async (entry: Known): Promise<InstalledModel> => {
    const model = await entry.found;
    entry.stamp = stampOf(context.folders, model);
    return model;
  };
  return {
    async resolve(text) {
      const last = known.get(text);
      if (last && now() - last.at < goodForMs) {
        const model = await last.found;
        if (last.stamp === undefined || last.stamp === stampOf(context.folders, model)) return model;
        forget(text, last);
      }
      if (known.size >= mostNames) known.clear();
      const entry: Known = { found: resolveModel(context, catalog, text), at: now() };
      known.set(text, entry);
      try {
        return await search(entry);
      } catch (error) {
        forget(text, entry);
        throw error;
      }
    },
    forget: () => known.clear(),
  };
}

/** What changes with the file that says what the model is. Not awaited: a wait costs ten times what the call does. */
function stampOf(folders: StoreFolders, model: InstalledModel): string {
  const path = model.origin === "store" ? ownPath(folders, model.name) : (model.files[0]?.path ?? "");
  const found = statSync(path, { throwIfNoEntry: false });
  return found ? `${found.ino} ${found.mtimeMs} ${found.size}` : "";
}

function ownPath(folders: StoreFolders, text: string): string {
  const { name, tag } = parseName(text);
  return manifestPath(folders, name, tag);
}
