import { describe, expect, it } from "vitest";
import { createTaskHouse } from "../../test/task-house.ts";
import { createDeferred } from "../util/deferred.ts";
import { embed } from "./embed.ts";
import { rerank } from "./rerank.ts";

const encoder = { capabilities: ["embed"], embeddingLength: 16 } as const;
const length = (vector: Float32Array): number => Math.hypot(...vector);

describe("embeddings", () => {
  it("are unit vectors in the order of the texts, however many there are", async () => {
    const house = createTaskHouse({ info: encoder });
    const texts = Array.from({ length: 150 }, (_, index) => `text ${index}`);
    const result = await embed(house.runtime, { model: "tiny", texts });
    expect(result.vectors).toHaveLength(150);
    expect(result).toMatchObject({ model: "tiny:latest", tokens: 300, truncated: [] });
    const [single] = (await embed(house.runtime, { model: "tiny", texts: ["text 149"] })).vectors;
    expect(result.vectors[149]).toEqual(single);
    expect(house.runtime.stats().running).toBe(0);
  });

  it("can be shortened, and are unit vectors again", async () => {
    const house = createTaskHouse({ info: encoder });
    const texts = ["one two three four five six seven eight"];
    const [vector = new Float32Array()] = (await embed(house.runtime, { model: "tiny", texts, dimensions: 8 })).vectors;
    expect(vector).toHaveLength(8);
    expect(length(vector)).toBeCloseTo(1, 5);
    await expect(embed(house.runtime, { model: "tiny", texts, dimensions: 17 })).rejects.toThrow(
      "vectors of this model have 16",
    );
  });

  it("of a text that is too long are refused, or made of its beginning and marked", async () => {
    const house = createTaskHouse({ info: encoder, contextTokens: 10 });
    const texts = ["short", "word ".repeat(30).trim(), "also short"];
    await expect(embed(house.runtime, { model: "tiny", texts })).rejects.toMatchObject({
      code: "context_too_long",
      details: { promptTokens: 30, contextTokens: 10, tokensOver: 21 },
    });
    const result = await embed(house.runtime, { model: "tiny", texts, truncate: true });
    expect(result.truncated).toEqual([1]);
    expect(result.tokens).toBe(1 + 8 + 2);
  });

  it("stop between two batches when the caller leaves", async () => {
    const controller = new AbortController();
    let batches = 0;
    const house = createTaskHouse({
      info: encoder,
      beforeBatch: () => {
        batches++;
        controller.abort();
      },
    });
    const texts = Array.from({ length: 200 }, () => "x");
    const { signal } = controller;
    await expect(embed(house.runtime, { model: "tiny", texts, signal })).rejects.toMatchObject({ code: "aborted" });
    expect(batches).toBe(1);
    expect(house.runtime.stats().running).toBe(0);
  });

  it.for([
    ["no texts", { texts: [] }],
    ["an empty text", { texts: ["a", ""] }],
    ["too many texts", { texts: Array.from({ length: 2049 }, () => "x") }],
    ["no dimension", { texts: ["a"], dimensions: 0 }],
    ["half a dimension", { texts: ["a"], dimensions: 1.5 }],
  ] as const)("are refused for %s", async ([, change]) => {
    const house = createTaskHouse({ info: encoder });
    await expect(embed(house.runtime, { model: "tiny", ...change })).rejects.toMatchObject({ code: "bad_request" });
    expect(house.runtime.stats().running).toBe(0);
  });

  it("are refused for a model that only writes", async () => {
    const work = embed(createTaskHouse().runtime, { model: "tiny", texts: ["a"] });
    await expect(work).rejects.toThrow('Model "tiny:latest" cannot embed texts; it can generate text, chat.');
  });
});

describe("reranking", () => {
  const ranker = { info: { capabilities: ["rerank"] as const } };
  const documents = ["cats", "dogs and cats sleep", "do cats sleep"];

  it("puts the best document first, by its index", async () => {
    const result = await rerank(createTaskHouse(ranker).runtime, { model: "tiny", query: "do cats sleep", documents });
    expect(result.results.map(({ index }) => index)).toEqual([2, 1, 0]);
    expect(result.results[0]?.score).toBe(1);
    expect(result.tokens).toBeGreaterThan(0);
  });

  it("gives only the best when asked to", async () => {
    const { runtime } = createTaskHouse(ranker);
    const result = await rerank(runtime, { model: "tiny", query: "do cats sleep", documents, topN: 1 });
    expect(result.results).toEqual([{ index: 2, score: 1 }]);
  });

  it("is refused without a query or documents, for a wrong topN, and for a model that cannot", async () => {
    const { runtime } = createTaskHouse(ranker);
    const ask = { model: "tiny", query: "q", documents };
    await expect(rerank(runtime, { ...ask, query: "" })).rejects.toMatchObject({ details: { field: "query" } });
    await expect(rerank(runtime, { ...ask, documents: [] })).rejects.toMatchObject({ details: { field: "documents" } });
    await expect(rerank(runtime, { ...ask, topN: 0 })).rejects.toMatchObject({ details: { field: "topN" } });
    await expect(rerank(createTaskHouse().runtime, ask)).rejects.toMatchObject({ code: "unsupported_capability" });
  });

  it("ends when the caller leaves while the engine works", async () => {
    const controller = new AbortController();
    const never = createDeferred<void>();
    const house = createTaskHouse({
      ...ranker,
      beforeBatch: async () => {
        controller.abort();
        await never.promise;
      },
    });
    const work = rerank(house.runtime, { model: "tiny", query: "q", documents, signal: controller.signal });
    await expect(work).rejects.toMatchObject({ code: "aborted" });
    expect(house.runtime.stats().running).toBe(0);
  });
});
