import { describe, expect, it } from "vitest";
import type { Sampling } from "../../../spec/sampling.ts";
import type { Sampler, TokenShare } from "./sampler.ts";
import { createSampler } from "./sampler.ts";

const bytesOf = (token: number): Uint8Array => new TextEncoder().encode(String.fromCodePoint(97 + token));

function open(sampling: Sampling, vocabularySize: number, prompt: readonly number[] = []): Sampler {
  return createSampler({ sampling: { temperature: 1, ...sampling }, vocabularySize, bytesOf, prompt });
}

function rowOf(probabilities: readonly number[]): Float32Array {
  return Float32Array.from(probabilities, (probability) => Math.log(probability));
}

/** Token → probability; tokens that cannot be chosen are absent. */
function shares(list: readonly TokenShare[]): Record<number, number> {
  return Object.fromEntries(list.map(({ token, probability }) => [token, Number(probability.toFixed(5))]));
}

const probabilities = [0.05, 0.5, 0.2, 0.1, 0.15];
const row = rowOf(probabilities);

describe("a sampler", () => {
  it.each<[string, Sampling, Record<number, number>]>([
    ["nothing", {}, { 0: 0.05, 1: 0.5, 2: 0.2, 3: 0.1, 4: 0.15 }],
    ["temperature 2", { temperature: 2 }, { 0: 0.10743, 1: 0.33972, 2: 0.21486, 3: 0.15193, 4: 0.18607 }],
    ["top-k 2", { topK: 2 }, { 1: 0.71429, 2: 0.28571 }],
    ["top-p 0.69", { topP: 0.69 }, { 1: 0.71429, 2: 0.28571 }],
    ["top-p 0.71", { topP: 0.71 }, { 1: 0.58824, 2: 0.23529, 4: 0.17647 }],
    ["top-p 0", { topP: 0 }, { 1: 1 }],
    ["min-p 0.25", { minP: 0.25 }, { 1: 0.58824, 2: 0.23529, 4: 0.17647 }],
    // Surprises 3.00, 0.69, 1.61, 2.30, 1.90; their mean, the entropy, is 1.33.
    ["typical 0.3", { typicalP: 0.3 }, { 2: 0.57143, 4: 0.42857 }],
    ["typical 0.36", { typicalP: 0.36 }, { 1: 0.58824, 2: 0.23529, 4: 0.17647 }],
    // Logits -3.00, -0.69, -1.61, -2.30, -1.90: deviation 0.765.
    ["top-n-sigma 1.3", { topNSigma: 1.3 }, { 1: 0.71429, 2: 0.28571 }],
    ["XTC", { xtc: { probability: 1, threshold: 0.12 } }, { 0: 0.16667, 3: 0.33333, 4: 0.5 }],
    [
      "XTC that only one passes",
      { xtc: { probability: 1, threshold: 0.4 } },
      { 0: 0.05, 1: 0.5, 2: 0.2, 3: 0.1, 4: 0.15 },
    ],
    [
      "a bias",
      { logitBias: new Map([[0, Math.log(2)]]) },
      { 0: 0.09524, 1: 0.47619, 2: 0.19048, 3: 0.09524, 4: 0.14286 },
    ],
    ["a ban", { logitBias: new Map([[1, -100]]) }, { 0: 0.1, 2: 0.4, 3: 0.2, 4: 0.3 }],
    // Surprises in bits 4.32, 1, 2.32, 3.32, 2.74 against twice tau.
    ["mirostat 2", { mirostat: { version: 2, tau: 1.2 } }, { 1: 0.71429, 2: 0.28571 }],
    ["top-k, then top-p of what is left", { topK: 3, topP: 0.75 }, { 1: 0.71429, 2: 0.28571 }],
    [
      "top-p before min-p before XTC",
      { topP: 0.8, minP: 0.29, xtc: { probability: 1, threshold: 0.2 } },
      { 2: 0.57143, 4: 0.42857 },
    ],
  ])("chooses by hand-computed probabilities with %s", (_, sampling, expected) => {
    const actual = shares(open(sampling, 5).distribution(row));
    expect(Object.keys(actual)).toEqual(Object.keys(expected));
    for (const [token, share] of Object.entries(expected)) expect(actual[Number(token)]).toBeCloseTo(share, 4);
  });

  it("draws as often as the probabilities say (chi-square, 5,000 draws)", () => {
    for (const sampling of [
      {},
      { temperature: 0.7 },
      { topK: 4 },
      { typicalP: 0.9 },
      { minP: 0.15, temperature: 1.5 },
    ]) {
      const sampler = open({ ...sampling, seed: 11 }, 5);
      const expected = sampler.distribution(row);
      const counts = new Map<number, number>();
      const draws = 5000;
      for (let draw = 0; draw < draws; draw++) {
        const { token } = sampler.sample(row);
        counts.set(token, (counts.get(token) ?? 0) + 1);
      }
      let square = 0;
      for (const { token, probability } of expected) {
        square += ((counts.get(token) ?? 0) - draws * probability) ** 2 / (draws * probability);
      }
      expect([...counts.keys()].every((token) => expected.some((share) => share.token === token))).toBe(true);
      // With four degrees of freedom 18.5 is passed once in a thousand times.
      expect(square).toBeLessThan(18.5);
    }
  });

  it("does with XTC what its probability says", () => {
    const sampler = open({ xtc: { probability: 0.25, threshold: 0.3 }, seed: 5 }, 3);
    const counts = [0, 0, 0];
    for (let draw = 0; draw < 20_000; draw++) {
      const { token } = sampler.sample(rowOf([0.4, 0.35, 0.25]));
      counts[token] = (counts[token] ?? 0) + 1;
    }
    // Excluded, the first is never chosen.
    expect((counts[0] ?? 0) / 20_000).toBeCloseTo(0.4 * 0.75, 1);
    expect((counts[1] ?? 0) / 20_000).toBeCloseTo(0.35 * 0.75 + 0.25 * (0.35 / 0.6), 1);
  });

  it("chooses the same with every option at the value that turns it off", () => {
    const off: Sampling[] = [
      { topK: 0 },
      { topK: -1 },
      { topP: 1 },
      { minP: 0 },
      { typicalP: 1 },
      { topNSigma: 0 },
      { topNSigma: -1 },
      { repeatPenalty: 1, presencePenalty: 0, frequencyPenalty: 0 },
      { repeatPenalty: 2, repeatLastTokens: 0 },
      { xtc: { probability: 0, threshold: 0.1 } },
      { xtc: { probability: 1, threshold: 0.6 } },
      { dry: { multiplier: 0 } },
      { dry: { multiplier: 1, lastTokens: 0 } },
      { logitBias: new Map() },
    ];
    const plain = shares(open({}, 5, [1, 2, 1, 2, 1]).distribution(row));
    for (const sampling of off) {
      const changed = shares(open(sampling, 5, [1, 2, 1, 2, 1]).distribution(row));
      expect({ ...sampling, changed }).toEqual({ ...sampling, changed: plain });
    }
  });

  it("gives the same tokens for the same seed, others for others, and any without one", () => {
    const flat = new Float32Array(1000);
    const tokens = (seed?: number): string => {
      const sampler = open(seed === undefined ? {} : { seed }, 1000);
      return Array.from({ length: 8 }, () => sampler.sample(flat).token).join(" ");
    };
    expect(tokens(7)).toBe("233 448 565 513 844 565 334 254");
    const seen = new Set([0, 1, 2, 7, 2 ** 32 + 7, 2 ** 53 - 1].map((seed) => tokens(seed)));
    for (const seed of [undefined, undefined, -1, -1]) seen.add(tokens(seed));
    expect(seen.size).toBe(10);
  });

  it("leaves the row as the model wrote it", () => {
    const before = row.slice();
    const bias = new Map([[1, -100]]);
    const sampler = open(
      { repeatPenalty: 1.5, frequencyPenalty: 1, dry: { multiplier: 1 }, logitBias: bias },
      5,
      [1, 1, 2],
    );
    for (let index = 0; index < 5; index++) sampler.accept(sampler.sample(row).token);
    expect(row).toEqual(before);
  });

  it("forks into two that go on alike and apart", () => {
    const wide = Float32Array.from({ length: 200 }, (_, index) => Math.sin(index));
    const sampling: Sampling = {
      seed: 3,
      frequencyPenalty: 0.2,
      dry: { multiplier: 1 },
      mirostat: { version: 2, tau: 3 },
    };
    const first = open(sampling, 200, [5, 6]);
    const run = (sampler: Sampler): number[] =>
      Array.from({ length: 20 }, () => {
        const { token } = sampler.sample(wide);
        sampler.accept(token);
        return token;
      });
    run(first);
    const second = first.clone();
    const third = second.clone();
    third.accept(9);
    expect(run(first)).toEqual(run(second));
    expect(run(third)).not.toEqual(run(second));
  });
});

