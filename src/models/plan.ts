/** What a pull would do: under which name, from which sources, in which order. */
import { HearthError } from "../error.ts";
import type { ModelReference } from "../spec/model.ts";
import { didYouMean } from "../util/distance.ts";
import { catalogEntry, catalogNames, type Catalog } from "./catalog.ts";
import type { LibraryContext } from "./context.ts";
import type { CatalogSource } from "./contract.ts";
import { storeName, type StoreName } from "./naming.ts";
import { formatReference, parseReference } from "./reference.ts";
import type { Fetched, SourceRequest } from "./sources/source.ts";

export interface PullPlan {
  /** Equal for all ways to write one model. */
  readonly key: string;
  readonly sources: readonly SourceRequest[];
  readonly license: string | undefined;
  readonly nameFor: (fetched: Fetched) => StoreName;
}

/** Throws `model_not_found` for a name that is not in the catalog. */
export function planPull(context: LibraryContext, catalog: Catalog, text: string): PullPlan {
  const reference = hubUrl(context, parseReference(text));
  switch (reference.kind) {
    case "name":
      return planName(catalog, reference, text);
    case "path":
      throw new HearthError("internal", "A path is adopted, not pulled.");
    default:
      return {
        key: formatReference(reference),
        sources: [{ references: [reference] }],
        license: undefined,
        nameFor: ({ files }) =>
          storeName(
            reference,
            reference.kind === "https"
              ? (files[0]?.name ?? "")
              : (files.find((file) => file.role === "weights")?.name ?? ""),
          ),
      };
  }
}

function planName(catalog: Catalog, { name, tag }: { name: string; tag: string }, text: string): PullPlan {
  const entry = catalogEntry(catalog, name, tag);
  if (!entry) {
    const hub = /^[^/.]+\/[^/]+$/.test(name);
    throw new HearthError(
      "model_not_found",
      `"${text}" is not in the catalog.${didYouMean(text, catalogNames(catalog))}`,
      {
        hint: hub
          ? `If it is on the hub: \`hearth pull hf:${name}\`.`
          : "Give a source: hf:owner/repo, ollama:name:tag, npm:package, https://… or a path.",
        details: { model: text },
      },
    );
  }
  return {
    key: `${entry.name}:${entry.tag}`,
    sources: entry.sources.map(toRequest),
    license: entry.license,
    nameFor: () => ({ name: entry.name, tag: entry.tag }),
  };
}

/** A row of the catalog → parsed references. */
export function toRequest({ from, files, names, sha256, sizeBytes, parameters }: CatalogSource): SourceRequest {
  const references = (typeof from === "string" ? [from] : from).map((text) => {
    const reference = parseReference(text);
    if (reference.kind === "path" || reference.kind === "name")
      throw new HearthError("internal", `"${text}" is no source.`);
    return reference;
  });
  return { references, files, names, sha256, sizeBytes, ...(parameters && { overrides: { parameters } }) };
}

/** The address of a file as the hub's web pages show it → the hub reference, with its hashes and commit. */
function hubUrl({ settings }: LibraryContext, reference: ModelReference): ModelReference {
  const hub = `${settings.hub.replace(/\/+$/, "")}/`;
  if (reference.kind !== "https" || !reference.url.startsWith(hub)) return reference;
  const match = /^([^/]+\/[^/?]+)(?:\/(?:resolve|blob)\/([^/]+)\/([^?]+))?(?:\?.*)?$/.exec(
    reference.url.slice(hub.length),
  );
  if (!match || (match[3] === undefined && /\.[a-z0-9]+$/.test(match[1] ?? ""))) return reference;
  const [, repo = "", revision, file] = match;
  const part = file === undefined ? "" : `/${decodeURIComponent(file)}@${decodeURIComponent(revision ?? "main")}`;
  return parseReference(`hf:${repo}${part.replace(/@main$/, "")}`);
}
