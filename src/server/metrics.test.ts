import { describe, expect, test } from "vitest";
import { createTaskHouse } from "../../test/task-house.ts";
import { createFakeHearth } from "../../test/fake-hearth.ts";
import { parsePrometheus, type Family } from "../../test/prometheus.ts";
import type { Runtime } from "../runtime/contract.ts";
import { createHearth } from "../tasks/hearth.ts";
import { createMetrics } from "./metrics.ts";
import { createRegistry } from "./registry.ts";

const messages = [{ role: "user", content: "Hi" }] as const;

/** A runtime whose only model has answered one chat, and what the server says of it. */
async function afterOneChat(): Promise<{
  runtime: Runtime;
  read: () => Map<string, Family>;
  ask: () => Promise<void>;
}> {
  const { runtime } = createTaskHouse({ reply: "one two three" });
  const metrics = createMetrics(runtime);
  const hearth = metrics.observe(createHearth({ runtime }));
  const ask = async (): Promise<void> => {
    for await (const _event of hearth.chat({ model: "tiny", messages }));
  };
  await ask();
  return { runtime, ask, read: () => parsePrometheus(metrics.text()) };
}

function valueOf(families: Map<string, Family>, name: string, labels: Record<string, string> = {}): number | undefined {
  const samples = families.get(name.replace(/_(count|sum)$/, ""))?.samples ?? families.get(name)?.samples ?? [];
  const wanted = JSON.stringify(labels);
  return samples.find((sample) => sample.name === name && JSON.stringify(sample.labels) === wanted)?.value;
}

const model = { model: "tiny:latest" };

describe("/metrics", () => {
  test("is valid text of Prometheus, before and after requests", async () => {
    expect(parsePrometheus(createMetrics(createFakeHearth().runtime).text()).size).toBeGreaterThan(20);
    const { read } = await afterOneChat();
    expect(read().size).toBeGreaterThan(20);
  });

  test("says of each model what its engine does and has done", async () => {
    const { read, runtime } = await afterOneChat();
    const families = read();
    const prompt = runtime.totals()[0]?.counters?.promptTokens;
    expect(prompt).toBeGreaterThan(0);
    expect(valueOf(families, "hearth_engine_prompt_tokens_total", model)).toBe(prompt);
    expect(valueOf(families, "hearth_engine_generated_tokens_total", model)).toBe(3);
    expect(valueOf(families, "hearth_engine_steps_total", model)).toBe(4);
    expect(valueOf(families, "hearth_engine_restored_tokens_total", model)).toBe(0);
    expect(valueOf(families, "hearth_model_requests_running", model)).toBe(0);
    expect(valueOf(families, "hearth_cache_blocks", { ...model, state: "used" })).toBe(0);
    expect(valueOf(families, "hearth_cache_blocks", { ...model, state: "cached" })).toBeGreaterThan(0);
    expect(valueOf(families, "hearth_disk_cache_bytes", model)).toBe(0);
  });

  test("has the times of all requests to each model", async () => {
    const families = (await afterOneChat()).read();
    expect(valueOf(families, "hearth_time_to_first_token_seconds_count", model)).toBe(1);
    expect(valueOf(families, "hearth_time_between_tokens_seconds_count", model)).toBe(2);
    expect(valueOf(families, "hearth_model_request_duration_seconds_count", model)).toBe(1);
    expect(valueOf(families, "hearth_queue_time_seconds_count", model)).toBe(1);
  });

  test("no counter goes back when a model is unloaded and loaded again; its gauges are gone meanwhile", async () => {
    const { runtime, read, ask } = await afterOneChat();
    const states = [read()];
    await runtime.stop("tiny");
    states.push(read());
    await ask();
    states.push(read());
    const names = ["hearth_engine_generated_tokens_total", "hearth_time_between_tokens_seconds_count"];
    const rows = names.map((name) => states.map((families) => valueOf(families, name, model)));
    expect(rows).toEqual([
      [3, 3, 6],
      [2, 2, 4],
    ]);
    const running = states.map((families) => valueOf(families, "hearth_model_requests_running", model));
    expect(running).toEqual([0, undefined, 0]);
  });

  test("a model that sleeps is there, with no cache in memory", async () => {
    const { runtime } = await afterOneChat();
    const asleep = { ...runtime, loaded: () => runtime.loaded().map((row) => ({ ...row, state: "asleep" as const })) };
    const families = parsePrometheus(createMetrics(asleep).text());
    expect(valueOf(families, "hearth_model_asleep", model)).toBe(1);
    expect(valueOf(families, "hearth_model_requests_running", model)).toBe(0);
    expect(valueOf(families, "hearth_cache_blocks", { ...model, state: "used" })).toBeUndefined();
    expect(valueOf(parsePrometheus(createMetrics(runtime).text()), "hearth_model_asleep", model)).toBe(0);
  });

  test("labels are names of models and of routes and states of the table, never text of a caller", async () => {
    const { read } = await afterOneChat();
    const labels = [...read().values()].flatMap(({ samples }) =>
      samples.flatMap((sample) => Object.keys(sample.labels)),
    );
    expect(new Set(labels)).toEqual(new Set(["model", "state", "le"]));
  });

  test("a model whose name needs escaping does not break the text", () => {
    const registry = createRegistry();
    registry.gauge("odd", "An odd name.", () => [{ labels: { model: 'a"b\\c\nd' }, value: 1 }]);
    expect(valueOf(parsePrometheus(registry.text()), "odd", { model: 'a"b\\c\nd' })).toBe(1);
  });
});

describe("the strict parser of this test", () => {
  const head = "# HELP a Some.\n# TYPE a";
  const bucket = (bound: string, count: number): string => `a_bucket{le="${bound}"} ${count}\n`;
  const total = (count: number): string => `a_sum 1\na_count ${count}\n`;
  test.each([
    ["a sample without a head", "a 1\n", "stands under"],
    ["a sample of another metric", `${head} gauge\nb 1\n`, "stands under"],
    ["two samples with the same labels", `${head} gauge\na 1\na 2\n`, "twice"],
    ["a negative counter", `${head} counter\na -1\n`, "negative"],
    ["no line end at the end", `${head} gauge\na 1`, "no end"],
    ["buckets that shrink", `${head} histogram\n${bucket("1", 2)}${bucket("+Inf", 1)}${total(1)}`, "not cumulative"],
    [
      "bounds that do not rise",
      `${head} histogram\n${bucket("2", 0)}${bucket("1", 0)}${bucket("+Inf", 0)}${total(0)}`,
      "bounds are 2,1",
    ],
    ["buckets without an end", `${head} histogram\n${bucket("1", 1)}${total(1)}`, "bounds are 1"],
    ["a count that is not the last bucket", `${head} histogram\n${bucket("+Inf", 1)}${total(2)}`, "the count is 2"],
  ])("refuses %s", (_name, text, reason) => {
    expect(() => parsePrometheus(text)).toThrow(reason);
  });
});
