import { describe, expect, it } from "vitest";
import { distance } from "../__fixtures__/distance.ts";
import { openModel, openReference } from "../__fixtures__/open.ts";
import type { Variant } from "../__fixtures__/variant.ts";
import { makeVariant } from "../__fixtures__/variant.ts";
import type { GgufTypedValue } from "../../../formats/gguf/encode.ts";
import { openInline } from "../inline.ts";
import { createShapes } from "./shapes.ts";

const integer = (value: number): GgufTypedValue => ({ type: "uint32", value });

interface Sizes {
  readonly embedding: number;
  readonly heads: number;
  readonly keyHeads: number;
  readonly feedForward: number;
}

function sizes({ embedding, heads, keyHeads, feedForward }: Sizes): Variant["keys"] & object {
  return {
    embedding_length: integer(embedding),
    "attention.head_count": integer(heads),
    "attention.head_count_kv": integer(keyHeads),
    feed_forward_length: integer(feedForward),
    "rope.dimension_count": integer(embedding / heads),
  };
}

const narrow = { embedding: 60, heads: 3, keyHeads: 1, feedForward: 52 };
const odd: readonly (readonly [string, Variant])[] = [
  ["rows that are no multiple of eight", { architecture: "llama", keys: sizes(narrow) }],
  [
    "four floats a row",
    { architecture: "llama", keys: sizes({ embedding: 4, heads: 1, keyHeads: 1, feedForward: 3 }) },
  ],
  [
    "forty heads that share one key head",
    { architecture: "llama", keys: sizes({ embedding: 160, heads: 40, keyHeads: 1, feedForward: 128 }) },
  ],
  [
    "keys wider than values",
    {
      architecture: "llama",
      keys: {
        ...sizes({ ...narrow, embedding: 64, heads: 4, keyHeads: 2 }),
        "attention.key_length": integer(24),
        "attention.value_length": integer(12),
        "rope.dimension_count": integer(24),
      },
    },
  ],
  [
    "seven narrow experts, of which a row takes three",
    {
      architecture: "qwen3moe",
      keys: { ...sizes({ ...narrow, feedForward: 20 }), expert_count: integer(7), expert_used_count: integer(3) },
    },
  ],
];

const tokens = Array.from({ length: 37 }, (_, index) => 1 + ((index * 83) % 400));

describe("a model with", () => {
  it.each(odd)("%s has the logits of float64", (name, variant) => {
    const bytes = makeVariant(variant);
    const { reference } = openReference(openModel(bytes, name), 64, Math.f16round);
    const expected = reference.step(tokens.map((token, position) => ({ token, sequence: 0, position, output: true })));
    const model = openInline(bytes, { contextTokens: 64 });
    const pieces = [0, 7, 8].map((position, index, all) => ({
      position,
      tokens: tokens.slice(position, all[index + 1]),
    }));
    expect(
      distance(
        pieces.flatMap((piece) => model.step(piece)),
        expected,
      ),
    ).toBeLessThan(2e-4);
  });
});

describe("shapes that the kernels cannot compute", () => {
  const refused: string[] = [];
  const graph = createShapes((problem, field) => {
    refused.push(field);
    throw new Error(problem);
  });

  it("are told with the tensor that is divided within a group of rows", () => {
    const x = graph.embed({ name: "token_embd.weight", k: 64, n: 10 });
    expect(() => graph.linear(x, { name: "qkv", k: 64, n: 32, row: 16 })).not.toThrow();
    expect(() => graph.linear(x, { name: "qkv", k: 64, n: 32, row: 20 })).toThrow("divides qkv at row 20");
    expect(refused).toEqual(["qkv"]);
  });

  it("are told with the width of heads that are no whole vectors", () => {
    const x = graph.embed({ name: "token_embd.weight", k: 18, n: 10 });
    const options = { layer: 0, heads: 1, keyHeads: 1, headWidth: 18, valueWidth: 18, scale: 1 };
    expect(() => graph.attention(x, x, x, options)).toThrow("heads of 18");
  });

  it("are told with experts that are too many", () => {
    const x = graph.embed({ name: "token_embd.weight", k: 8, n: 10 });
    const matrix = { name: "experts", k: 8, n: 8 };
    const options = { used: 1, router: matrix, up: matrix, down: matrix } as const;
    const more = { activation: "silu", scoring: "softmax", normalize: true } as const;
    expect(() => graph.experts(x, { ...options, ...more, count: 1023 })).not.toThrow();
    expect(() => graph.experts(x, { ...options, ...more, count: 1024 })).toThrow("1024 experts");
  });
});
