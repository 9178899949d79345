/** What hearth counts; `GET /metrics` shows it. */
import type { ChatEvent } from "../spec/event.ts";
import type { Runtime } from "../runtime/contract.ts";
import type { Hearth } from "../tasks/contract.ts";
import { addModels } from "./model-metrics.ts";
import type { Registry } from "./registry.ts";
import { createRegistry } from "./registry.ts";

export interface Finished {
  /** The pattern of the route, not the path: labels must stay few. */
  readonly route: string;
  readonly status: number;
  readonly durationMs: number;
}

export interface Metrics {
  requestFinished(request: Finished): void;
  /** The same library; what passes through is counted. */
  observe(hearth: Hearth): Hearth;
  text(): string;
}

const durations = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

export function createMetrics(runtime: Runtime): Metrics {
  const registry = createRegistry();
  const requests = registry.counter("hearth_requests_total", "Requests that were answered, by route and status.");
  const seconds = registry.histogram(
    "hearth_request_duration_seconds",
    "From the request to its last byte.",
    durations,
  );
  const prompt = registry.counter("hearth_prompt_tokens_total", "Tokens of prompts, cached ones included.");
  const cached = registry.counter("hearth_cached_tokens_total", "Tokens of prompts that were in the cache.");
  const completion = registry.counter("hearth_completion_tokens_total", "Tokens that were generated.");
  addRuntime(registry, runtime);
  addModels(registry, runtime);

  const watch = (events: AsyncIterable<ChatEvent>): AsyncIterable<ChatEvent> =>
    watchEvents(events, (event) => {
      // The n answers to one prompt share it: it counts with the first.
      if (event.index === 0) prompt.add(event.usage.promptTokens);
      if (event.index === 0) cached.add(event.usage.cachedTokens);
      completion.add(event.usage.completionTokens);
    });

  return {
    requestFinished({ route, status, durationMs }) {
      requests.add(1, { route, status: String(status) });
      seconds.observe(durationMs / 1000, { route });
    },
    observe: (hearth) => ({
      settings: hearth.settings,
      library: hearth.library,
      runtime: hearth.runtime,
      chat: (request) => watch(hearth.chat(request)),
      complete: (request) => watch(hearth.complete(request)),
      async embed(request) {
        const result = await hearth.embed(request);
        prompt.add(result.tokens);
        return result;
      },
      async rerank(request) {
        const result = await hearth.rerank(request);
        prompt.add(result.tokens);
        return result;
      },
      perform: async (request) => await hearth.perform(request),
      dispose: () => hearth.dispose(),
    }),
    text: () => registry.text(),
  };
}

function addRuntime(registry: Registry, runtime: Runtime): void {
  registry.gauge("hearth_requests_running", "Requests that have a turn on a model.", () => runtime.stats().running);
  registry.gauge("hearth_requests_waiting", "Requests that wait for a turn.", () => runtime.stats().waiting);
  registry.total(
    "hearth_requests_refused_total",
    "Requests refused because the queue was full.",
    () => runtime.stats().refused,
  );
  registry.gauge("hearth_models_loaded", "Models in memory.", () => runtime.loaded().length);
  registry.total("hearth_model_loads_total", "Models loaded.", () => runtime.stats().loads);
  registry.total("hearth_model_load_failures_total", "Loads that failed.", () => runtime.stats().loadFailures);
  registry.total("hearth_model_evictions_total", "Models unloaded to make room.", () => runtime.stats().evictions);
  registry.total("hearth_model_sleeps_total", "Models put to sleep.", () => runtime.stats().sleeps);
  registry.total("hearth_model_wakes_total", "Sleeping models that a request woke.", () => runtime.stats().wakes);
  registry.total("hearth_engine_deaths_total", "Engines that died by themselves.", () => runtime.stats().engineDeaths);
  registry.gauge("hearth_memory_used_bytes", "Memory of all loaded models.", () => runtime.stats().usedBytes);
  registry.gauge(
    "hearth_memory_budget_bytes",
    "Memory that loaded models may take.",
    () => runtime.stats().budgetBytes,
  );
}

function watchEvents(
  events: AsyncIterable<ChatEvent>,
  onFinish: (event: Extract<ChatEvent, { type: "finish" }>) => void,
): AsyncIterable<ChatEvent> {
  return {
    [Symbol.asyncIterator]() {
      const source = events[Symbol.asyncIterator]();
      return {
        async next() {
          const result = await source.next();
          if (result.done !== true && result.value.type === "finish") onFinish(result.value);
          return result;
        },
        async return() {
          await source.return?.();
          return { done: true, value: undefined };
        },
      };
    },
  };
}
