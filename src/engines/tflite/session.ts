/** One model in LiteRT. */
import { HearthError } from "../../error.ts";
import { numberTypes } from "../../formats/tensor.ts";
import { pictureInput, portsOf, signatureOf } from "../../formats/tflite/kind.ts";
import type { PictureInput } from "../../formats/tflite/kind.ts";
import type { TfliteModel, TfliteTensor } from "../../formats/tflite/types.ts";
import type { Tensor } from "../../spec/media.ts";
import type { Signature } from "../../spec/perform.ts";
import type { CutModel } from "./cut.ts";
import { cutPostProcess } from "./cut.ts";
import type { Accelerator, LiteRt, LiteRtModel, LiteRtRunner, LiteRtTensor } from "./litert.ts";
import { postProcess } from "./postprocess.ts";
import { toFloats } from "./values.ts";
import type { Quantization } from "./values.ts";

export type Tensors = Readonly<Record<string, Tensor>>;

export interface TfliteSession {
  readonly model: TfliteModel;
  readonly signature: Signature;
  /** Of the first input, where that is a picture. */
  readonly picture: PictureInput | undefined;
  /** By their names; a model need not have any. */
  readonly signatures: ReadonlyMap<string, Signature>;
  /** Inputs that are checked. Throws `engine_failed`. */
  run(inputs: Tensors, key?: string): Promise<Tensors>;
  dispose(): void;
}

export interface SessionOptions {
  readonly litert: LiteRt;
  readonly model: TfliteModel;
  /** Of the file that `model` was read from. Edited in place. */
  readonly bytes: Uint8Array;
  readonly accelerator: Accelerator;
}

/** Throws `engine_load_failed` where LiteRT does not take the model, `model_unsupported` for types it has no arrays for. */
export async function createSession({ litert, model, bytes, accelerator }: SessionOptions): Promise<TfliteSession> {
  const signature = signatureOf(model);
  if (!signature) {
    throw new HearthError(
      "model_unsupported",
      `${model.name} has inputs or outputs of types that cannot go in or out.`,
    );
  }
  const cut = cutPostProcess(model, bytes);
  const compiled = await compile(litert, cut?.bytes ?? bytes, { accelerator, model });
  if (compiled.options.accelerator !== accelerator) {
    compiled.delete();
    throw new HearthError("engine_load_failed", `Not all operators of ${model.name} run on ${accelerator}.`);
  }
  const signatures = new Map(cut ? [] : model.signatures.flatMap(({ key }) => namedSignature(model, key)));
  const [first] = signatures.keys();
  return {
    model,
    signature,
    picture: model.subgraphs[0] && pictureInput(model.subgraphs[0]),
    signatures,
    async run(inputs, key) {
      const runner = runnerOf(compiled, key ?? first);
      const names = (signatures.get(key ?? "") ?? signature).inputs;
      try {
        const results = await runRunner(litert, runner, { inputs, names });
        return cut ? finish(cut, results, signature) : nameResults(results, { runner, model, key });
      } catch (error) {
        if (error instanceof HearthError) throw error;
        throw new HearthError("engine_failed", `LiteRT could not run the model: ${textOf(error)}`, {
          hint: "Check the shapes and types of the inputs.",
          cause: error,
        });
      }
    },
    dispose: () => compiled.delete(),
  };
}

function namedSignature(model: TfliteModel, key: string): [string, Signature][] {
  const signature = signatureOf(model, key);
  return signature ? [[key, signature]] : [];
}

interface CompileOptions {
  readonly accelerator: Accelerator;
  readonly model: TfliteModel;
}

async function compile(
  litert: LiteRt,
  bytes: Uint8Array,
  { accelerator, model }: CompileOptions,
): Promise<LiteRtModel> {
  try {
    return await litert.loadAndCompile(bytes, { accelerator });
  } catch (error) {
    const custom = model.customOperators;
    throw new HearthError("engine_load_failed", `LiteRT does not load ${model.name}: ${textOf(error)}`, {
      hint:
        custom.length > 0
          ? `It has operators of its own (${custom.join(", ")}), which may not be part of LiteRT.`
          : "It may need a newer version.",
      cause: error,
    });
  }
}

