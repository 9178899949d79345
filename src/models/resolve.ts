import { HearthError } from "../error.ts";
import type { InstalledModel, ModelReference } from "../spec/model.ts";
import { didYouMean } from "../util/distance.ts";
import { formatBytes } from "../util/format.ts";
import { catalogEntry, catalogNames, type Catalog } from "./catalog.ts";
import type { LibraryContext } from "./context.ts";
import { quantizationOf } from "./gguf-file.ts";
import { makeView } from "./installed.ts";
import { takeInventory, type Inventory } from "./list.ts";
import { revisionWord } from "./naming.ts";
import { parseReference } from "./reference.ts";
import { adoptPath } from "./sources/path.ts";

/** The installed model that a text names. Throws `model_not_found`, saying what is close and how to get it. */
export async function resolveModel(context: LibraryContext, catalog: Catalog, text: string): Promise<InstalledModel> {
  const inventory = await takeInventory(context);
  const model = await findModel(context, { catalog, inventory, text });
  if (!model) throw notFound(catalog, inventory, text);
  await makeView(context.folders, model);
  return model;
}

export interface FindOptions {
  readonly catalog: Catalog;
  readonly inventory: Inventory;
  readonly text: string;
}

export async function findModel(
  context: LibraryContext,
  { catalog, inventory, text }: FindOptions,
): Promise<InstalledModel | undefined> {
  const exact = byName(inventory, text.trim());
  if (exact) return exact;
  const reference = parseReference(text);
  switch (reference.kind) {
    case "path":
      return await adoptPath(reference.path, context.detect);
    case "name":
      return byShortName(inventory, catalog, reference);
    default:
      return inventory.models.find((model) => isFrom(model, reference));
  }
}

function byName({ models, aliases }: Inventory, name: string): InstalledModel | undefined {
  const wanted = name.toLowerCase();
  return models.find((model) => model.name.toLowerCase() === wanted) ?? aliases.get(wanted);
}

/** `name` and `name:latest` mean the tag `latest`, else the catalog's default tag, else the only tag there is. */
function byShortName(
  inventory: Inventory,
  catalog: Catalog,
  { name, tag }: { name: string; tag: string },
): InstalledModel | undefined {
  const found = byName(inventory, `${name}:${tag}`);
  if (found || tag !== "latest") return found;
  const entry = catalogEntry(catalog, name, "latest");
  const standard = entry && byName(inventory, `${entry.name}:${entry.tag}`);
  if (standard) return standard;
  const prefix = `${name.toLowerCase()}:`;
  const tags = inventory.models.filter((model) => model.name.toLowerCase().startsWith(prefix));
  return tags.length === 1 ? tags[0] : undefined;
}

/** Whether an installed model came from this reference: what the reference leaves open matches anything. */
function isFrom(model: InstalledModel, wanted: ModelReference): boolean {
  if (model.source === undefined || model.origin === "path") return false;
  const source = parseReference(model.source);
  switch (wanted.kind) {
    case "hf": {
      if (source.kind !== "hf" || source.repo.toLowerCase() !== wanted.repo.toLowerCase()) return false;
      if (wanted.file !== undefined && wanted.file !== source.file) return false;
      if (wanted.quantization !== undefined && wanted.quantization !== quantizationOf(source.file ?? "")) return false;
      return wanted.revision === undefined || isRevision(model, source.revision, wanted.revision);
    }
    case "npm":
      return (
        source.kind === "npm" &&
        source.package === wanted.package &&
        (wanted.version === undefined || wanted.version === source.version) &&
        (wanted.file === undefined || wanted.file === source.file)
      );
    case "ollama":
      return source.kind === "ollama" && source.name === wanted.name && source.tag === wanted.tag;
    case "https":
      return source.kind === "https" && source.url === wanted.url;
    default:
      return false;
  }
}

/** A commit is in the source; a branch or tag that was asked for ends the name (`naming.ts`). */
function isRevision(model: InstalledModel, commit: string | undefined, wanted: string): boolean {
  return commit === wanted || model.name.endsWith(`-${revisionWord(wanted)}`);
}

function notFound(catalog: Catalog, inventory: Inventory, text: string): HearthError {
  const word = text.trim();
  const damaged = inventory.warnings.find((warning) =>
    warning.toLowerCase().startsWith(`model "${word.toLowerCase()}`),
  );
  if (damaged !== undefined) return new HearthError("model_malformed", damaged);
  const reference = parseReference(text);
  const entry = reference.kind === "name" ? catalogEntry(catalog, reference.name, reference.tag) : undefined;
  const names = [...inventory.models.flatMap((model) => shortNames(model.name)), ...catalogNames(catalog)];
  const suggestion = entry ? "" : didYouMean(word, names);
  return new HearthError("model_not_found", `Model "${word}" is not installed.${suggestion}`, {
    hint: hintFor(reference, word, entry && { name: word, sizeBytes: entry.sources[0]?.sizeBytes ?? 0 }),
    details: { model: word },
  });
}

function hintFor(
  reference: ModelReference,
  word: string,
  entry: { name: string; sizeBytes: number } | undefined,
): string | undefined {
  if (entry) return `\`hearth pull ${entry.name}\` fetches it (${formatBytes(entry.sizeBytes)}).`;
  if (reference.kind !== "name") return `\`hearth pull ${word}\` fetches it.`;
  if (/^[^/.]+\/[^/]+$/.test(reference.name)) return `If it is on the hub: \`hearth pull hf:${reference.name}\`.`;
  return undefined;
}

function shortNames(name: string): string[] {
  return [name, name.replace(/:[^:/]*$/, "")];
}
