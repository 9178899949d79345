import { expect, test } from "vitest";
import { fakeInfo } from "../../test/fake-library.ts";
import { estimateMemory, fittingContext, memoryBudget, type ResolvedLoad, usableBytes } from "./fit.ts";
import { outOfMemory } from "./shortage.ts";
import { gibibyte, mebibyte } from "../../test/runtime-house.ts";

const load = { contextTokens: 4096, parallel: 8 };

test("the estimate is weights, cache of all sequences, buffers of a batch and the process", () => {
  const info = fakeInfo();
  const estimate = estimateMemory(info, load);
  expect(estimate.weightBytes).toBe(667_000_000);
  expect(estimate.kvBytes).toBe(22_528 * 4096 * 8);
  expect(estimate.computeBytes).toBe(150 * mebibyte + 512 * 4 * (32_000 + 16 * 2048));
  expect(estimate.totalBytes).toBe(estimate.weightBytes + estimate.kvBytes + estimate.computeBytes);
});

test.for([
  ["f32", "f32", 2],
  ["f16", "f16", 1],
  ["q8_0", "f16", (34 / 32 + 2) / 4],
  ["q8_0", "q8_0", 34 / 64],
  ["q4_0", "q4_0", 18 / 64],
] as const)("keys in %s and values in %s change the cache by that much", ([kvTypeK, kvTypeV, factor]) => {
  const estimate = estimateMemory(fakeInfo(), { ...load, kvTypeK, kvTypeV });
  expect(estimate.kvBytes).toBeCloseTo(22_528 * 4096 * 8 * factor, -1);
});

test("an encoder has no cache and no logits", () => {
  const info = fakeInfo({ kvBytesPerToken: 0, embeddingLength: 384, weightBytes: 40_000_000 });
  expect(estimateMemory(info, load)).toMatchObject({
    kvBytes: 0,
    computeBytes: 150 * mebibyte + 512 * 4 * 16 * 384,
  });
});

test("an engine's own figures come before those of the file, and its cache grows in blocks", () => {
  const footprint = {
    weightBytes: 700_000_000,
    processBytes: 100 * mebibyte,
    rowBytes: 1000,
    batchTokens: 256,
    blockTokens: 32,
  };
  const estimate = estimateMemory({ ...fakeInfo(), footprint }, { contextTokens: 33, parallel: 2 });
  expect(estimate.weightBytes).toBe(700_000_000);
  expect(estimate.kvBytes).toBe(22_528 * 64 * 2);
  expect(estimate.computeBytes).toBe(100 * mebibyte + 256_000);
  const smaller = estimateMemory({ ...fakeInfo(), footprint }, { contextTokens: 33, parallel: 2, batchTokens: 8 });
  expect(smaller.computeBytes).toBe(100 * mebibyte + 8000);
});

const footprint = { weightBytes: 700, processBytes: 100, rowBytes: 1, batchTokens: 10, blockTokens: 32 } as const;

test("what reads pictures counts with its weights and its work", () => {
  const pictures = { weightBytes: 30, workBytes: 7 };
  const sizes = { contextTokens: 64, parallel: 2 } as const;
  const alone = estimateMemory({ ...fakeInfo(), footprint }, sizes);
  const seeing = estimateMemory({ ...fakeInfo(), footprint: { ...footprint, pictures } }, sizes);
  expect(seeing).toEqual({
    ...alone,
    weightBytes: alone.weightBytes + 30,
    computeBytes: alone.computeBytes + 7,
    totalBytes: alone.totalBytes + 37,
  });
});

test("a shared cache has the tokens that it was given, in blocks, and those of one spare context", () => {
  const info = { ...fakeInfo({ kvBytesPerToken: 10 }), footprint: { ...footprint, sharesCache: true } };
  const estimate = estimateMemory(info, { contextTokens: 100, parallel: 4, cacheTokens: 150 });
  expect(estimate.kvBytes).toBe(10 * (160 + 128));
  expect(estimateMemory(info, { contextTokens: 100, parallel: 4 }).kvBytes).toBe(10 * (416 + 128));
});

test("a draft model adds its weights, its cache and its buffers, but no process", () => {
  const plain = { ...fakeInfo({ kvBytesPerToken: 10 }), footprint: { ...footprint, sharesCache: true } };
  const draft = { ...fakeInfo({ kvBytesPerToken: 3 }), footprint: { ...footprint, weightBytes: 50 } };
  const sizes = { contextTokens: 64, parallel: 2 } as const;
  const [alone, both] = [estimateMemory(plain, sizes), estimateMemory({ ...plain, draft }, sizes)];
  expect(both).toEqual({
    weightBytes: alone.weightBytes + 50,
    kvBytes: 1.3 * alone.kvBytes,
    computeBytes: alone.computeBytes + 10,
    totalBytes: alone.totalBytes + 60 + 0.3 * alone.kvBytes,
  });
});

test("llama.cpp keeps the cache of a draft model in f16, flint like that of the model", () => {
  const [info, draft] = [fakeInfo({ kvBytesPerToken: 1000 }), fakeInfo({ kvBytesPerToken: 100 })];
  const quantized = { contextTokens: 32, parallel: 1, kvTypeK: "q8_0", kvTypeV: "q8_0" } as const;
  expect(estimateMemory({ ...info, draft }, quantized).kvBytes).toBeCloseTo(32 * (1000 * (34 / 64) + 100), -1);
  const flint = { ...info, footprint, draft: { ...draft, footprint } };
  expect(estimateMemory(flint, quantized).kvBytes).toBeCloseTo(32 * 1100 * (34 / 64), -1);
});