function runnerOf(compiled: LiteRtModel, key: string | undefined): LiteRtRunner {
  const runners = Object.values(compiled.signatures);
  const runner = runners.find((candidate) => candidate.key === key) ?? runners[0];
  if (!runner) throw new HearthError("engine_failed", "LiteRT has nothing to run in this model.");
  return runner;
}

interface RunOptions {
  readonly inputs: Tensors;
  /** Of the inputs, in the order of the file. */
  readonly names: readonly { readonly name: string }[];
}

async function runRunner(litert: LiteRt, runner: LiteRtRunner, { inputs, names }: RunOptions): Promise<Tensor[]> {
  const given: LiteRtTensor[] = [];
  let results: readonly LiteRtTensor[] = [];
  try {
    for (const [index, { name }] of runner.getInputDetails().entries()) {
      const tensor = inputs[name] ?? inputs[names[index]?.name ?? ""];
      if (!tensor || Array.isArray(tensor.data)) throw new Error(`the input ${name} is missing`);
      given.push(new litert.Tensor(tensor.data as ArrayBufferView, [...tensor.shape]));
    }
    results = await runner.run(given);
    return await Promise.all(results.map(fromLiteRt));
  } finally {
    for (const tensor of [...given, ...results]) tensor.delete();
  }
}

async function fromLiteRt(tensor: LiteRtTensor): Promise<Tensor> {
  const { dtype, layout } = tensor.type;
  const view = await tensor.data();
  if (!(dtype in numberTypes)) throw new Error(`an output has the type ${dtype}`);
  const type = dtype as keyof typeof numberTypes;
  const create = numberTypes[type];
  const data = new create(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength / create.BYTES_PER_ELEMENT);
  return { type, shape: Array.from(layout.dimensions), data };
}

interface Results {
  readonly runner: LiteRtRunner;
  readonly model: TfliteModel;
  readonly key: string | undefined;
}

/** LiteRT names outputs as the signature does, and without one as their tensors. */
function nameResults(results: readonly Tensor[], { runner, model, key }: Results): Tensors {
  const ports = portsOf(model, key)?.outputs ?? [];
  const details = runner.getOutputDetails();
  const named: [string, Tensor][] = results.map((result, index) => {
    const name = details[index]?.name ?? "";
    const port = ports.find((candidate) => candidate.name === name) ?? ports[index];
    // Flags come back as bytes.
    const isFlag = port?.tensor.type === "bool" && result.type === "uint8";
    return [port?.name ?? name, isFlag ? { ...result, type: "bool" } : result];
  });
  return Object.fromEntries(named);
}

/** The four outputs that the model would have had. */
function finish(cut: CutModel, results: readonly Tensor[], { outputs }: Signature): Tensors {
  const [boxes, scores] = results;
  if (!boxes || !scores) throw new Error("the outputs are missing");
  const found = postProcess(
    toFloats(boxes, quantizationOf(cut.boxes)).data,
    toFloats(scores, quantizationOf(cut.scores)).data,
    cut.processing,
  );
  const rows = found.scores.length;
  const four: readonly Tensor[] = [
    { type: "float32", shape: [1, rows, 4], data: found.boxes },
    { type: "float32", shape: [1, rows], data: found.classes },
    { type: "float32", shape: [1, rows], data: found.scores },
    { type: "float32", shape: [1], data: Float32Array.of(found.count) },
  ];
  return Object.fromEntries(
    cut.order.flatMap((place, index) => {
      const [name, tensor] = [outputs[place]?.name, four[index]];
      return name !== undefined && tensor ? [[name, tensor] as const] : [];
    }),
  );
}

function quantizationOf({ quantization }: TfliteTensor): Quantization | undefined {
  const [scale] = quantization?.scales ?? [];
  return scale === undefined || scale === 0 ? undefined : { scale, zeroPoint: quantization?.zeroPoints[0] ?? 0 };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message.trim() : String(error);
}
