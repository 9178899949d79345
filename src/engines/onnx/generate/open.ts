/** Language models, those that see pictures among them, in the layout of transformers.js. */
import { HearthError } from "../../../error.ts";
import { modelSampling } from "../../../formats/gguf/sampling.ts";
import type { GenerateRequest } from "../../../spec/engine.ts";
import type { ImageInput } from "../../../spec/media.ts";
import type { Sampling } from "../../../spec/sampling.ts";
import { createSlots } from "../../../util/slots.ts";
import { createFormats } from "../../flint/sampling/format.ts";
import type { ModelTasks, OnnxContext, OpenTasks } from "../context.ts";
import { createTurns } from "../turns.ts";
import { createDecoder } from "./decoder.ts";
import type { GenerateContext } from "./generate.ts";
import { generate } from "./generate.ts";
import { createLanguage } from "./language.ts";
import { openPictureEncoder } from "./pictures.ts";
import { openText } from "./text.ts";

const samplingOptions: ReadonlySet<keyof Sampling> = new Set<keyof Sampling>([
  "temperature",
  "topK",
  "topP",
  "minP",
  "typicalP",
  "topNSigma",
  "repeatPenalty",
  "repeatLastTokens",
  "presencePenalty",
  "frequencyPenalty",
  "seed",
  "xtc",
  "dry",
  "mirostat",
  "logitBias",
]);

const defaultContextTokens = 4096;
const defaultParallel = 4;

/** Options of a load that this engine knows nothing of. */
const unknownOptions = ["adapters", "draft", "kvTypeK", "kvTypeV", "quantize", "gpuLayers"] as const;

export const openGenerate: OpenTasks = async (context) => {
  const option = unknownOptions.find((name) => context.options[name] !== undefined);
  if (option !== undefined) {
    throw new HearthError("unsupported_option", `Models in ONNX are loaded without \`${option}\`.`, {
      details: { option, engine: "onnx" },
    });
  }
  const text = openText(context);
  const decoder = createDecoder(await context.session(fileOf(context, "decoder_model_merged")));
  const embedFile = fileOf(context, "embed_tokens");
  const embed = embedFile === undefined ? undefined : await context.session(embedFile);
  const visionFile = fileOf(context, "vision_encoder");
  const encode =
    visionFile === undefined ? undefined : await openPictureEncoder(context, await context.session(visionFile));
  const { options, info } = context;
  const grids = /^qwen2(_5)?_vl$/.test(info.architecture);
  const trained = info.trainContextTokens || Infinity;
  const contextTokens = Math.min(options.contextTokens ?? Math.min(trained, defaultContextTokens), trained);
  const sequences = options.cacheTokens === undefined ? Infinity : Math.floor(options.cacheTokens / contextTokens);
  const parallel = Math.max(1, Math.min(options.parallel ?? defaultParallel, sequences));
  const shared: GenerateContext = {
    text,
    encode,
    formats: createFormats(text.tokenizer),
    defaults: modelSampling(info),
    contextTokens,
    slots: createSlots(parallel),
    kept: new Map(),
    turns: createTurns(),
    begin: (beginning) => createLanguage({ decoder, embed, grids }, beginning),
  };
  return {
    text: { contextTokens, tokenize: tokenizing(shared), detokenize: text.detokenize },
    generate: generating(context, shared),
    parallel,
    samplingOptions,
  };
};

function tokenizing({ text, encode, turns }: GenerateContext): NonNullable<ModelTasks["text"]>["tokenize"] {
  const look = encode && (async (image: ImageInput) => await turns(async () => await encode(image)));
  return async (parts) => {
    const { names } = await text.prompt(parts, { encode: look, most: Infinity });
    return names.map((name) => Math.max(name, -1));
  };
}

function generating(context: OnnxContext, shared: GenerateContext): NonNullable<ModelTasks["generate"]> {
  return (request: GenerateRequest, signal) => {
    if (request.adapters && request.adapters.length > 0) {
      throw new HearthError("unsupported_option", `"${context.name}" was loaded without adapters.`, {
        details: { field: "adapters" },
      });
    }
    return generate(request, shared, signal);
  };
}

function fileOf({ info }: OnnxContext, stem: string): string | undefined {
  const file = info.metadata[stem];
  return typeof file === "string" ? file : undefined;
}
