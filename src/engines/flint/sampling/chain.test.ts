import { expect, it } from "vitest";
import type { Sampling } from "../../../spec/sampling.ts";
import { createRandom } from "./random.ts";
import { createSampler } from "./sampler.ts";

interface Entry {
  readonly token: number;
  readonly logit: number;
}

/** The chain as its papers write it: sorted lists, and everything computed anew. */
function reference(logits: readonly number[], allowed: readonly boolean[], sampling: Sampling): Map<number, number> {
  const { temperature = 1, topK = 0, topP = 1, minP = 0, typicalP = 1, topNSigma = 0, xtc } = sampling;
  let list: Entry[] = logits.map((logit, token) => ({ token, logit })).filter(({ token }) => allowed[token]);
  const softmax = (): number[] => {
    const highest = Math.max(...list.map(({ logit }) => logit));
    const weights = list.map(({ logit }) => Math.exp(logit - highest));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return weights.map((weight) => weight / total);
  };
  const sort = (): void => void list.sort((a, b) => b.logit - a.logit || a.token - b.token);
  const until = (share: number, chances: readonly number[]): void => {
    let sum = 0;
    const end = chances.findIndex((chance) => (sum += chance) >= share);
    list = end < 0 ? list : list.slice(0, end + 1);
  };
  sort();
  if (topNSigma > 0) {
    const mean = list.reduce((sum, { logit }) => sum + logit, 0) / list.length;
    const deviation = Math.sqrt(list.reduce((sum, { logit }) => sum + (logit - mean) ** 2, 0) / list.length);
    list = list.filter(({ logit }) => logit >= (list[0]?.logit ?? 0) - topNSigma * deviation);
  }
  if (topK > 0) list = list.slice(0, topK);
  if (typicalP < 1) {
    const chances = softmax();
    const entropy = -chances.reduce((sum, chance) => sum + chance * Math.log(chance), 0);
    const ranked = list
      .map((entry, index) => ({ entry, chance: chances[index] ?? 0 }))
      .sort((a, b) => Math.abs(-Math.log(a.chance) - entropy) - Math.abs(-Math.log(b.chance) - entropy));
    list = ranked.map(({ entry }) => entry);
    until(
      typicalP,
      ranked.map(({ chance }) => chance),
    );
    sort();
  }
  if (topP < 1) until(topP, softmax());
  const highest = list[0]?.logit ?? 0;
  list = list.filter(({ logit }) => logit >= highest + Math.log(minP));
  if (xtc && list.length > 1) {
    const passing = softmax().filter((chance) => chance >= xtc.threshold).length;
    if (passing > 1) list = list.slice(passing - 1);
  }
  list = list.map(({ token, logit }) => ({ token, logit: logit / temperature }));
  const chances = softmax();
  return new Map(list.map(({ token }, index) => [token, chances[index] ?? 0]));
}

it("agrees with sorted lists on 150 random rows, options and masks", () => {
  const random = createRandom(2024);
  const pick = <T>(...values: readonly T[]): T => values[Math.floor(random.next() * values.length)] as T;
  for (let round = 0; round < 150; round++) {
    const size = pick(1, 7, 64, 600);
    const spread = pick(0.5, 3, 10);
    const row = Float32Array.from({ length: size }, () => (random.next() + random.next() - 1) * spread);
    const share = pick(0.1, 0.9, 1);
    const allowed = Array.from({ length: size }, () => random.next() < share);
    allowed[Math.floor(random.next() * size)] = true;
    const mask = new Uint32Array(Math.ceil(size / 32));
    for (const [token, bit] of allowed.entries())
      if (bit) mask[token >> 5] = (mask[token >> 5] ?? 0) | (1 << (token & 31));
    const sampling: Sampling = {
      temperature: pick(0.3, 1, 1.7),
      topK: pick(0, 1, 5, 40, 520, 5000),
      topP: pick(0.02, 0.5, 0.95, 1, 1),
      minP: pick(0, 0, 0.05, 0.5),
      typicalP: pick(0.2, 0.9, 1, 1),
      topNSigma: pick(0, 0, 1, 2.5),
      ...pick({}, {}, { xtc: { probability: 1, threshold: 0.08 } }),
      seed: 1,
    };
    const sampler = createSampler({ sampling, vocabularySize: size, bytesOf: () => undefined });
    const given = sampler.distribution(row, share === 1 ? undefined : mask);
    const wanted = reference([...row], share === 1 ? allowed.map(() => true) : allowed, sampling);
    const round9 = (entries: Iterable<readonly [number, number]>): string[] =>
      [...entries].sort(([a], [b]) => a - b).map(([token, chance]) => `${token}: ${chance.toFixed(7)}`);
    const name = JSON.stringify({ size, spread, share, sampling });
    expect([name, ...round9(given.map(({ token, probability }) => [token, probability]))]).toEqual([
      name,
      ...round9(wanted),
    ]);
  }
});

it("says how long a vocabulary of 128,000 takes", () => {
  const size = 128_000;
  const random = createRandom(1);
  // A sum of three is bell-shaped enough.
  const row = Float32Array.from({ length: size }, () => (random.next() + random.next() + random.next() - 1.5) * 12);
  const mask = new Uint32Array(size / 32).fill(0xffffffff);
  const cases: readonly [string, Sampling, Uint32Array?][] = [
    ["greedy", { temperature: 0 }],
    ["greedy under a mask", { temperature: 0 }, mask],
    ["top-k 40", { temperature: 0.8, topK: 40, topP: 0.95, minP: 0.05 }],
    ["top-k 40, penalties", { temperature: 0.8, topK: 40, topP: 0.95, minP: 0.05, repeatPenalty: 1.1 }],
    ["top-p 0.95 alone", { temperature: 0.8, topP: 0.95 }],
    ["min-p 0.05 alone", { temperature: 0.8, minP: 0.05 }],
    ["temperature alone", { temperature: 0.8 }],
    ["mirostat 2", { temperature: 0.8, mirostat: { version: 2 } }],
  ];
  for (const [name, sampling, bits] of cases) {
    const sampler = createSampler({
      sampling: { ...sampling, seed: 1 },
      vocabularySize: size,
      bytesOf: () => undefined,
    });
    let best = Infinity;
    for (let round = 0; round < 3; round++) {
      const started = performance.now();
      sampler.accept(sampler.sample(row, bits).token);
      best = Math.min(best, performance.now() - started);
    }
    console.log(`${name}: ${best.toFixed(3)} ms`);
  }
  expect(row).toHaveLength(size);
});
