/** What a model that is no language model is asked for, chosen by what it can do. */
import { HearthError } from "../../error.ts";
import type { ModelInfo } from "../../spec/model.ts";
import type { TaskName, Tasks } from "../../spec/perform.ts";
import type { Hearth } from "../../tasks/contract.ts";
import { makePicture, makeSound, makeTexts, sentence, soundSeconds } from "./inputs.ts";
import { makeTensors, type Tensors } from "./tensors.ts";

export interface Work {
  readonly task: string;
  /** What one call has so many of, e.g. `texts`; a rate is these in a second. */
  readonly items: string;
  readonly perCall: number;
  call(hearth: Hearth, index: number, signal: AbortSignal | undefined): Promise<void>;
}

export interface WorkOptions {
  /** Canonical name. */
  readonly model: string;
  readonly info: ModelInfo;
  readonly random: () => number;
  /** Of each text that is embedded, about. */
  readonly textTokens?: number | undefined;
}

/** What is measured of a model that can do several things: the first of these. */
const order = [
  "embed",
  "rerank",
  "embed-image",
  "classify",
  "tokens",
  "translate",
  "detect",
  "segment",
  "depth",
  "pose",
  "ocr",
  "caption",
  "remove-background",
  "upscale",
  "transcribe",
  "voice",
  "diarize",
  "speak",
  "infer",
] as const;

/** Different texts that take turns. */
export const textCount = 64;

/** Throws `unsupported_capability` for a model that does nothing of this kind. */
export function chooseWork(options: WorkOptions): Work {
  const { model, info } = options;
  const task = order.find((name) => info.capabilities.some((capability) => capability === name));
  if (task === undefined) {
    throw new HearthError("unsupported_capability", `There is nothing to measure: "${model}" has no task.`, {
      details: { model, capabilities: [...info.capabilities] },
    });
  }
  return workOf(task, options);
}

function workOf(task: string, options: WorkOptions): Work {
  const { info, random } = options;
  const run = <Name extends TaskName>(name: Name, makeInput: (index: number) => Tasks[Name]["request"]): Work["call"] =>
    performing(options, name, makeInput);
  switch (task) {
    case "embed":
      return { task, items: "texts", perCall: 1, call: embedding(options) };
    case "rerank":
      return { task, items: "documents", perCall: rerankCount, call: reranking(options) };
    case "tokens": {
      const texts = makeTexts(textCount, random);
      return { task, items: "texts", perCall: 1, call: run(task, (index) => ({ texts: [textAt(texts, index)] })) };
    }
    case "translate": {
      return { task, items: "sentences", perCall: 1, call: run(task, () => ({ text: sentence })) };
    }
    case "speak":
      return { task, items: "sentences", perCall: 1, call: run(task, () => ({ text: sentence })) };
    case "infer":
      return inferWork(options, [makeTensors(info.signature?.inputs ?? [], random)]);
    case "classify":
      return classifyWork(options);
    case "transcribe":
    case "voice":
    case "diarize": {
      const audio = makeSound(random);
      return { task, items: "seconds of sound", perCall: soundSeconds, call: run(task, () => ({ audio })) };
    }
    default:
      return pictureWork(task as PictureTask, options);
  }
}

/** The outputs that both sides give: the first one, which is the result; exporters add what only training wants to see. */
export function outputsOf({ signature }: Pick<ModelInfo, "signature">): readonly string[] {
  return signature?.outputs.slice(0, 1).map(({ name }) => name) ?? [];
}

/** The same tensors that the raw engine gets. */
export function inferWork(options: WorkOptions, inputs: readonly Tensors[]): Work {
  const outputs = outputsOf(options.info);
  const makeInput = (index: number): Tasks["infer"]["request"] => ({
    inputs: inputs[index % inputs.length] ?? {},
    ...(outputs.length > 0 && { outputs }),
  });
  return { task: "infer", items: "runs", perCall: 1, call: performing(options, "infer", makeInput) };
}

type PictureTask =
  | "embed-image"
  | "detect"
  | "segment"
  | "depth"
  | "pose"
  | "ocr"
  | "caption"
  | "remove-background"
  | "upscale";

function pictureWork(task: PictureTask, options: WorkOptions): Work {
  const image = makePicture(options.random);
  const labels = options.info.metadata["kind"] === "detect-words" ? { labels: wishes } : {};
  const call =
    task === "embed-image"
      ? performing(options, task, () => ({ images: [image] }))
      : task === "detect"
        ? performing(options, task, () => ({ image, ...labels }))
        : performing(options, task, () => ({ image }));
  return { task, items: "pictures", perCall: 1, call };
}

/** Labels for models that have none of their own. */
const wishes = ["a cat", "a ship", "a street"];

function classifyWork(options: WorkOptions): Work {
  const { info, random } = options;
  const task = "classify";
  const kind = `${String(info.metadata["kind"] ?? "")} ${info.architecture}`;
  if (/text|bert/i.test(kind)) {
    const texts = makeTexts(textCount, random);
    const makeInput = (index: number): Tasks["classify"]["request"] => ({ texts: [textAt(texts, index)] });
    return { task, items: "texts", perCall: 1, call: performing(options, task, makeInput) };
  }
  if (/sound|audio/i.test(kind)) {
    const sounds = [makeSound(random)];
    const labels = /clap/i.test(info.architecture) ? { labels: wishes } : {};
    const call = performing(options, task, () => ({ sounds, ...labels }));
    return { task, items: "seconds of sound", perCall: soundSeconds, call };
  }
  const images = [makePicture(random)];
  return { task, items: "pictures", perCall: 1, call: performing(options, task, () => ({ images })) };
}

function embedding({ model, random, textTokens }: WorkOptions): Work["call"] {
  const texts = makeTexts(textCount, random, textTokens);
  return async (hearth, index, signal) => {
    await hearth.embed({ model, texts: [textAt(texts, index)], ...(signal && { signal }), keepAliveMs: Infinity });
  };
}

const rerankCount = 8;

function reranking({ model, random }: WorkOptions): Work["call"] {
  const documents = makeTexts(rerankCount, random);
  return async (hearth, _index, signal) => {
    await hearth.rerank({ model, query: sentence, documents, ...(signal && { signal }), keepAliveMs: Infinity });
  };
}

function performing<Name extends TaskName>(
  { model }: WorkOptions,
  task: Name,
  makeInput: (index: number) => Tasks[Name]["request"],
): Work["call"] {
  return async (hearth, index, signal) => {
    await hearth.perform({ task, model, input: makeInput(index), ...(signal && { signal }), keepAliveMs: Infinity });
  };
}

function textAt(texts: readonly string[], index: number): string {
  return texts[index % texts.length] ?? sentence;
}
