/** What a model is for, by its inputs, outputs and operators. */
import type { TensorInfo } from "../../spec/media.ts";
import type { Signature, TaskName } from "../../spec/perform.ts";
import type { TfliteMetadata } from "./metadata.ts";
import { isOwnType } from "./types.ts";
import type { TfliteModel, TfliteOperator, TfliteSubgraph, TfliteTensor } from "./types.ts";

export const tfliteKinds = [
  /** Boxes by `TFLite_Detection_PostProcess`: SSD, EfficientDet. */
  "detector",
  /** MediaPipe's detectors: boxes with a few points each. */
  "face-detector",
  "palm-detector",
  "person-detector",
  /** MediaPipe's joints of a hand or a body that fills the picture. */
  "hand",
  "body",
  /** 17 joints of one or several people in a picture. */
  "movenet",
  "segmenter",
  "classifier",
  "other",
] as const;
export type TfliteKind = (typeof tfliteKinds)[number];

const tasks: Readonly<Record<TfliteKind, readonly TaskName[]>> = {
  detector: ["detect"],
  "face-detector": ["detect", "pose"],
  "palm-detector": ["detect", "pose"],
  "person-detector": ["detect", "pose"],
  hand: ["pose"],
  body: ["pose"],
  movenet: ["pose"],
  segmenter: ["segment"],
  classifier: ["classify"],
  other: [],
};

/** Kinds that work together: one finds what the other looks at closely. */
export const partnerKinds: Readonly<Partial<Record<TfliteKind, TfliteKind>>> = {
  "palm-detector": "hand",
  hand: "palm-detector",
  "person-detector": "body",
  body: "person-detector",
};

export function tasksOf(kind: TfliteKind): readonly TaskName[] {
  return [...tasks[kind], "infer"];
}

export const postProcessName = "TFLite_Detection_PostProcess";
const operatorCodes = { logistic: 14, softmax: 25, dequantize: 6, quantize: 114, reshape: 22, argMax: 56 } as const;
/** Classes of ImageNet, with and without one for the background. */
const imageNet: ReadonlySet<number> = new Set([1000, 1001]);

export function kindOfTflite(model: TfliteModel, metadata?: TfliteMetadata): TfliteKind {
  const [graph] = model.subgraphs;
  if (!graph) return "other";
  const outputs = tensorsOf(graph, graph.outputs);
  const sizes = outputs.map(({ shape }) => shape.join("×"));
  if (postProcessOf(graph)) return "detector";
  const input = pictureInput(graph);
  if (!input || graph.inputs.length !== 1) return "other";
  const anchored = sizes.map((size) => /^1×(\d+)×(\d+)$/.exec(size)?.slice(1).map(Number) ?? []);
  const widths = anchored
    .map(([, width]) => width)
    .toSorted((a = 0, b = 0) => a - b)
    .join(" ");
  if (widths === "1 16") return "face-detector";
  if (widths === "1 18") return "palm-detector";
  if (widths === "1 12") return "person-detector";
  if (sizes.filter((size) => size === "1×63").length === 2) return "hand";
  if (sizes.includes("1×195") && sizes.includes("1×117")) return "body";
  if (sizes.length === 1 && /^1×(1×17×3|\d+×56)$/.test(sizes[0] ?? "")) return "movenet";
  const [output] = outputs;
  if (outputs.length !== 1 || !output) return "other";
  if (isSegmentation(graph, output, input)) return "segmenter";
  return isClassification(graph, output, metadata) ? "classifier" : "other";
}

/** The operator that turns boxes and scores into objects, where it is the last one. */
export function postProcessOf({ operators, outputs }: TfliteSubgraph): TfliteOperator | undefined {
  const last = operators.at(-1);
  if (last?.custom !== postProcessName || last.inputs.length < 3 || last.outputs.length < 4) return undefined;
  return outputs.every((output) => last.outputs.includes(output)) ? last : undefined;
}

/** The only input, when it is one picture of three channels. */
export interface PictureInput {
  readonly tensor: TfliteTensor;
  readonly width: number;
  readonly height: number;
  readonly layout: "nhwc" | "nchw";
}

