import { HearthError } from "../../error.ts";
import type { LibraryContext } from "../context.ts";
import { formatReference } from "../reference.ts";
import { fetchHub } from "./hf.ts";
import { fetchUrl } from "./https.ts";
import { fetchNpm } from "./npm.ts";
import { fetchOllama } from "./ollama.ts";
import type { Courier, Fetched, SourceRequest } from "./source.ts";

/** Fetches one source of a model into the staging folder. */
export async function fetchSource(context: LibraryContext, source: SourceRequest, courier: Courier): Promise<Fetched> {
  const [first] = source.references;
  if (!first) throw new HearthError("internal", "A source without references.");
  const { files, names, sha256, sizeBytes } = source;
  switch (first.kind) {
    case "hf":
      return await fetchHub(context, first, { files, sha256, courier });
    case "https":
      return await fetchUrl(context, first.url, { sha256, courier });
    case "ollama":
      return await fetchOllama(context, first, courier);
    default:
      return await fetchNpm(
        context,
        source.references.filter((reference) => reference.kind === "npm"),
        { files, names, sha256, sizeBytes, courier },
      );
  }
}

/** For messages: the reference, of several the first and how many more. */
export function describeSource({ references }: SourceRequest): string {
  const [first, ...more] = references;
  const text = first ? formatReference(first) : "";
  return more.length === 0 ? text : `${text} and ${more.length} more`;
}
