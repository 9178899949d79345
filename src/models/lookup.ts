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
  readonly resolve: (text: string) => Promise<InstalledModel>;
  /** Something was pulled, removed or copied. */
  readonly forget: () => void;
}

/**
 * In milliseconds. So long a name means the same model while that model's manifest is as it was: what other processes do to
 * other models meanwhile can change only what a short name means. Who asks later gets the same once more, while the name is
 * looked up anew behind its back; who asks much later waits for that.
 */
const [freshMs, usableMs] = [1000, 60_000];
const mostNames = 256;

interface Known {
  readonly found: Promise<InstalledModel>;
  readonly at: number;
  stamp?: string;
  renewing?: boolean;
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
  const search = async (text: string): Promise<InstalledModel> => {
    if (known.size >= mostNames) known.clear();
    const entry: Known = { found: resolveModel(context, catalog, text), at: now() };
    known.set(text, entry);
    try {
      const model = await entry.found;
      entry.stamp = stampOf(context.folders, model);
      return model;
    } catch (error) {
      forget(text, entry);
      throw error;
    }
  };
  /** Until it is found what was known stays; what goes wrong is told to who asks next. */
  const renew = async (text: string, last: Known): Promise<void> => {
    last.renewing = true;
    const at = now();
    try {
      const model = await resolveModel(context, catalog, text);
      const entry = { found: Promise.resolve(model), at, stamp: stampOf(context.folders, model) };
      if (known.get(text) === last) known.set(text, entry);
    } catch {
      forget(text, last);
    }
  };
  return {
    async resolve(text) {
      const last = known.get(text);
      const ageMs = last ? now() - last.at : Infinity;
      if (!last || ageMs > usableMs) return await search(text);
      const model = await last.found;
      if (last.stamp !== undefined && last.stamp !== stampOf(context.folders, model)) {
        forget(text, last);
        return await search(text);
      }
      if (ageMs > freshMs && !last.renewing) void renew(text, last);
      return model;
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