export function pictureInput(graph: TfliteSubgraph): PictureInput | undefined {
  const [tensor] = tensorsOf(graph, graph.inputs);
  const [batch, first = 0, second = 0, third = 0] = tensor?.shape ?? [];
  if (
    !tensor ||
    tensor.shape.length !== 4 ||
    batch !== 1 ||
    !["float32", "uint8", "int8", "int32"].includes(tensor.type)
  ) {
    return undefined;
  }
  if (third === 3) return { tensor, height: first, width: second, layout: "nhwc" };
  return first === 3 ? { tensor, height: second, width: third, layout: "nchw" } : undefined;
}

/** A plane for each class, of at most the size of the picture; one plane alone must be a probability. */
function isSegmentation(graph: TfliteSubgraph, { shape, name }: TfliteTensor, input: PictureInput): boolean {
  const last = lastOperator(graph)?.code;
  const [batch, height = 0, width = 0, channels = 1] = shape;
  if (batch !== 1 || height < 16 || width < 16 || height > input.height || width > input.width) return false;
  if (shape.length === 3) return last === operatorCodes.argMax;
  if (shape.length !== 4 || channels === 3) return false;
  return channels > 1 || last === operatorCodes.logistic || /segment|mask/i.test(name);
}

/** A probability for each of several classes. */
function isClassification(
  graph: TfliteSubgraph,
  { shape }: TfliteTensor,
  metadata: TfliteMetadata | undefined,
): boolean {
  const count = shape.reduce((product, size) => product * size, 1);
  if (count < 2 || shape.at(-1) !== count) return false;
  const labels = metadata?.outputs[0]?.labels?.length;
  return imageNet.has(count) || labels === count || lastOperator(graph)?.code === operatorCodes.softmax;
}

/** The last operator that computes something. */
function lastOperator({ operators }: TfliteSubgraph): TfliteOperator | undefined {
  const { dequantize, quantize, reshape } = operatorCodes;
  return operators.findLast(({ code }) => code !== dequantize && code !== quantize && code !== reshape);
}

export function tensorsOf({ tensors }: TfliteSubgraph, indices: readonly number[]): TfliteTensor[] {
  return indices.flatMap((index) => tensors[index] ?? []);
}

/**
 * Inputs and outputs by the names of the first signature, or of the tensors where there is none. Undefined: the model has
 * some of a type that cannot go in or out.
 */
export function signatureOf(model: TfliteModel, key?: string): Signature | undefined {
  const ports = portsOf(model, key);
  const inputs = ports?.inputs.map(infoOf);
  const outputs = ports?.outputs.map(infoOf);
  if (!inputs || !outputs) return undefined;
  const known = (info: TensorInfo | undefined): info is TensorInfo => info !== undefined;
  return inputs.every(known) && outputs.every(known) ? { inputs, outputs } : undefined;
}

interface Port {
  readonly name: string;
  readonly tensor: TfliteTensor;
}

/** Undefined: there is no signature of this name. */
export function portsOf(model: TfliteModel, key?: string): { inputs: Port[]; outputs: Port[] } | undefined {
  const { signatures, subgraphs } = model;
  const signature = key === undefined ? signatures[0] : signatures.find((candidate) => candidate.key === key);
  if (key !== undefined && !signature) return undefined;
  const graph = subgraphs[signature?.subgraph ?? 0];
  if (!graph) return undefined;
  const named = (index: number, name?: string): Port[] => {
    const tensor = graph.tensors[index];
    return tensor ? [{ name: name ?? (tensor.name || `tensor ${index}`), tensor }] : [];
  };
  if (!signature) {
    return {
      inputs: graph.inputs.flatMap((index) => named(index)),
      outputs: graph.outputs.flatMap((index) => named(index)),
    };
  }
  return {
    inputs: signature.inputs.flatMap(({ name, tensor }) => named(tensor, name)),
    outputs: signature.outputs.flatMap(({ name, tensor }) => named(tensor, name)),
  };
}

function infoOf({ name, tensor }: Port): TensorInfo | undefined {
  const { type, signature, quantization } = tensor;
  if (!isOwnType(type)) return undefined;
  const [scale] = quantization?.scales ?? [];
  const zeroPoint = quantization?.zeroPoints[0] ?? 0;
  const isQuantized = scale !== undefined && scale !== 0 && quantization?.scales.length === 1 && type !== "float32";
  return { name, type, shape: signature, ...(isQuantized && { quantization: { scale, zeroPoint } }) };
}
