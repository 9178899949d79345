import { z } from "zod";
import type { Card } from "./card.ts";

const mean = z.object({ value: z.number(), error: z.number() });

const size = z.object({
  dataBytes: z.number(),
  weights: z.number(),
  bitsPerWeight: z.number(),
  types: z.record(z.string(), z.number()),
  importance: z.string().exactOptional(),
});

const change = z.object({ before: z.number(), after: z.number() });

const pruned = z.object({
  layers: change.extend({ dropped: z.array(z.number()) }).exactOptional(),
  heads: change.exactOptional(),
  channels: change.exactOptional(),
  zeros: z
    .object({
      method: z.enum(["magnitude", "wanda"]),
      pattern: z.string().exactOptional(),
      inLayers: z.number(),
      inAll: z.number(),
    })
    .exactOptional(),
});

const schema = z.object({
  version: z.literal(1),
  createdAt: z.string(),
  model: z.string(),
  pruned: pruned.exactOptional(),
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
    .exactOptional(),
  choices: z.object({ name: z.string(), questions: z.number(), accuracy: mean }).exactOptional(),
  speed: z.object({ threads: z.number(), textRate: z.number(), answerRate: z.number(), memoryBytes: z.number() }),
});

/** Throws what zod throws. */
export function parseCard(value: unknown): Card {
  return schema.parse(value);
}
