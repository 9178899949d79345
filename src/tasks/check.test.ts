import { describe, expect, it } from "vitest";
import type { Sampling } from "../spec/sampling.ts";
import type { GenerationOptions } from "../spec/task.ts";
import { checkGeneration, checkSampling } from "./check.ts";

const odd: readonly unknown[] = [Number.NaN, Infinity, -Infinity, 1e308, "1", true, null, {}, [], 2 ** 53 + 2];
const numeric: readonly (keyof Sampling)[] = [
  "temperature",
  "topK",
  "topP",
  "minP",
  "typicalP",
  "topNSigma",
  "repeatPenalty",
  "repeatLastTokens",
  "presencePenalty",
  "frequencyPenalty",
  "seed",
];

describe("sampling options", () => {
  it("are taken in their ranges, the ends included", () => {
    const good: Sampling[] = [
      {},
      { temperature: 0, topK: -1, topP: 1, minP: 0, repeatLastTokens: -1, presencePenalty: -2, frequencyPenalty: 2 },
      { temperature: -0, topP: 0, seed: 2 ** 53 - 1, typicalP: 0.5, repeatPenalty: 1.1 },
      { xtc: { probability: 0.5, threshold: 0.1 }, dry: { multiplier: 0.8 }, mirostat: { version: 2, tau: 5 } },
      { topNSigma: 1.5, dry: { multiplier: 1, lastTokens: -1, sequenceBreakers: ["\n", "]("] } },
      {
        logitBias: new Map([
          [5, -100],
          [6, -Infinity],
          [7, 3.5],
        ]),
      },
    ];
    for (const sampling of good) expect(() => checkSampling(sampling)).not.toThrow();
  });

  it.for(numeric)("refuse every odd value for %s, naming it", (name) => {
    for (const value of odd) {
      const empty = typeof value === "object" && value !== null && Object.keys(value).length === 0;
      if (empty) continue;
      const sampling = { [name]: value } as Sampling;
      expect(() => checkSampling(sampling)).toThrow(
        expect.objectContaining({ code: "bad_request", details: { field: name } }),
      );
    }
  });

  it.for([
    { temperature: -0.1 },
    { topP: 1.1 },
    { minP: -1 },
    { presencePenalty: 3 },
    { topK: 1.5 },
    { xtc: { probability: 2, threshold: 0 } },
    { dry: { multiplier: Number.NaN } },
    { dry: { multiplier: 1, sequenceBreakers: [""] } },
    { dry: { multiplier: 1, sequenceBreakers: "\n" } },
    { dry: { multiplier: 1, sequenceBreakers: Array.from({ length: 65 }, () => "a") } },
    { mirostat: { version: 3 } },
    { logitBias: new Map([[-1, 1]]) },
    { logitBias: new Map([[1, Number.NaN]]) },
    { logitBias: { 1: 1 } },
    { logitBias: new Map(Array.from({ length: 5000 }, (_, index) => [index, 1])) },
    { warmth: 1 },
  ])("refuse %o", (sampling) => {
    expect(() => checkSampling(sampling as Sampling)).toThrow(expect.objectContaining({ code: "bad_request" }));
  });
});

describe("options of a generation", () => {
  const fields: readonly (keyof GenerationOptions)[] = ["maxTokens", "topLogprobs", "n", "keepAliveMs"];

  it("may be at the ends of their ranges", () => {
    const stop = Array.from({ length: 16 }, (_, index) => `${index}`);
    const good = { model: "m", maxTokens: 0, topLogprobs: 20, n: 16, stop, keepAliveMs: Infinity };
    expect(() => checkGeneration(good)).not.toThrow();
  });

  it.for(fields)("refuse odd values for %s, naming it", (field) => {
    for (const value of [Number.NaN, -1, "1", true, -Infinity]) {
      const request = { model: "m", [field]: value } as GenerationOptions;
      expect(() => checkGeneration(request)).toThrow(expect.objectContaining({ details: { field } }));
    }
  });

  it("refuse more than 16 stop strings and 20 logprobs", () => {
    const stop = Array.from({ length: 17 }, (_, index) => `${index}`);
    expect(() => checkGeneration({ model: "m", stop })).toThrow("17 strings");
    expect(() => checkGeneration({ model: "m", topLogprobs: 21 })).toThrow("from 0 to 20");
  });

  it("refuse adapters without a place or with a scale that is no number", () => {
    const one = { adapter: 0, scale: 1 };
    for (const adapters of [
      [{ adapter: -1 }],
      [{ ...one, scale: Number.NaN }],
      Array.from({ length: 65 }, () => one),
    ]) {
      expect(() => checkGeneration({ model: "m", adapters })).toThrow(
        expect.objectContaining({ details: { field: "adapters" } }),
      );
    }
    expect(() => checkGeneration({ model: "m", adapters: [one, { adapter: "/lora.gguf" }] })).not.toThrow();
  });
});
