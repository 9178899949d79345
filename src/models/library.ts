import { statfs } from "node:fs/promises";
import type { InstalledModel, ModelInfo } from "../spec/model.ts";
import { HearthError } from "../error.ts";
import { loadCatalog } from "./catalog.ts";
import type { ForeignFolders, LibraryContext, LibrarySettings } from "./context.ts";
import type { CatalogEntry, ModelLibrary } from "./contract.ts";
import { takeInventory } from "./list.ts";
import { createLookup } from "./lookup.ts";
import type { NpmClient } from "./sources/npm-client.ts";
import { storeFolders } from "./store.ts";

export interface LibraryOptions extends Partial<Omit<LibraryContext, "folders" | "npm">> {
  readonly dataFolder: string;
  readonly settings: LibrarySettings;
  /** `foreignFolders()` of `config/paths.ts`; undefined: adopt nothing. */
  readonly foreign: ForeignFolders | undefined;
  readonly npm?: NpmClient;
  readonly catalog?: readonly CatalogEntry[];
}

/** The model store as one object. Verbs that are seldom needed load their code when they are called. */
export function createLibrary(options: LibraryOptions): ModelLibrary {
  const context = createContext(options);
  const catalog = options.catalog ?? loadCatalog();
  const infos = new Map<string, Promise<ModelInfo>>();
  const lookup = createLookup(context, catalog);
  const changing = async <T>(work: () => Promise<T>): Promise<T> => await work().finally(lookup.forget);
  let puller: Promise<ModelLibrary["pull"]> | undefined;
  return {
    async list(list = {}) {
      const { models, warnings } = await takeInventory(context);
      for (const warning of warnings) list.onWarning?.(warning);
      return models;
    },
    resolve: lookup.resolve,
    async pull(text, pull) {
      puller ??= import("./pull.ts").then(({ createPuller }) => createPuller(context, catalog));
      const start = await puller;
      return await changing(async () => await start(text, pull));
    },
    async remove(name) {
      const { removeModel } = await import("./remove.ts");
      await changing(async () => await removeModel(context, catalog, name));
    },
    async copy(source, destination) {
      const { copyModel } = await import("./copy.ts");
      return await changing(async () => await copyModel(context, catalog, { source, destination }));
    },
    async verify(name, verify = {}) {
      const { verifyModels } = await import("./verify.ts");
      const models = name === undefined ? (await takeInventory(context)).models : [await lookup.resolve(name)];
      return await verifyModels(models, verify);
    },
    async inspect(model) {
      const cached = infos.get(model.id);
      if (cached) return await cached;
      const reading = inspectModel(context, model);
      infos.set(model.id, reading);
      reading.catch(() => infos.delete(model.id));
      return await reading;
    },
    catalog: () => catalog,
  };
}

async function inspectModel(context: LibraryContext, model: InstalledModel): Promise<ModelInfo> {
  const weights = model.files.find((file) => file.role === "weights");
  if (!weights) throw new HearthError("model_malformed", `"${model.name}" has no weights.`);
  return await context.inspect(weights.path, model);
}

function createContext(options: LibraryOptions): LibraryContext {
  const { npm } = options;
  return {
    folders: storeFolders(options.dataFolder),
    settings: options.settings,
    foreign: options.foreign,
    fetch: options.fetch ?? globalThis.fetch,
    npm: async () => npm ?? (await import("./sources/npm-client.ts")).createNpmClient(),
    freeBytes: options.freeBytes ?? freeBytes,
    detect: options.detect ?? (async (path) => await (await import("../formats/detect.ts")).detectFormat(path)),
    inspect: options.inspect ?? (async (path, model) => await (await import("./inspect.ts")).inspectGguf(path, model)),
    chunkBytes: options.chunkBytes ?? 8 * 1024 ** 2,
    stallTimeoutMs: options.stallTimeoutMs ?? 30_000,
    retryDelayMs: options.retryDelayMs ?? 500,
  };
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
