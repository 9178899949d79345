/** A Hearth in memory for the tests of the commands: models are names, answers are what the test says. */
import { loadCatalog } from "../../src/models/catalog.ts";
import { settingsTable, type Settings } from "../../src/config/settings.ts";
import { HearthError } from "../../src/error.ts";
import type { ModelLibrary } from "../../src/models/contract.ts";
import type { AcquireRequest, Lease, Plan, Runtime } from "../../src/runtime/contract.ts";
import type { ChatEvent } from "../../src/spec/event.ts";
import type { InstalledModel, ModelInfo } from "../../src/spec/model.ts";
import type { Perform, TaskName } from "../../src/spec/perform.ts";
import type { ChatRequest, PerformTaskRequest } from "../../src/spec/task.ts";
import type { Hearth } from "../../src/tasks/contract.ts";

export interface FakeOptions {
  readonly installed?: readonly string[];
  /** What `pull` can fetch. */
  readonly available?: readonly string[];
  readonly answer?: (request: ChatRequest) => AsyncIterable<ChatEvent>;
  readonly library?: Partial<ModelLibrary>;
  readonly runtime?: Partial<Runtime>;
  /** What the tasks of `perform` answer. */
  readonly perform?: Perform;
}

export interface FakeHearth extends Hearth {
  readonly requests: ChatRequest[];
  readonly acquired: AcquireRequest[];
  readonly pulled: string[];
  readonly performed: { [Name in TaskName]: PerformTaskRequest<Name> }[TaskName][];
  disposed: boolean;
}

export function fakeModel(name: string): InstalledModel {
  const path = `/models/${name.replace(":", "-")}.gguf`;
  return {
    name,
    id: "0".repeat(64),
    format: "gguf",
    files: [{ role: "weights", name: "model.gguf", sizeBytes: 1024 ** 3, path }],
    sizeBytes: 1024 ** 3,
    origin: "store",
    license: "apache-2.0",
    modifiedAt: new Date("2026-01-01T00:00:00Z"),
  };
}

export const fakeInfo: ModelInfo = {
  format: "gguf",
  architecture: "llama",
  parameterCount: 1.1e9,
  quantization: "Q4_K_M",
  trainContextTokens: 2048,
  embeddingLength: 2048,
  blockCount: 22,
  vocabularySize: 32_000,
  kvBytesPerToken: 22_528,
  weightBytes: 1024 ** 3,
  chatTemplate: "{{ messages }}",
  specialTokens: [],
  capabilities: ["generate", "chat"],
  metadata: { "general.name": "fake", "llama.context_length": 2048n },
};

/** One answer, word by word, with usage and timings. */
export async function* answerWith(text: string, extra: readonly ChatEvent[] = []): AsyncIterable<ChatEvent> {
  yield { type: "start", model: "tiny:1b" };
  yield* extra;
  for (const piece of text.split(/(?<= )/)) yield { type: "text-delta", index: 0, text: piece };
  yield {
    type: "finish",
    index: 0,
    reason: "stop",
    usage: { promptTokens: 20, cachedTokens: 0, completionTokens: 10 },
    timings: { queueMs: 0, loadMs: 0, promptMs: 100, generateMs: 500, totalMs: 600 },
  };
}

export function createFakeHearth(options: FakeOptions = {}): FakeHearth {
  const { installed = ["tiny:1b"], available = [], answer = () => answerWith("Paris is the capital.") } = options;
  const names = new Set(installed);
  const requests: ChatRequest[] = [];
  const acquired: AcquireRequest[] = [];
  const pulled: string[] = [];
  const performed: FakeHearth["performed"] = [];
  const library: ModelLibrary = {
    list: async () => [...names].map(fakeModel),
    async resolve(text) {
      const name = [...names].find((candidate) => candidate === text || candidate.startsWith(`${text}:`));
      if (name !== undefined) return fakeModel(name);
      throw new HearthError("model_not_found", `Model "${text}" is not installed.`);
    },
    async pull(text, { onProgress } = {}) {
      const name = available.find((candidate) => candidate === text || candidate.startsWith(`${text}:`));
      if (name === undefined) throw new HearthError("model_not_found", `There is no model "${text}".`);
      onProgress?.({ phase: "download", label: name, completedBytes: 512, totalBytes: 1024 });
      names.add(name);
      pulled.push(name);
      return fakeModel(name);
    },
    async remove(name) {
      names.delete(name);
    },
    async copy(_source, destination) {
      names.add(destination);
      return fakeModel(destination);
    },
    verify: async () => [],
    inspect: async () => fakeInfo,
    catalog: loadCatalog,
    ...options.library,
  };
  return {
    settings: fakeSettings(),
    library,
    runtime: fakeRuntime(acquired, options.runtime),
    requests,
    acquired,
    pulled,
    performed,
    disposed: false,
    chat(request) {
      // The commands change the session in place; what counts is what it was now.
      requests.push({ ...request, messages: [...request.messages] });
      return answer(request);
    },
    complete: () => answerWith(""),
    embed: () => Promise.reject(new Error("not used by the commands")),
    rerank: () => Promise.reject(new Error("not used by the commands")),
    async perform(request) {
      // One of them, whichever it is.
      performed.push(request as FakeHearth["performed"][number]);
      const { task, input, signal, onPart } = request;
      if (!options.perform) throw new HearthError("unsupported_capability", `Model "${request.model}" cannot ${task}.`);
      const output = await options.perform(task, input, { ...(signal && { signal }), ...(onPart && { onPart }) });
      return { model: request.model, output, loadMs: 0, totalMs: 1 };
    },
    async dispose() {
      this.disposed = true;
    },
  };
}

function fakeSettings(): Settings {
  const entries = Object.entries(settingsTable).map(([name, row]) => [name, row.default]);
  return Object.fromEntries(entries) as Settings;
}

export function fakePlan(fits: boolean): Plan {
  return {
    model: fakeModel("tiny:1b"),
    info: fakeInfo,
    choice: { engine: "llama", device: "cpu", reasons: ["no GPU was found"] },
    load: { contextTokens: 2048, parallel: 8 },
    estimate: { weightBytes: 1024 ** 3, kvBytes: 1024 ** 2, computeBytes: 1024 ** 2, totalBytes: 1026 * 1024 ** 2 },
    availableBytes: fits ? 4 * 1024 ** 3 : 1024 ** 2,
    budgetBytes: 4 * 1024 ** 3,
    fits,
    evicts: ["other:7b"],
    putsToSleep: [],
  };
}

function fakeRuntime(acquired: AcquireRequest[], own: Partial<Runtime> = {}): Runtime {
  return {
    async acquire(request) {
      acquired.push(request);
      request.onProgress?.({ phase: "load", label: request.model, completedBytes: 1, totalBytes: 1 });
      return { release() {} } as Lease;
    },
    plan: async () => fakePlan(true),
    loaded: () => [],
    totals: () => [],
    stop: async () => true,
    sleep: async () => {},
    stats: () => ({
      loads: 0,
      loadFailures: 0,
      evictions: 0,
      sleeps: 0,
      wakes: 0,
      engineDeaths: 0,
      refused: 0,
      running: 0,
      waiting: 0,
      budgetBytes: 0,
      usedBytes: 0,
    }),
    drain: async () => {},
    dispose: async () => {},
    ...own,
  };
}