describe("the greedy sampler", () => {
  it("takes the highest logit, the lowest id of equal ones", () => {
    const greedy = open({ temperature: 0, topK: 40, xtc: { probability: 1, threshold: 0.1 } }, 70);
    const logits = new Float32Array(70).fill(-1);
    logits[69] = 2;
    logits[40] = 2;
    expect(greedy.sample(logits).token).toBe(40);
    expect(greedy.distribution(logits)).toEqual([{ token: 40, probability: 1 }]);
  });

  it("takes it after penalties, bias and mask", () => {
    const logits = Float32Array.of(1, 2, 3, 4);
    expect(open({ temperature: 0, logitBias: new Map([[0, 5]]) }, 4).sample(logits).token).toBe(0);
    expect(open({ temperature: 0, presencePenalty: 2 }, 4, [3]).sample(logits).token).toBe(2);
    expect(open({ temperature: 0 }, 4).sample(logits, Uint32Array.of(0b0011)).token).toBe(1);
  });
});

describe("penalties", () => {
  const logits = Float32Array.of(2, -2, 1, 0);

  it("shrink good logits, push bad ones down, and count", () => {
    const sampling = { repeatPenalty: 2, frequencyPenalty: 0.5, presencePenalty: 0.25 };
    const shareOf = (changed: readonly number[]): number[] => {
      const weights = changed.map((logit) => Math.exp(logit));
      return weights.map((weight) => weight / weights.reduce((sum, one) => sum + one));
    };
    const actual = open(sampling, 4, [0, 0, 1]).distribution(logits);
    const expected = shareOf([2 / 2 - 2 * 0.5 - 0.25, -2 * 2 - 0.5 - 0.25, 1, 0]);
    for (const { token, probability } of actual) expect(probability).toBeCloseTo(expected[token] ?? 0, 6);
  });

  it("forget what is further back than they look", () => {
    const sampler = open({ temperature: 0, presencePenalty: 2, repeatLastTokens: 2 }, 4, [0]);
    expect(sampler.sample(logits).token).toBe(2);
    sampler.accept(3);
    expect(sampler.sample(logits).token).toBe(2);
    sampler.accept(3);
    expect(sampler.sample(logits).token).toBe(0);
    const long = open({ temperature: 0, presencePenalty: 2, repeatLastTokens: -1 }, 4, [0]);
    for (let index = 0; index < 500; index++) long.accept(3);
    expect(long.sample(logits).token).toBe(2);
  });

  it("count the same however long the answer is", () => {
    const sampler = open({ temperature: 0, presencePenalty: 100, repeatLastTokens: 3 }, 4);
    for (let index = 0; index < 1000; index++) sampler.accept(index % 4);
    // 1, 2 and 3 are the last three.
    expect(sampler.sample(Float32Array.of(0, 5, 5, 5)).token).toBe(0);
  });
});

