/** Reads the figures of an encoder of pictures from the header of its projector file. */
import { booleanOf, failKey, integerOf, numberOf, numbersOf, stringOf } from "../../../formats/gguf/check.ts";
import type { Range } from "../../../formats/gguf/check.ts";
import { printable } from "../../../formats/gguf/malformed.ts";
import type { GgufFile } from "../../../formats/gguf/types.ts";
import type { Activation } from "../graph/graph.ts";
import type { BaseFigures, VisionFamily } from "./family.ts";
import type { VisionFigures } from "./figures.ts";
import { mostPatches } from "./figures.ts";
import { unsupported } from "./refuse.ts";
import { families } from "./table.ts";

/** A row of a step is that wide at most. */
const mostWidth = 2 ** 16;

/**
 * Throws `model_malformed` with {field, offset} for figures that cannot be, and `model_unsupported` for projectors that
 * are not known. Nothing of the tensors is looked at.
 */
export function readFigures(file: GgufFile): { readonly family: VisionFamily; readonly figures: VisionFigures } {
  const family = findFamily(file);
  const base = readBase(file);
  const read = family.read(file, base);
  const figures = { ...base, ...read, ...read.own };
  const { side, merge, feedForward } = figures;
  if (feedForward < 1) failKey(file, key("feed_forward_length"), "is missing");
  if (merge < 1 || side % merge !== 0) {
    failKey(file, key("projector.scale_factor"), `is ${merge}; it must divide the ${side} patches of a side`);
  }
  return { family, figures };
}

const key = (name: string): string => `clip.vision.${name}`;

function findFamily(file: GgufFile): VisionFamily {
  if (booleanOf(file, "clip.has_vision_encoder") === false) {
    throw unsupported(file, "has no encoder of pictures", "clip.has_vision_encoder");
  }
  const field = "clip.projector_type";
  const type = stringOf(file, field) ?? stringOf(file, key("projector_type")) ?? "mlp";
  const family = families.find((one) => one.type === type);
  if (!family) throw unsupported(file, `has the projector type "${printable(type)}"`, field);
  return family;
}

function readBase(file: GgufFile): BaseFigures {
  const integer = (name: string, most: number): number =>
    integerOf(file, key(name), [1, most]) ?? failKey(file, key(name), "is missing");
  const imageSize = integer("image_size", 16_384);
  const patchSize = integer("patch_size", 1024);
  const side = Math.floor(imageSize / patchSize);
  if (side < 1) failKey(file, key("patch_size"), `is ${patchSize}, more than the image size of ${imageSize}`);
  if (side * side > mostPatches) {
    failKey(file, key("image_size"), `is ${imageSize}: that is ${side * side} patches, more than ${mostPatches}`);
  }
  const embedding = integer("embedding_length", mostWidth);
  const heads = integer("attention.head_count", 1024);
  if (embedding % heads !== 0) {
    failKey(file, key("attention.head_count"), `is ${heads}; it must divide the embedding length of ${embedding}`);
  }
  return {
    imageSize,
    patchSize,
    side,
    embedding,
    heads,
    feedForward: integerOf(file, key("feed_forward_length"), [0, 2 ** 18]) ?? 0,
    layers: integerOf(file, key("block_count"), [0, 512]) || countLayers(file),
    epsilon: required(file, key("attention.layer_norm_epsilon"), [0, 1]),
    activation: readActivation(file),
    width: integer("projection_dim", mostWidth),
    mean: readChannels(file, key("image_mean"), [-10, 10]),
    std: readChannels(file, key("image_std"), [1e-3, 1e3]),
  };
}

/** Early files have 0. */
function countLayers(file: GgufFile): number {
  const numbers = file.tensors.map(({ name }) => Number(/^v\.blk\.(\d{1,3})\./.exec(name)?.[1] ?? -1));
  const count = Math.max(-1, ...numbers) + 1;
  if (count < 1) failKey(file, key("block_count"), "is missing, and there are no layers");
  return count;
}

function required(file: GgufFile, name: string, range: Range): number {
  return numberOf(file, name, range) ?? failKey(file, name, "is missing");
}

/** Without a word of it, what CLIP has: x · sigmoid(1.702 x). */
function readActivation(file: GgufFile): Activation {
  const gelu = booleanOf(file, "clip.use_gelu") ?? false;
  const silu = booleanOf(file, "clip.use_silu") ?? false;
  if (gelu && silu) failKey(file, "clip.use_silu", "is set beside clip.use_gelu");
  // The encoders that say so are of the family of SigLIP, whose GELU is the one with tanh.
  return gelu ? "gelu-tanh" : silu ? "silu" : "gelu-quick";
}

function readChannels(file: GgufFile, name: string, [least, most]: Range): readonly number[] {
  const numbers = Array.from<number | bigint, number>(
    numbersOf(file, name) ?? failKey(file, name, "is missing"),
    Number,
  );
  if (numbers.length !== 3) failKey(file, name, `has ${numbers.length} elements; it must have 3`);
  for (const number of numbers) {
    if (!(number >= least && number <= most))
      failKey(file, name, `holds ${number}; it must be from ${least} to ${most}`);
  }
  return numbers;
}
