/**
 * LiteRT gives outputs the size that the file says, and the file does not say that of what
 * `TFLite_Detection_PostProcess` finds: one number of each output came back. So the graph ends before that operator,
 * and `postprocess.ts` does its work.
 */
import { postProcessOf } from "../../formats/tflite/kind.ts";
import { readFlexMap } from "../../formats/tflite/flexbuffer.ts";
import type { ByteRange } from "../../formats/tflite/table.ts";
import type { TfliteModel, TfliteTensor } from "../../formats/tflite/types.ts";
import type { PostProcessing } from "./postprocess.ts";

export interface CutModel {
  /** Gives the operator's first two inputs instead of its outputs, and has no signatures. */
  readonly bytes: Uint8Array;
  readonly boxes: TfliteTensor;
  readonly scores: TfliteTensor;
  /** Numbers of the four outputs among those of the model: boxes, classes, scores, count. */
  readonly order: readonly number[];
  readonly processing: PostProcessing;
}

/** Edits `bytes`, which are those of the model. Undefined: there is nothing to cut, or it is not understood. */
export function cutPostProcess(model: TfliteModel, bytes: Uint8Array): CutModel | undefined {
  const [graph] = model.subgraphs;
  const operator = graph && postProcessOf(graph);
  const outputs = graph?.places.outputs;
  const operators = graph?.places.operators;
  if (!operator?.customOptions || !outputs || !operators || outputs.length < 8) return undefined;
  const [boxes, scores, anchors] = operator.inputs.map((index) => graph?.tensors[index]);
  const anchorData = anchors && model.buffers[anchors.buffer];
  const options = readFlexMap(slice(bytes, operator.customOptions));
  if (!boxes || !scores || !anchors || !anchorData || !options) return undefined;
  const anchorFloats = toFloats(anchors, slice(bytes, anchorData));
  if (!anchorFloats || anchorFloats.length % 4 !== 0) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(operators.offset - 4, operators.length / 4 - 1, true);
  view.setUint32(outputs.offset - 4, 2, true);
  for (const [place, index] of operator.inputs.slice(0, 2).entries())
    view.setInt32(outputs.offset + place * 4, index, true);
  const { signatures } = model.places;
  if (signatures) view.setUint32(signatures.offset - 4, 0, true);
  const order = operator.outputs.slice(0, 4).map((index) => graph?.outputs.indexOf(index) ?? -1);
  return { bytes, boxes, scores, order, processing: { options, anchors: anchorFloats } };
}

/** Anchors are constant; in quantized models they are codes too. */
function toFloats({ type, quantization }: TfliteTensor, bytes: Uint8Array): Float32Array | undefined {
  if (type === "float32") return new Float32Array(bytes.slice().buffer);
  const codes = type === "uint8" ? bytes : type === "int8" ? new Int8Array(bytes.slice().buffer) : undefined;
  const scale = quantization?.scales[0] ?? 1;
  const zeroPoint = quantization?.zeroPoints[0] ?? 0;
  return codes && Float32Array.from(codes, (code) => scale * (code - zeroPoint));
}

function slice(bytes: Uint8Array, { offset, length }: ByteRange): Uint8Array {
  return bytes.subarray(offset, offset + length);
}
