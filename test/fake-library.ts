/** A model library in memory for tests of the runtime, the tasks, the dialects and the server. Touches no disk. */
import { createHash } from "node:crypto";
import { HearthError } from "../src/error.ts";
import type { CatalogEntry, ModelLibrary, PullOptions, VerifyResult } from "../src/models/contract.ts";
import type { InstalledModel, ModelInfo, ModelOverrides } from "../src/spec/model.ts";
import { didYouMean } from "../src/util/distance.ts";

export interface FakeModel {
  /** `tiny` is short for `tiny:latest`. */
  readonly name: string;
  readonly info?: Partial<ModelInfo>;
  readonly overrides?: ModelOverrides;
}

export interface FakeLibraryOptions {
  /** Models that are not installed but that `pull` can fetch. */
  readonly remote?: readonly FakeModel[];
  readonly catalog?: readonly CatalogEntry[];
}

/** Installed models are exactly `models`; `pull` moves one over from `options.remote`, with progress of four steps. */
export function createFakeLibrary(models: readonly FakeModel[], options: FakeLibraryOptions = {}): ModelLibrary {
  const installed = new Map<string, Entry>(models.map(toEntry).map((entry) => [entry.model.name, entry]));
  const remote = new Map<string, Entry>((options.remote ?? []).map(toEntry).map((entry) => [entry.model.name, entry]));

  const find = (text: string): Entry => {
    const entry = installed.get(canonicalName(text));
    if (entry) return entry;
    const hint = didYouMean(text, installed.keys());
    throw new HearthError("model_not_found", `Model "${text}" is not installed.${hint}`, { details: { model: text } });
  };

  return {
    async list() {
      return [...installed.values()]
        .map(({ model }) => model)
        .sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
    },
    async resolve(text) {
      return find(text).model;
    },
    async pull(text, pull = {}) {
      pull.signal?.throwIfAborted();
      const name = canonicalName(text);
      const entry = installed.get(name) ?? remote.get(name);
      if (!entry) throw new HearthError("model_not_found", `No source has a model "${text}".`);
      if (!installed.has(name)) await transfer(entry.model, pull);
      installed.set(name, entry);
      pull.onProgress?.(progress("done", entry.model, 1));
      return entry.model;
    },
    async remove(name) {
      installed.delete(find(name).model.name);
    },
    async copy(source, destination) {
      const entry = find(source);
      const name = canonicalName(destination);
      const copy: Entry = { info: entry.info, model: { ...entry.model, name } };
      installed.set(name, copy);
      return copy.model;
    },
    async verify(name) {
      const names = name === undefined ? [...installed.keys()] : [find(name).model.name];
      return names.map((model): VerifyResult => ({ model, file: "model.gguf", status: "ok" }));
    },
    async inspect(model) {
      return find(model.name).info;
    },
    catalog: () => options.catalog ?? [],
  };
}

/** The header of a small chat model, with what a test wants to be different. */
export function fakeInfo(overrides: Partial<ModelInfo> = {}): ModelInfo {
  return {
    format: "gguf",
    architecture: "llama",
    parameterCount: 1_100_000_000,
    quantization: "Q4_K_M",
    trainContextTokens: 2048,
    embeddingLength: 2048,
    blockCount: 22,
    vocabularySize: 32_000,
    kvBytesPerToken: 22_528,
    weightBytes: 667_000_000,
    chatTemplate: fakeTemplate,
    bosToken: "<s>",
    eosToken: "</s>",
    specialTokens: ["<s>", "</s>", "<|user|>", "<|assistant|>", "<|system|>"],
    capabilities: ["generate", "chat"],
    metadata: { "general.architecture": "llama", "general.name": "fake" },
    ...overrides,
  };
}

const fakeTemplate =
  "{% for message in messages %}<|{{ message.role }}|>\n{{ message.content }}{{ eos_token }}\n{% endfor %}" +
  "{% if add_generation_prompt %}<|assistant|>\n{% endif %}";

interface Entry {
  readonly model: InstalledModel;
  readonly info: ModelInfo;
}

function canonicalName(text: string): string {
  return text.includes(":") ? text : `${text}:latest`;
}

function toEntry({ name, info, overrides }: FakeModel): Entry {
  const full = fakeInfo(info);
  const canonical = canonicalName(name);
  const sha256 = createHash("sha256").update(canonical).digest("hex");
  const model: InstalledModel = {
    name: canonical,
    id: sha256,
    format: full.format,
    files: [
      {
        role: "weights",
        name: "model.gguf",
        sha256,
        sizeBytes: full.weightBytes,
        path: `/nowhere/${canonical}/model.gguf`,
      },
    ],
    sizeBytes: full.weightBytes,
    origin: "store",
    source: `hf:example/${canonical.split(":")[0] ?? ""}`,
    license: "apache-2.0",
    modifiedAt: new Date("2026-01-02T03:04:05Z"),
    ...(overrides ? { overrides } : {}),
  };
  return { model, info: full };
}

async function transfer(model: InstalledModel, pull: PullOptions): Promise<void> {
  pull.onProgress?.({ phase: "resolve", label: model.name, completedBytes: 0 });
  for (const share of [0, 0.5, 1]) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
    pull.signal?.throwIfAborted();
    pull.onProgress?.(progress("download", model, share));
  }
}

function progress(phase: "download" | "done", model: InstalledModel, share: number): Parameters<Report>[0] {
  const completedBytes = Math.round(model.sizeBytes * share);
  return { phase, label: "model.gguf", completedBytes, totalBytes: model.sizeBytes };
}

type Report = NonNullable<PullOptions["onProgress"]>;
