/** What the header of a model tells before anything is started. */
import { availableParallelism } from "node:os";
import { HearthError } from "../../error.ts";
import { projectorHeader } from "../../formats/gguf/combined.ts";
import { readGguf } from "../../formats/gguf/read.ts";
import type { GgufFile } from "../../formats/gguf/types.ts";
import { readModelHeader } from "../../formats/model.ts";
import type { EngineFootprint, LoadOptions } from "../../spec/engine.ts";
import { checkModel } from "./check.ts";
import { blockTokens } from "./graph/plan.ts";
import { stepRows } from "./pictures/both-ways.ts";
import { checkVocabularyKind } from "./tokenizer/gguf.ts";
import { matrixBytes } from "./weights/layout.ts";
import { loadTypes } from "./weights/load-types.ts";
import { layoutOf } from "./weights/pack.ts";

const mebibyte = 1024 ** 2;
/** Node with two threads, the tokenizers and the kernels: resident memory less what the engine counts, two models. */
const processBytes = 180 * mebibyte;
const batchTokens = 256;
/** Float32 values of a row that are alive at once, in embedding widths: an upper bound of what `graph/buffers.ts` finds. */
const liveWidths = 16;

type InspectOptions = Pick<LoadOptions, "quantize" | "projector" | "threads">;

/**
 * Checks the header as a load would and adds up the weights in the packed layouts. Throws what `checkModel` throws, and
 * `model_unsupported` for a kind of vocabulary that is not known and for a model in several files. `name` is what messages
 * call the model.
 */
export async function inspectFlint(
  path: string,
  name: string,
  { quantize, projector, threads = availableParallelism() }: InspectOptions = {},
): Promise<EngineFootprint> {
  const file = await readModelHeader(path, { name, weights: loadTypes(quantize) });
  if ((file.splitCount ?? 1) > 1) {
    throw new HearthError("model_unsupported", `${name} is in ${file.splitCount} files; flint reads models of one.`, {
      hint: "Use the llama engine (--engine llama).",
    });
  }
  const { hyperparameters } = checkModel(file);
  checkVocabularyKind(file.metadata);
  const { embedding, vocabularySize, encoder } = hyperparameters;
  const rowBytes = 4 * (embedding * liveWidths + (encoder ? 0 : vocabularySize));
  const sharesCache = !encoder;
  const pictures = projector && (await inspectProjector(projector.path, { embedding, threads }));
  return {
    weightBytes: packedBytes(file),
    processBytes,
    rowBytes,
    batchTokens: pictures ? (stepRows(hyperparameters, batchTokens) ?? batchTokens) : batchTokens,
    blockTokens,
    sharesCache,
    ...(pictures && { pictures }),
  };
}

interface LanguageModel {
  readonly embedding: number;
  readonly threads: number;
}

/** Undefined for one that flint does not run: the model then reads text alone. Throws `model_malformed`. */
async function inspectProjector(
  path: string,
  { embedding, threads }: LanguageModel,
): Promise<EngineFootprint["pictures"]> {
  const [{ checkVision }, { visionBytes }] = await Promise.all([
    import("./vision/check.ts"),
    import("./vision/setup.ts"),
  ]);
  try {
    const header = projectorHeader(await readGguf(path));
    return visionBytes(header, checkVision(header, embedding), threads);
  } catch (error) {
    if (error instanceof HearthError && error.code === "model_unsupported") return undefined;
    throw error;
  }
}

/** Matrices in their layouts; vectors are float32. */
function packedBytes(file: GgufFile): number {
  return file.tensors.reduce((sum, { shape, typeName }) => {
    const [k = 1, n, experts = 1] = shape;
    return sum + (n === undefined ? k * 4 : matrixBytes(layoutOf(typeName), { k, n }) * experts);
  }, 0);
}