test("a larger batch needs larger buffers, adapters are weights", () => {
  const small = estimateMemory(fakeInfo(), { ...load, batchTokens: 64 });
  const large = estimateMemory(fakeInfo(), { ...load, batchTokens: 2048 }, 1000);
  expect(large.computeBytes).toBeGreaterThan(small.computeBytes + 400 * mebibyte);
  expect(large.weightBytes - small.weightBytes).toBe(1000);
});

test("the context that is said to fit does fit, and one step more does not", () => {
  const info = fakeInfo();
  for (const budget of [1.2, 1.3, 1.4].map((share) => share * gibibyte)) {
    const contextTokens = fittingContext(info, load, budget);
    expect(contextTokens % 256).toBe(0);
    expect(contextTokens).toBeGreaterThan(0);
    expect(estimateMemory(info, { ...load, contextTokens }).totalBytes).toBeLessThanOrEqual(budget);
    const more = { ...load, contextTokens: contextTokens + 256 };
    expect(estimateMemory(info, more).totalBytes).toBeGreaterThan(budget);
  }
  expect(fittingContext(info, load, 100 * gibibyte)).toBe(4096);
  expect(fittingContext(info, load, 0.5 * gibibyte)).toBe(0);
});

test("the reserve is 5 % of the memory, at least 512 MiB, and the budget is never negative", () => {
  expect(usableBytes({ totalBytes: 100 * gibibyte, availableBytes: 50 * gibibyte })).toBe(45 * gibibyte);
  expect(usableBytes({ totalBytes: 4 * gibibyte, availableBytes: 2 * gibibyte })).toBe(1.5 * gibibyte);
  expect(usableBytes({ totalBytes: 4 * gibibyte, availableBytes: 0.2 * gibibyte })).toBe(0);
});

test("mapped weights that count as free do not make the budget larger", () => {
  const memory = { totalBytes: 10 * gibibyte, availableBytes: 8 * gibibyte };
  expect(memoryBudget(4 * gibibyte, 7 * gibibyte, memory).limitBytes).toBe(7 * gibibyte);
  expect(memoryBudget(4 * gibibyte, 7 * gibibyte, { ...memory, availableBytes: 2 * gibibyte }).limitBytes).toBe(
    5.5 * gibibyte,
  );
});

test("the refusal names the context and the number of sequences that would fit", () => {
  const error = outOfMemory({
    model: "tiny:latest",
    info: fakeInfo(),
    load: { contextTokens: 2048, parallel: 8 },
    adapterBytes: 0,
    budgetBytes: 1.1 * gibibyte,
    memory: { totalBytes: 8 * gibibyte, availableBytes: 1.6 * gibibyte },
    configured: false,
  });
  expect(error.message).toMatch(
    /"tiny:latest" needs 1\.2 GiB \(weights 636 MiB, KV cache 352 MiB for 8 × 2048 tokens, .*1\.1 GiB can be used/,
  );
  expect(error.hint).toMatch(
    /--context 1\d{3}.*--parallel \d.*smaller quantization.*close other programs \(6\.4 GiB of 8\.0 GiB/,
  );
  const { fittingContextTokens } = error.details;
  expect(error.hint).toContain(`--context ${String(fittingContextTokens)}`);
  const parallel = Number(/--parallel (\d)/.exec(error.hint)?.[1]);
  expect(estimateMemory(fakeInfo(), { contextTokens: 2048, parallel }).totalBytes).toBeLessThanOrEqual(1.1 * gibibyte);
  expect(estimateMemory(fakeInfo(), { contextTokens: 2048, parallel: parallel + 1 }).totalBytes).toBeGreaterThan(
    1.1 * gibibyte,
  );
});

test("where sequences share the cache, the refusal names a size of it that fits", () => {
  const info = { ...fakeInfo(), footprint: { ...footprint, weightBytes: gibibyte, sharesCache: true } };
  const refuse = (load: ResolvedLoad): string =>
    outOfMemory({
      model: "tiny:latest",
      info,
      load,
      adapterBytes: 0,
      budgetBytes: 1.1 * gibibyte,
      memory: { totalBytes: 8 * gibibyte, availableBytes: 8 * gibibyte },
      configured: true,
    }).hint;
  const context = /^Load it with --context (\d+) --cache-tokens \1, take a smaller/.exec(
    refuse({ contextTokens: 4096, parallel: 8, cacheTokens: 4096 }),
  );
  const fitting = Number(context?.[1]);
  const small = { contextTokens: fitting, cacheTokens: fitting, parallel: 8 };
  expect(estimateMemory(info, small).totalBytes).toBeLessThanOrEqual(1.1 * gibibyte);
  const cache = /^Load it with --cache-tokens (\d+), take/.exec(
    refuse({ contextTokens: 512, parallel: 8, cacheTokens: 9000 }),
  );
  const asked = { contextTokens: 512, cacheTokens: Number(cache?.[1]), parallel: 8 };
  expect(asked.cacheTokens).toBeGreaterThan(512);
  expect(estimateMemory(info, asked).totalBytes).toBeLessThanOrEqual(1.1 * gibibyte);
});

test("where not even the weights fit, no context is suggested", () => {
  const error = outOfMemory({
    model: "tiny:latest",
    info: fakeInfo(),
    load,
    adapterBytes: 0,
    budgetBytes: 0.3 * gibibyte,
    memory: { totalBytes: 8 * gibibyte, availableBytes: 0.8 * gibibyte },
    configured: true,
  });
  expect(error.hint).toBe("Take a smaller quantization, or raise --memory.");
  expect(error.details).not.toHaveProperty("fittingContextTokens");
});
