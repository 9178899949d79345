import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { formatReference, parseReference } from "../reference.ts";
import type { InstalledModel, ModelFile } from "../../spec/model.ts";
import { parseOllamaManifest, roleOf, toOverrides, type OllamaLayer } from "../ollama-manifest.ts";
import type { Adopted } from "./adopt.ts";
import { lookAt, walk, type FoundFile } from "./walk.ts";

/** Ollama's store: `manifests/<host>/<namespace>/<name>/<tag>` and `blobs/sha256-<hex>`. Damaged models are left out. */
export async function adoptOllama(folder: string): Promise<readonly Adopted[]> {
  const manifests = await walk(join(folder, "manifests"), 5, (name) => !name.startsWith("."));
  const adopted = await Promise.all(manifests.map(async (file) => await adopt(folder, file)));
  return adopted.filter((model) => model !== undefined);
}

async function adopt(folder: string, file: FoundFile): Promise<Adopted | undefined> {
  const name = modelName(file.segments);
  if (name === undefined || file.sizeBytes > 4 * 1024 ** 2) return undefined;
  const text = await readFile(file.path, "utf8").catch(() => "");
  const layers = parseOllamaManifest(text);
  if (!layers) return undefined;
  const files: ModelFile[] = [];
  for (const layer of layers) {
    const path = join(folder, "blobs", `sha256-${layer.sha256}`);
    const found = await lookAt(path);
    const role = roleOf(layer);
    if (!found) {
      if (role === "weights") return undefined;
      continue;
    }
    files.push({ role, name: layer.kind, sha256: layer.sha256, sizeBytes: layer.sizeBytes, path });
  }
  if (!files.some((entry) => entry.role === "weights")) return undefined;
  return {
    short: name,
    qualified: `ollama:${name}`,
    model: await toModel({ folder, file, files, layers, text, name }),
  };
}

interface Parts {
  readonly folder: string;
  readonly file: FoundFile;
  readonly files: readonly ModelFile[];
  readonly layers: readonly OllamaLayer[];
  readonly text: string;
  readonly name: string;
}

async function toModel({ folder, file, files, layers, text, name }: Parts): Promise<Omit<InstalledModel, "name">> {
  const overrides = await toOverrides(
    layers,
    async (layer) => await readFile(join(folder, "blobs", `sha256-${layer.sha256}`), "utf8"),
  );
  return {
    id: createHash("sha256").update(text).digest("hex"),
    format: "gguf",
    files,
    sizeBytes: files.reduce((sum, entry) => sum + entry.sizeBytes, 0),
    origin: "ollama",
    source: formatReference(parseReference(`ollama:${name}`)),
    modifiedAt: new Date(file.modifiedMs),
    ...(overrides && { overrides }),
  };
}

/** `registry.ollama.ai/library/llama3.2/1b` → `llama3.2:1b`; other hosts and namespaces stay in the name. */
function modelName(segments: readonly string[]): string | undefined {
  const [host, ...rest] = segments;
  const tag = rest.pop();
  if (host === undefined || tag === undefined || rest.length === 0) return undefined;
  const home = host === "registry.ollama.ai";
  const path = home && rest[0] === "library" ? rest.slice(1) : home ? rest : [host, ...rest];
  const name = `${path.join("/")}:${tag}`;
  try {
    parseReference(`ollama:${name}`);
    return name;
  } catch {
    return undefined;
  }
}
