import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../../../test/make-checkpoint.ts";
import type { TinyLlamaOptions } from "../../../test/make-model.ts";
import type { PruneOptions } from "./contract.ts";
import { tinyContent, writeTiny } from "./__fixtures__/tiny.ts";
import { pruneModel } from "./prune.ts";

type Wanted = Partial<PruneOptions> & { readonly model?: TinyLlamaOptions };

/** Prunes with a measure that must not be asked. */
async function prune({ model, ...options }: Wanted): Promise<void> {
  const out = join(temporaryFolder(), "out.gguf");
  const measure = async (): Promise<never> => {
    throw new Error("the work began");
  };
  try {
    await pruneModel({ source: writeTiny(tinyContent(model)), out, measure, ...options });
  } finally {
    expect(existsSync(out)).toBe(false);
  }
}

describe("before any work a user hears", () => {
  test.each<[string, Wanted, RegExp]>([
    ["that all layers would go", { layers: { count: 6 } }, /6 of the 6 layers/],
    ["that no such layer is there", { layers: { drop: [2, 9] } }, /no layer 9: the model has 6/],
    ["that a part is none", { layers: { part: 1 } }, /100 % of the 6 layers/],
    ["that heads share keys", { heads: { count: 3 } }, /3 heads are no whole groups: each 2/],
    ["that all heads would go", { heads: { count: 4 } }, /2 of the 2 groups of 2 heads/],
    ["that all channels would go", { channels: { count: 128 } }, /128 of the 128 channels/],
    ["that no weight would stay", { zeros: { part: 1, method: "magnitude" } }, /sparsity of 1 /],
    ["that a pattern leaves all", { zeros: { keep: 4, of: 4, method: "magnitude" } }, /pattern 4:4/],
    ["that rows are no whole groups", { zeros: { keep: 2, of: 3, method: "magnitude" } }, /no whole groups of 3/],
    [
      "that weights are quantized",
      { model: { type: "Q8_0" }, zeros: { part: 0.5, method: "wanda" } },
      /is quantized: .* is Q8_0/,
    ],
    ["that nothing is asked for", {}, /Nothing is to be taken out/],
  ])("%s", async (_, options, message) => {
    await expect(prune(options)).rejects.toMatchObject({ code: "bad_request", message });
  });

  test("that a text is missing", async () => {
    const missing = { measure: undefined, layers: { count: 2 } };
    await expect(prune(missing)).rejects.toMatchObject({ code: "bad_request", message: /found with a text/ });
  });

  test("that layers differ by their number", async () => {
    const model = { architecture: "smollm3" };
    const kind = { code: "model_unsupported", message: /another window or rotation/ };
    await expect(prune({ model, layers: { count: 1 } })).rejects.toMatchObject(kind);
    await expect(prune({ model, layers: { drop: [1] } })).rejects.toMatchObject(kind);
  });

  test("that nobody knows how to take an architecture apart", async () => {
    const model = { architecture: "mamba2" };
    await expect(prune({ model, layers: { count: 1 } })).rejects.toMatchObject({
      code: "model_unsupported",
      message: /mamba2/,
    });
  });

  test("that the output exists", async () => {
    const source = writeTiny();
    const again = pruneModel({ source, out: source, layers: { drop: [1] } });
    await expect(again).rejects.toMatchObject({ code: "conflict" });
  });

  test("that the disk is full", async () => {
    const full = { layers: { count: 2 }, freeBytes: async () => 100 };
    await expect(prune(full)).rejects.toMatchObject({ code: "disk_full" });
  });
});
