/** Metrics of each model. Its name is the only label: never a key, never a word of a prompt. */
import type { LoadedStatus, Runtime } from "../runtime/contract.ts";
import type { EngineStats } from "../spec/engine.ts";
import type { EngineCounters, Latency } from "../spec/stats.ts";
import type { Registry, Sample } from "./registry.ts";
import { isInMemory, requestsOf } from "./stats.ts";

/** Counter → its metric and what it says. */
const counters: Readonly<Record<keyof EngineCounters, readonly [name: string, help: string]>> = {
  steps: ["hearth_engine_steps_total", "Steps of the engine."],
  stepTokens: ["hearth_engine_step_tokens_total", "Tokens that the steps computed: prompts, answers and guesses."],
  promptTokens: ["hearth_engine_prompt_tokens_total", "Tokens of prompts, those from a cache included."],
  cachedTokens: ["hearth_engine_cached_tokens_total", "Tokens of prompts that came out of the cache in memory."],
  restoredTokens: ["hearth_engine_restored_tokens_total", "Tokens of prompts that came out of the cache on disk."],
  generatedTokens: ["hearth_engine_generated_tokens_total", "Tokens of answers, those of cancelled requests included."],
  draftedTokens: ["hearth_engine_drafted_tokens_total", "Tokens that were guessed ahead."],
  acceptedTokens: ["hearth_engine_accepted_tokens_total", "Tokens that were guessed ahead and right."],
  preemptions: [
    "hearth_engine_preemptions_total",
    "Requests that gave their place in the cache to others for a while.",
  ],
};

const latencies: Readonly<Record<keyof Latency, readonly [name: string, help: string]>> = {
  firstToken: [
    "hearth_time_to_first_token_seconds",
    "From a request to its first token, waiting and loading included.",
  ],
  betweenTokens: ["hearth_time_between_tokens_seconds", "Between two tokens of an answer."],
  duration: ["hearth_model_request_duration_seconds", "From a request to a model to its end, whatever the end was."],
  queue: ["hearth_queue_time_seconds", "From a request to its turn, loading left out."],
};

export function addModels(registry: Registry, runtime: Runtime): void {
  addLoaded(registry, runtime);
  for (const [counter, [name, help]] of entries(counters)) {
    registry.total(name, help, () =>
      runtime
        .totals()
        .flatMap((row) => (row.counters ? [{ labels: { model: row.name }, value: row.counters[counter] }] : [])),
    );
  }
  for (const [latency, [name, help]] of entries(latencies)) {
    registry.histograms(name, help, () =>
      runtime.totals().map((row) => ({ labels: { model: row.name }, value: row.latency[latency] })),
    );
  }
}

function addLoaded(registry: Registry, runtime: Runtime): void {
  const inMemory = (): readonly LoadedStatus[] => runtime.loaded().filter(isInMemory);
  const fromStats = (read: (stats: EngineStats, status: LoadedStatus) => readonly Sample[]) => (): readonly Sample[] =>
    inMemory().flatMap((row) => (row.stats ? read(row.stats, row) : []));
  registry.gauge("hearth_model_asleep", "1: the model has given its memory back until the next request.", () =>
    inMemory().map(({ name, state }) => ({ labels: { model: name }, value: Number(state === "asleep") })),
  );
  registry.gauge("hearth_model_requests_running", "Requests that take part in the steps of a model.", () =>
    inMemory().map((row) => ({ labels: { model: row.name }, value: requestsOf(row).running })),
  );
  registry.gauge("hearth_model_requests_waiting", "Requests that wait for that, here or in the engine.", () =>
    inMemory().map((row) => ({ labels: { model: row.name }, value: requestsOf(row).waiting })),
  );
  registry.gauge(
    "hearth_cache_blocks",
    "Blocks of the KV cache: used by running requests, cached for prompts to come, and free.",
    fromStats(({ blocks: { total, used, cached } }, { name: model, state }) =>
      state === "asleep"
        ? []
        : [
            { labels: { model, state: "used" }, value: used },
            { labels: { model, state: "cached" }, value: cached },
            { labels: { model, state: "free" }, value: total - used - cached },
          ],
    ),
  );
  registry.gauge(
    "hearth_disk_cache_bytes",
    "The KV cache on disk.",
    fromStats(({ diskBytes }, { name: model }) => [{ labels: { model }, value: diskBytes }]),
  );
}

function entries<Name extends string, Value>(table: Readonly<Record<Name, Value>>): [Name, Value][] {
  return Object.entries(table) as [Name, Value][];
}
