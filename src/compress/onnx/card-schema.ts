import { z } from "zod";
import type { OnnxCard } from "./card.ts";
import { onnxTypes } from "./types.ts";

const output = z.object({
  name: z.string(),
  cosine: z.object({ mean: z.number(), least: z.number() }),
  maxError: z.number(),
  relativeError: z.number(),
  agreement: z.number().exactOptional(),
});

const schema = z.object({
  version: z.literal(1),
  format: z.literal("onnx"),
  createdAt: z.string(),
  model: z.string(),
  reference: z.string(),
  type: z.enum(onnxTypes),
  method: z.enum(["dynamic", "static", "weight-only"]),
  sizeBytes: z.number(),
  referenceBytes: z.number(),
  weights: z.record(z.string(), z.number()),
  inputs: z.string(),
  threads: z.number(),
  comparison: z.object({
    samples: z.number(),
    outputs: z.array(output),
    referenceMs: z.number(),
    modelMs: z.number(),
  }),
});

/** Throws what zod throws. */
export function parseOnnxCard(value: unknown): OnnxCard {
  return schema.parse(value);
}
