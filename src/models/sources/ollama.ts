/** Ollama's registry: `/v2/<namespace>/<name>/manifests/<tag>` and `/blobs/<digest>`. No login, no push. */
import { readFile } from "node:fs/promises";
import { HearthError } from "../../error.ts";
import type { ModelReference } from "../../spec/model.ts";
import type { LibraryContext } from "../context.ts";
import { parseOllamaManifest, roleOf, toOverrides, type OllamaLayer } from "../ollama-manifest.ts";
import { formatReference } from "../reference.ts";
import { stageFile } from "../stage.ts";
import { blobPath } from "../store.ts";
import { readText, refusal, request } from "./request.ts";
import type { Courier, Fetched, StagedFile } from "./source.ts";

type OllamaReference = Extract<ModelReference, { kind: "ollama" }>;

export async function fetchOllama(
  context: LibraryContext,
  reference: OllamaReference,
  courier: Courier,
): Promise<Fetched> {
  const source = formatReference(reference);
  courier.report({ phase: "resolve", label: source, completedBytes: 0 });
  const layers = await readLayers(context, reference, courier);
  if (!layers.some((layer) => layer.kind === "model")) {
    throw new HearthError(
      "pull_failed",
      `${source} has no weights in the registry: it is a model of a hosted service.`,
    );
  }
  const staged = new Map<OllamaLayer, StagedFile>();
  // The big file first: a later Ctrl-C costs least.
  for (const layer of layers.toSorted((a, b) => b.sizeBytes - a.sizeBytes)) {
    if (layer.sizeBytes === 0) continue;
    staged.set(layer, await stageFile(context, wanted(context, reference, layer), courier));
  }
  const overrides = await toOverrides(layers, async (layer) => {
    return await readFile(staged.get(layer)?.staged ?? blobPath(context.folders, layer.sha256), "utf8");
  });
  const files = [...staged.values()].toSorted((a, b) => Number(b.role === "weights") - Number(a.role === "weights"));
  return { files, source, overrides, leftovers: [] };
}

function wanted(
  context: LibraryContext,
  reference: OllamaReference,
  layer: OllamaLayer,
): Parameters<typeof stageFile>[1] {
  return {
    label:
      layer.kind === "model"
        ? `${reference.name}:${reference.tag}`
        : `${reference.name}:${reference.tag} ${layer.kind}`,
    name: layer.kind,
    role: roleOf(layer),
    url: `${repository(context, reference)}/blobs/sha256:${layer.sha256}`,
    sizeBytes: layer.sizeBytes,
    sha256: layer.sha256,
  };
}

async function readLayers(
  context: LibraryContext,
  reference: OllamaReference,
  { signal, answerTimeoutMs }: Courier,
): Promise<readonly OllamaLayer[]> {
  const url = `${repository(context, reference)}/manifests/${reference.tag}`;
  const headers = { accept: "application/vnd.docker.distribution.manifest.v2+json" };
  const answer = await request(context, { url, headers, signal, timeoutMs: answerTimeoutMs });
  if (!answer.response.ok) {
    answer.abort(new Error(`status ${answer.response.status}`));
    throw refusal(answer.response.status, `model ${reference.name}:${reference.tag}`, url);
  }
  const layers = parseOllamaManifest(await readText(answer, 4 * 1024 ** 2));
  if (layers) return layers;
  throw new HearthError("pull_failed", `The registry's manifest of ${reference.name}:${reference.tag} is malformed.`);
}

/** `name` is in the namespace `library`; `namespace/name` says its own. */
function repository({ settings }: LibraryContext, { name }: OllamaReference): string {
  const path = name.includes("/") ? name : `library/${name}`;
  return `${settings.ollamaRegistry.replace(/\/+$/, "")}/v2/${path}`;
}