describe("DRY", () => {
  const flat = new Float32Array(12);
  /** What each token's logit loses. */
  const losses = (dry: NonNullable<Sampling["dry"]>, prompt: readonly number[], size = 12): Record<number, number> => {
    const spread = open({ dry }, size, prompt).distribution(flat.subarray(0, size));
    const highest = Math.max(...spread.map(({ probability }) => probability));
    const lost = spread.map(({ token, probability }) => [token, Math.log(highest / probability)] as const);
    return Object.fromEntries(
      lost.filter(([, loss]) => loss > 1e-9).map(([token, loss]) => [token, Number(loss.toFixed(4))]),
    );
  };

  it("makes the token dearer that would lengthen a repetition, by its length", () => {
    expect(losses({ multiplier: 0.8 }, [1, 2, 3, 9, 1, 2])).toEqual({ 3: 0.8 });
    expect(losses({ multiplier: 0.8 }, [0, 1, 2, 3, 9, 0, 1, 2])).toEqual({ 3: 1.4 });
    expect(losses({ multiplier: 0.8, allowedLength: 1 }, [1, 2, 9, 1])).toEqual({ 2: 0.8 });
    expect(losses({ multiplier: 0.8 }, [1, 9, 1])).toEqual({});
  });

  it("takes the longest of several repetitions, also of those that overlap", () => {
    expect(losses({ multiplier: 1, base: 2 }, [5, 1, 2, 3, 7, 1, 2, 3, 5, 1, 2])).toEqual({ 3: 2 });
    expect(losses({ multiplier: 1, base: 2 }, [1, 1, 1, 1])).toEqual({ 1: 2 });
  });

  it("looks back as far as it may", () => {
    expect(losses({ multiplier: 1, lastTokens: 5 }, [1, 2, 3, 9, 1, 2])).toEqual({});
    expect(losses({ multiplier: 1, lastTokens: 6 }, [1, 2, 3, 9, 1, 2])).toEqual({ 3: 1 });
  });

  it("stops at sequence breakers, also at those that several tokens make", () => {
    expect(losses({ multiplier: 1, sequenceBreakers: ["b"] }, [0, 1, 2, 3, 9, 0, 1, 2])).toEqual({});
    // The repetition is as long as what follows the breaker.
    expect(losses({ multiplier: 1, base: 2, sequenceBreakers: ["a"] }, [0, 1, 2, 3, 9, 0, 1, 2])).toEqual({ 3: 1 });
    expect(losses({ multiplier: 1, sequenceBreakers: ["bc"] }, [1, 2, 3, 9, 1, 2])).toEqual({});
    // A breaker itself is never made dearer.
    expect(losses({ multiplier: 1, sequenceBreakers: ["d"] }, [1, 2, 3, 9, 1, 2])).toEqual({});
  });

  it("is finite for the longest repetition", () => {
    const many = Array.from({ length: 3000 }, () => 1);
    expect(open({ dry: { multiplier: 1 }, temperature: 0 }, 12, many).sample(flat).token).toBe(0);
  });
});

