import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../test/cli/run-main.ts";
import type { Evaluation } from "../evaluate/contract.ts";
import { createCard, readCard } from "./card.ts";
import { cardLines } from "./lines.ts";
import { cardPage } from "./page.ts";
import { cardPath } from "./path.ts";
import { writeCard } from "./write.ts";

const size = { dataBytes: 100 * 1024 ** 2, weights: 180e6, bitsPerWeight: 4.85, types: { Q4_K: 150e6, Q6_K: 30e6 } };

const evaluation: Evaluation = {
  model: "tiny-q4_k_m.gguf",
  size: { ...size, importance: "tiny.imatrix.gguf" },
  text: { name: "english.txt", windows: 16, windowTokens: 512, scoredTokens: 4080 },
  perplexity: { value: 12.345_67, error: 0.1 },
  comparison: {
    reference: "tiny-f16.gguf",
    referenceSize: { ...size, bitsPerWeight: 16 },
    referencePerplexity: { value: 12, error: 0.1 },
    divergence: { value: 0.012_34, error: 0.000_2 },
    quantiles: [0.25, 0.5, 0.9, 0.99, 0.999, 1].map((part) => ({ part, value: part ** 4 / 10 })),
    agreement: { value: 0.912, error: 0.004 },
  },
  speed: { threads: 2, textRate: 812.3, answerRate: 45.6, memoryBytes: 200 * 1024 ** 2 },
};

const now = new Date("2026-11-25T00:00:00Z");

describe("a quality card", () => {
  it("says in a table what counts", () => {
    const lines = Object.fromEntries(cardLines(createCard(evaluation, now)));
    expect(lines["bits per weight"]).toBe("4.85; the reference has 16.00");
    expect(lines["types"]).toBe("Q4_K 150M, Q6_K 30.0M");
    expect(lines["perplexity"]).toBe("12.3457 ± 0.1000");
    expect(lines["its perplexity"]).toContain("+2.88 %");
    expect(lines["KL divergence"]).toBe("0.0123 ± 0.0002 nats");
    expect(lines["same likeliest token"]).toBe("91.20 ± 0.40 %");
    expect(lines["speed"]).toContain("45.6 tokens/s");
  });

  it("is found beside its model", async () => {
    const model = join(temporaryFolder(), "tiny-q4_k_m.gguf");
    expect(await readCard(model)).toBeUndefined();
    const card = createCard(evaluation, now);
    const [path] = await writeCard(model, card);
    expect(path).toBe(cardPath(model));
    expect(await readCard(model)).toEqual(card);
    await writeCard(model, { ...card, model: "other" });
    expect((await readCard(model))?.model).toBe("other");
  });

  it("is refused where it is none", async () => {
    const model = join(temporaryFolder(), "tiny.gguf");
    writeFileSync(cardPath(model), "{}");
    await expect(readCard(model)).rejects.toMatchObject({ code: "bad_request", message: /no quality card/ });
  });

  it("is a page that needs nothing else and lets no name become markup", () => {
    const page = cardPage(createCard({ ...evaluation, model: "<script>alert(1)</script>" }, now));
    expect(page).toContain("<polyline");
    expect(page).not.toMatch(/<script|https?:|src=|href=/);
    expect(page).toContain("&lt;script&gt;");
  });

  it("does without a comparison", () => {
    const { comparison: _, ...alone } = evaluation;
    expect(cardPage(createCard(alone, now))).not.toContain("<svg");
    expect(Object.fromEntries(cardLines(createCard(alone, now)))["bits per weight"]).toBe("4.85");
  });
});
