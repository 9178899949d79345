/** A picture as the input of a model. */
import type { PictureInput, TfliteKind } from "../../formats/tflite/kind.ts";
import type { TfliteMetadata } from "../../formats/tflite/metadata.ts";
import type { Tensor } from "../../spec/media.ts";
import type { Picture } from "../media/image.ts";
import type { Normalization } from "../media/pixels.ts";
import { normalizePixels, opaquePixels } from "../media/pixels.ts";

const toOne: Normalization = { mean: [0], std: [255] };
const aroundZero: Normalization = { mean: [127.5], std: [127.5] };
const plain: Normalization = { mean: [0], std: [1] };

/** What the models of a kind were trained with, where the file says nothing. */
const usual: Readonly<Record<TfliteKind, Normalization>> = {
  detector: aroundZero,
  "face-detector": aroundZero,
  "palm-detector": toOne,
  "person-detector": aroundZero,
  hand: toOne,
  body: toOne,
  movenet: plain,
  segmenter: aroundZero,
  classifier: aroundZero,
  other: aroundZero,
};

export interface Feed {
  readonly input: PictureInput;
  readonly normalization: Normalization;
}

export function normalizationOf(kind: TfliteKind, metadata: TfliteMetadata | undefined, planes: number): Normalization {
  // A single plane: MediaPipe's, which take pixels from 0 to 1 as the rest of them.
  if (kind === "segmenter" && planes === 1) return metadata?.inputs[0]?.normalization ?? toOne;
  return metadata?.inputs[0]?.normalization ?? usual[kind];
}

/** The picture has the size of the input. Models of 8 bits take its pixels as they are, or less 128. */
export function feedPicture(picture: Picture, { input, normalization }: Feed): Tensor {
  const { type, shape } = input.tensor;
  if (type === "uint8") return { type, shape, data: planes(opaquePixels(picture), input) };
  if (type === "int8")
    return { type, shape, data: Int8Array.from(planes(opaquePixels(picture), input), (pixel) => pixel - 128) };
  if (type === "int32") return { type, shape, data: Int32Array.from(planes(opaquePixels(picture), input)) };
  return { type: "float32", shape, data: normalizePixels(picture, { ...normalization, layout: input.layout }) };
}

function planes(pixels: Uint8Array, { layout, width, height }: PictureInput): Uint8Array {
  if (layout === "nhwc") return pixels;
  const count = width * height;
  return Uint8Array.from(
    { length: count * 3 },
    (_, index) => pixels[(index % count) * 3 + Math.floor(index / count)] ?? 0,
  );
}
