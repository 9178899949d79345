/** One budget for models of all kinds: what has no cache of keys and values counts like the rest. */
import { describe, expect, test } from "vitest";
import { speechFootprint } from "../engines/speech/refuse.ts";
import type { FakeModel } from "../../test/fake-library.ts";
import {
  createTestHouse,
  gibibyte,
  mebibyte,
  modelOf,
  outcome,
  settle,
  type TestHouse,
} from "../../test/runtime-house.ts";
import { estimateMemory } from "./fit.ts";

/** A language model that takes 600 MiB, half of its weights and half of its cache with what the engine needs. */
const chat: FakeModel = modelOf("chat", 300 * mebibyte, {
  kvBytesPerToken: (300 * mebibyte) / (8 * 2048),
  trainContextTokens: 2048,
});

/** As `models/inspect` describes a model of speech: it knows no tokens, no context and no layers. */
function speechOf(name: string, bytes: number): FakeModel {
  return modelOf(name, bytes, {
    format: "onnx",
    architecture: "whisper",
    blockCount: 0,
    trainContextTokens: 0,
    capabilities: ["transcribe"],
    specialTokens: [],
  });
}

function house(memory = gibibyte): TestHouse {
  return createTestHouse({ models: [chat, speechOf("ears", 600 * mebibyte)], settings: { memory } });
}

const states = ({ runtime }: TestHouse): string[] => runtime.loaded().map(({ name, state }) => `${name} ${state}`);

describe("a model of speech and a language model that do not fit together", () => {
  test("the idle language model goes", async () => {
    const both = house();
    (await both.runtime.acquire({ model: "chat" })).release();
    expect(both.runtime.stats().usedBytes).toBe(600 * mebibyte);
    expect(await both.runtime.plan("ears")).toMatchObject({ fits: true, evicts: ["chat:latest"], putsToSleep: [] });
    (await both.runtime.acquire({ model: "ears" })).release();
    expect(states(both)).toEqual(["ears:latest ready"]);
    expect(both.runtime.stats()).toMatchObject({ evictions: 1, usedBytes: 600 * mebibyte });
  });

  test("the idle language model only sleeps where that is enough, and wakes when speech is idle", async () => {
    const both = house();
    both.engine.sleeps = true;
    (await both.runtime.acquire({ model: "chat" })).release();
    expect(await both.runtime.plan("ears")).toMatchObject({ evicts: [], putsToSleep: ["chat:latest"] });
    const ears = await both.runtime.acquire({ model: "ears" });
    expect(states(both)).toEqual(["chat:latest asleep", "ears:latest ready"]);
    const again = both.runtime.acquire({ model: "chat" });
    expect(await outcome(again)).toBe("pending");
    ears.release();
    (await again).release();
    expect(both.runtime.stats()).toMatchObject({ evictions: 0, wakes: 1 });
  });

  test("a busy language model stays: speech waits until it is done", async () => {
    const both = house();
    const talk = await both.runtime.acquire({ model: "chat" });
    const ears = both.runtime.acquire({ model: "ears" });
    expect(await outcome(ears)).toBe("pending");
    expect([both.engine.last("chat").state, both.runtime.stats().evictions]).toEqual(["loaded", 0]);
    talk.release();
    (await ears).release();
    expect(states(both)).toEqual(["ears:latest ready"]);
  });

  test("a busy model of speech stays, too", async () => {
    const both = house();
    const ears = await both.runtime.acquire({ model: "ears" });
    const talk = both.runtime.acquire({ model: "chat", load: { contextTokens: 2048, parallel: 8 } });
    expect(await outcome(talk)).toBe("pending");
    expect(both.engine.last("ears").state).toBe("loaded");
    ears.release();
    (await talk).release();
    expect(states(both)).toEqual(["chat:latest ready"]);
  });
});

test("together they stay where both fit", async () => {
  const both = house(2 * gibibyte);
  (await both.runtime.acquire({ model: "chat" })).release();
  (await both.runtime.acquire({ model: "ears" })).release();
  expect(states(both)).toEqual(["chat:latest ready", "ears:latest ready"]);
  expect(both.runtime.stats()).toMatchObject({ evictions: 0, usedBytes: 1200 * mebibyte });
});

test("a model of speech that never fits is refused with its figures; a context is no part of them or of the advice", async () => {
  const both = house(500 * mebibyte);
  await settle();
  const error: unknown = await both.runtime.acquire({ model: "ears" }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({
    code: "out_of_memory",
    message:
      'Model "ears:latest" needs 600 MiB (weights 450 MiB, working memory 150 MiB); the memory budget is 500 MiB.',
    hint: "Take a smaller quantization, or raise --memory.",
    details: { needBytes: 600 * mebibyte, haveBytes: 500 * mebibyte },
  });
  expect(error).not.toHaveProperty("details.fittingContextTokens");
  expect(both.runtime.loaded()).toEqual([]);
});

test("a shortage changes neither context nor sequences of a model without a cache", async () => {
  const { load, choice, fits } = await house(500 * mebibyte).runtime.plan("ears");
  expect(fits).toBe(false);
  expect(load).toMatchObject({ contextTokens: 4096, parallel: 8 });
  expect(choice.reasons.join()).not.toMatch(/memory is short/);
});

test("the estimate of an engine without a cache is its weights and its process, whatever the context", () => {
  const { info } = speechOf("ears", 600 * mebibyte);
  const sizes = { weightBytes: 0, kvBytesPerToken: 0, vocabularySize: 51_865, embeddingLength: 0, ...info };
  const footprint = speechFootprint({ ...sizes } as Parameters<typeof speechFootprint>[0]);
  for (const contextTokens of [1, 1_000_000]) {
    const estimate = estimateMemory({ ...sizes, footprint }, { contextTokens, parallel: 8 });
    expect(estimate).toMatchObject({ weightBytes: 450 * mebibyte, kvBytes: 0, computeBytes: footprint.processBytes });
  }
});
