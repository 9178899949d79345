/** How the encoder of pictures is set up, and what memory that takes. */
import type { GgufFile } from "../../../formats/gguf/types.ts";
import type { EngineFootprint } from "../../../spec/engine.ts";
import { keptBytes } from "../pictures/encoder.ts";
import type { ForwardPass, PrepareOptions } from "../prepare.ts";
import { planGraph } from "../prepare.ts";
import type { CheckedVision } from "./check.ts";
import { outputsOf, rowsOf } from "./figures.ts";
import { buildVision } from "./transformer.ts";

export interface VisionSetup {
  readonly pass: ForwardPass;
  readonly options: PrepareOptions;
}

/** For the largest tile; a step is one tile. */
export function setupVision({ family, model }: CheckedVision, workers: number): VisionSetup {
  return {
    pass: { build: (graph) => buildVision(graph, model, family), encoder: true, pictures: true },
    options: {
      contextTokens: rowsOf(model),
      parallel: 1,
      workers,
      batchTokens: undefined,
      outputs: outputsOf(model),
    },
  };
}

const mebibyte = 1024 ** 2;
/**
 * Sharp, kernels and a picture of 1600 × 1600 pixels: resident memory at its highest less what the plan counts, with one
 * and two threads. SmolVLM-256M has 77 and 106 MiB so, LLaVA 1.5 102 and 117.
 */
const besidesBytes = 80 * mebibyte;
const threadBytes = 30 * mebibyte;

/**
 * From the header alone, nothing is allocated: weights as they are packed; what a tile of the largest size needs, and rows
 * that are kept for pictures that come again.
 */
export function visionBytes(
  file: GgufFile,
  checked: CheckedVision,
  workers: number,
): NonNullable<EngineFootprint["pictures"]> {
  const { pass, options } = setupVision(checked, workers);
  const { weightBytes, activationBytes, bankBytes, cacheGroups, values, result } = planGraph(file, pass, options);
  const cacheBytes = cacheGroups.reduce((sum, { blocks, blockBytes }) => sum + blocks * blockBytes, 0);
  const { model } = checked;
  const inputBytes = rowsOf(model) * (3 * model.patchSize ** 2 + model.embedding) * 4;
  const resultBytes = outputsOf(model) * (values[result.value]?.width ?? 0) * 4;
  // What goes to the threads and comes back is there twice for a moment.
  const tileBytes = activationBytes + cacheBytes * bankBytes.length + 2 * inputBytes + 2 * resultBytes;
  return { weightBytes, workBytes: tileBytes + keptBytes + besidesBytes + threadBytes * workers };
}
