/** The quality card of a model: what it was made from, how large it is, how good, and how fast. */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { HearthError } from "../../error.ts";
import type { Evaluation } from "../evaluate/contract.ts";

const mean = z.object({ value: z.number(), error: z.number() });

const size = z.object({
  dataBytes: z.number(),
  weights: z.number(),
  bitsPerWeight: z.number(),
  types: z.record(z.string(), z.number()),
  importance: z.string().optional(),
});

const cardSchema = z.object({
  version: z.literal(1),
  model: z.string(),
  /** ISO 8601. */
  createdAt: z.string(),
  size,
  text: z.object({ name: z.string(), windows: z.number(), windowTokens: z.number(), scoredTokens: z.number() }),
  perplexity: mean,
  comparison: z
    .object({
      reference: z.string(),
      referenceSize: size,
      referencePerplexity: mean,
      divergence: mean,
      quantiles: z.array(z.object({ part: z.number(), value: z.number() })),
      agreement: mean,
    })
    .optional(),
  choices: z.object({ name: z.string(), questions: z.number(), accuracy: mean }).optional(),
  speed: z.object({ threads: z.number(), textRate: z.number(), answerRate: z.number(), memoryBytes: z.number() }),
});

export type Card = z.infer<typeof cardSchema>;

export function createCard(evaluation: Evaluation, now: Date = new Date()): Card {
  return cardSchema.parse({ version: 1, createdAt: now.toISOString(), ...evaluation });
}

/** `x.gguf` → `x.card.json`; a folder's card is in it. */
export function cardPath(model: string): string {
  return `${stemOf(model)}.card.json`;
}

export function pagePath(model: string): string {
  return `${stemOf(model)}.card.html`;
}

function stemOf(model: string): string {
  return model.replace(/(?:-00001-of-\d{5})?\.gguf$/i, "").replace(/[/\\]$/, "");
}

/** The card beside a model; undefined: there is none. Throws `bad_request` for a file that is no card. */
export async function readCard(model: string): Promise<Card | undefined> {
  const path = cardPath(model);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch {
    return undefined;
  }
  try {
    return cardSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new HearthError("bad_request", `${path} is no quality card.`, {
      hint: "Remove it, or make it anew with `hearth eval MODEL --card`.",
      cause: error,
    });
  }
}