describe("mirostat", () => {
  it.each([1, 2] as const)("version %d brings the surprise of the tokens to tau", (version) => {
    const logits = Float32Array.from({ length: 500 }, (_, index) => -1.1 * Math.log(index + 1));
    const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
    const sampler = open({ mirostat: { version, tau: 4, eta: 0.1 }, seed: 1 }, 500);
    let bits = 0;
    for (let index = 0; index < 400; index++) {
      bits -= Math.log2(Math.exp(logits[sampler.sample(logits).token] ?? 0) / total);
    }
    // The surprise is measured among the tokens that were left.
    expect(bits / 400).toBeGreaterThan(3.5);
    expect(bits / 400).toBeLessThan(5.5);
  });
});

describe("hostile rows", () => {
  it("with NaN and infinities are sampled where they can be", () => {
    const logits = Float32Array.of(Number.NaN, -Infinity, 1, Number.NaN);
    for (const sampling of [{}, { temperature: 0 }, { topK: 2 }, { topP: 0.5 }, { typicalP: 0.5 }, { topNSigma: 1 }]) {
      expect(open(sampling, 4).sample(logits).token).toBe(2);
    }
    const infinite = Float32Array.of(1, Infinity, 2, Number.NaN);
    for (const sampling of [{}, { temperature: 0 }, { topK: 2, minP: 0.1 }, { mirostat: { version: 2 } as const }]) {
      expect(open(sampling, 4).sample(infinite).token).toBe(1);
    }
  });

  it("without any number are an error that says so", () => {
    const logits = new Float32Array(4).fill(Number.NaN);
    for (const sampling of [{}, { temperature: 0 }, { topK: 2 }, { mirostat: { version: 1 } as const }]) {
      expect(() => open(sampling, 4).sample(logits)).toThrow(expect.objectContaining({ code: "engine_failed" }));
      const none = expect.objectContaining({ code: "grammar_invalid" });
      expect(() => open(sampling, 4).sample(new Float32Array(4), new Uint32Array(1))).toThrow(none);
    }
  });

  it("a bias of a token that is not there is refused", () => {
    for (const token of [5, -1, 0.5]) {
      const refused = expect.objectContaining({ code: "bad_request", details: { field: "logitBias", token } });
      expect(() => open({ logitBias: new Map([[token, 1]]) }, 5)).toThrow(refused);
    }
  });
});

describe("logprobs", () => {
  it("are those of the model, whatever sampling does", () => {
    const options = { sampling: { temperature: 3, topK: 1, logitBias: new Map([[3, 9]]) }, vocabularySize: 5, bytesOf };
    const { token, logprob, top } = createSampler({ ...options, topLogprobs: 2 }).sample(row);
    expect(token).toBe(3);
    expect(Math.exp(logprob ?? 0)).toBeCloseTo(0.1, 6);
    expect(top?.map((entry) => [entry.token, Number(Math.exp(entry.logprob).toFixed(5))])).toEqual([
      [1, 0.5],
      [2, 0.2],
    ]);
    expect(createSampler({ ...options, topLogprobs: 0 }).sample(row)).toEqual({ token: 3, logprob, top: [] });
    expect(createSampler(options).sample(row)).toEqual({ token: 3 });
  });
});
