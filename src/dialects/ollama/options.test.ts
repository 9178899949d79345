import { describe, expect, test } from "vitest";
import { HearthError } from "../../error.ts";
import { optionNames, toModelOptions } from "./options.ts";

describe("options that are honoured", () => {
  test.each<[string, unknown, object]>([
    ["temperature", 0, { sampling: { temperature: 0 } }],
    ["top_k", 40, { sampling: { topK: 40 } }],
    ["top_k", -1, { sampling: { topK: 0 } }],
    ["top_p", 0.9, { sampling: { topP: 0.9 } }],
    ["min_p", 0.05, { sampling: { minP: 0.05 } }],
    ["typical_p", 0.7, { sampling: { typicalP: 0.7 } }],
    ["repeat_penalty", 1.1, { sampling: { repeatPenalty: 1.1 } }],
    ["repeat_last_n", -1, { sampling: { repeatLastTokens: -1 } }],
    ["presence_penalty", 0.5, { sampling: { presencePenalty: 0.5 } }],
    ["frequency_penalty", -0.5, { sampling: { frequencyPenalty: -0.5 } }],
    ["seed", 42, { sampling: { seed: 42 } }],
    ["seed", 2 ** 32 + 7, { sampling: { seed: 7 } }],
    ["num_predict", 10, { maxTokens: 10 }],
    ["stop", ["a", "b"], { stop: ["a", "b"] }],
    ["stop", "a", { stop: ["a"] }],
    ["num_ctx", 8192, { load: { contextTokens: 8192 } }],
    ["num_batch", 256, { load: { batchTokens: 256 } }],
    ["num_thread", 2, { load: { threads: 2 } }],
    ["num_gpu", 12, { load: { gpuLayers: 12 } }],
    ["num_gpu", -1, { load: { gpuLayers: "auto" } }],
    ["use_mmap", false, { load: { mmap: false } }],
    ["use_mlock", true, { load: { mlock: true } }],
    ["f16_kv", true, { load: { kvTypeK: "f16", kvTypeV: "f16" } }],
  ])("%s %j reaches the library", (name, value, expected) => {
    expect(toModelOptions({ [name]: value })).toEqual({ sampling: {}, load: {}, ...expected });
  });

  test("mirostat takes its two parameters along, and they mean nothing without it", () => {
    expect(toModelOptions({ mirostat: 2, mirostat_tau: 3, mirostat_eta: 0.2 }).sampling).toEqual({
      mirostat: { version: 2, tau: 3, eta: 0.2 },
    });
    expect(toModelOptions({ mirostat: 0, mirostat_tau: 5 }).sampling).toEqual({});
  });
});

describe("values that change nothing", () => {
  test.each<[string, unknown]>([
    ["seed", -1],
    ["num_predict", -1],
    ["num_predict", -2],
    ["num_keep", 4],
    ["num_ctx", 0],
    ["num_thread", 0],
    ["stop", []],
    ["main_gpu", 0],
    ["low_vram", false],
    ["numa", false],
    ["penalize_newline", true],
    ["tfs_z", 1],
    ["draft_num_predict", 0],
    ["temperature", null],
  ])("%s %j is accepted", (name, value) => {
    expect(toModelOptions({ [name]: value })).toEqual({ sampling: {}, load: {} });
  });
});

describe("options that cannot be honoured are refused by name", () => {
  test.each<[string, unknown]>([
    ["main_gpu", 1],
    ["low_vram", true],
    ["numa", true],
    ["vocab_only", true],
    ["logits_all", true],
    ["penalize_newline", false],
    ["tfs_z", 0.5],
    ["rope_frequency_base", 10_000],
    ["draft_num_predict", 4],
  ])("%s %j", (name, value) => {
    const error = refusal({ [name]: value });
    expect(error).toMatchObject({ code: "unsupported_option", status: 400, details: { field: `options.${name}` } });
    expect(error.message).toContain(`options.${name}`);
  });

  test("num_keep is refused only where tokens could be dropped", () => {
    expect(() => toModelOptions({ num_keep: 24 }, true)).toThrow("options.num_keep is not supported here");
    expect(toModelOptions({ num_keep: 0 }, true)).toEqual({ sampling: {}, load: {} });
  });

  test("an unknown option is named, with the one that was meant", () => {
    expect(refusal({ temprature: 1 })).toMatchObject({
      code: "bad_request",
      message: 'There is no option "options.temprature". Did you mean "temperature"?',
    });
    expect(refusal({ constructor: 1 }).message).toContain('"options.constructor"');
  });
});

describe("values of the wrong kind", () => {
  test.each(["1", {}, Number.NaN, Infinity, -Infinity, 2 ** 53 + 2, -(2 ** 53) - 2])(
    "no option takes %j, and each says its name",
    (value) => {
      for (const name of optionNames.filter((option) => option !== "stop" || typeof value !== "string"))
        expect(refusal({ [name]: value })).toMatchObject({ status: 400, details: { field: `options.${name}` } });
    },
  );

  test.each([
    ["num_predict", 0],
    ["num_predict", -3],
    ["num_predict", 1.5],
    ["temperature", -1],
    ["top_p", 1.5],
    ["repeat_last_n", -2],
    ["num_ctx", -5],
    ["stop", [1]],
    ["stop", 7],
    ["use_mmap", 1],
    ["mirostat", 3],
  ])("%s %j is out of range", (name, value) => {
    expect(refusal({ [name]: value })).toMatchObject({ code: "bad_request", details: { field: `options.${name}` } });
  });
});

function refusal(options: Record<string, unknown>): HearthError {
  try {
    toModelOptions(options);
  } catch (error) {
    if (error instanceof HearthError) return error;
    throw error;
  }
  throw new Error(`${JSON.stringify(options)} was accepted`);
}
