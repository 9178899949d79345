/** Pictures → rows for a language model, with the text that each family puts around them. */
import { createHash } from "node:crypto";
import { HearthError } from "../../../error.ts";
import { isNumberType } from "../../../formats/tensor.ts";
import type { Tensor, TensorNumbers } from "../../../formats/tensor.ts";
import type { ImageInput } from "../../../spec/media.ts";
import { floatToHalf } from "../../../util/half.ts";
import type { OnnxContext } from "../context.ts";
import { toRawImage } from "../pipeline.ts";
import type { OnnxSession, Port } from "../session.ts";
import type { ImageProcessor, TransformersTensor } from "../transformers.ts";
import type { Floats } from "../values.ts";
import { toFloats } from "../values.ts";
import type { EncodedPicture, PicturePiece } from "./prompt.ts";

/** What a tenant has sent is remembered for that tenant alone. */
export type EncodePicture = (image: ImageInput, tenant?: string) => Promise<EncodedPicture>;

/** What a processor of transformers.js says of one picture besides its pixels. */
interface Processed {
  readonly tensors: Readonly<Record<string, TransformersTensor>>;
  /** Parts that the picture was cut into, down and along; 0: it is whole. */
  readonly parts: { readonly down: number; readonly along: number };
}

type Frame = (processed: Processed, features: Floats, context: OnnxContext) => Pick<EncodedPicture, "pieces" | "grid">;

/**
 * `model_type` → how its pictures stand in a prompt. All ran against torch but `smolvlm` and `qwen2_5_vl`, whose prompts
 * are those of the name before.
 */
const families: Readonly<Record<string, Frame>> = {
  idefics3: frameSplit,
  smolvlm: frameSplit,
  llava: frameWhole,
  moondream1: frameWhole,
  qwen2_vl: frameGrid,
  qwen2_5_vl: frameGrid,
};

export async function openPictureEncoder(context: OnnxContext, session: OnnxSession): Promise<EncodePicture> {
  const { architecture } = context.info;
  const frame = families[architecture];
  if (!frame) {
    throw new HearthError(
      "model_unsupported",
      `How pictures stand in prompts of "${architecture}" is not known here.`,
      {
        hint: `The families are ${Object.keys(families).join(", ")}.`,
      },
    );
  }
  const { AutoImageProcessor } = await context.transformers();
  const processor = await AutoImageProcessor.from_pretrained(context.folder, { local_files_only: true });
  return remember(async (image) => {
    const processed = await preprocess(processor, context, image);
    const feeds = Object.fromEntries(session.inputs.map((port) => [port.name, feedOf(port, processed)]));
    const found = await session.run(feeds);
    const tensor = found["image_features"] ?? Object.values(found)[0];
    if (!tensor) throw new HearthError("model_unsupported", "The encoder of pictures gives nothing.");
    const floats = toFloats(tensor);
    const width = floats.shape.at(-1) ?? 1;
    const features = { data: floats.data, shape: [floats.data.length / width, width] };
    return { ...frame(processed, features, context), features };
  });
}

/** Pictures that are kept as rows: a conversation sends them again with every turn. */
const mostKept = 16;

/** Pictures with equal bytes are encoded once, and have the number of the first. */
function remember(encode: (image: ImageInput) => Promise<Omit<EncodedPicture, "serial">>): EncodePicture {
  const known = new Map<string, EncodedPicture>();
  let serial = 0;
  return async (image, tenant = "") => {
    const key = `${createHash("sha256").update(image.bytes).digest("hex")} ${tenant}`;
    const found = known.get(key) ?? { ...(await encode(image)), serial: ++serial };
    known.delete(key);
    known.set(key, found);
    for (const oldest of known.keys()) {
      if (known.size <= mostKept) break;
      known.delete(oldest);
    }
    return found;
  };
}

async function preprocess(processor: ImageProcessor, context: OnnxContext, image: ImageInput): Promise<Processed> {
  const found = await processor([await toRawImage(context, image)], { return_row_col_info: true });
  const tensors = Object.entries(found).flatMap(([name, value]) => (isTensor(value) ? [[name, value] as const] : []));
  const part = (name: string): number => {
    const value: unknown = (found[name] as readonly (readonly unknown[])[] | undefined)?.[0]?.[0];
    return typeof value === "number" ? value : 0;
  };
  return { tensors: Object.fromEntries(tensors), parts: { down: part("rows"), along: part("cols") } };
}

function isTensor(value: unknown): value is TransformersTensor {
  return typeof value === "object" && value !== null && "dims" in value && "type" in value && "data" in value;
}

/** Names of inputs that exporters and processors disagree on. */
const aliases: Readonly<Record<string, string>> = { grid_thw: "image_grid_thw" };

function feedOf({ name, type }: Port, { tensors }: Processed): Tensor {
  const tensor = tensors[name] ?? tensors[aliases[name] ?? ""];
  if (!tensor || !isNumberType(tensor.type)) {
    throw new HearthError("model_unsupported", `The encoder of pictures has an input "${name}" that nothing fills.`);
  }
  const data = tensor.data as TensorNumbers;
  if (type !== "float16" || !(data instanceof Float32Array)) return { type: tensor.type, shape: tensor.dims, data };
  return { type: "float16", shape: tensor.dims, data: Uint16Array.from(data, floatToHalf) };
}

/** Idefics3 and SmolVLM: each part with its place, then the whole picture (https://arxiv.org/abs/2408.12637, 3). */
function frameSplit({ parts: { down, along } }: Processed, { shape }: Floats): Pick<EncodedPicture, "pieces"> {
  const rows = (shape[0] ?? 0) / (down * along + 1);
  const fake = "<fake_token_around_image>";
  const pieces: PicturePiece[] = [];
  for (let row = 1; row <= down; row++) {
    for (let column = 1; column <= along; column++)
      pieces.push({ text: `${fake}<row_${row}_col_${column}>` }, { rows });
    pieces.push({ text: "\n" });
  }
  const whole = `${down > 0 ? "\n" : ""}${fake}<global-img>`;
  return { pieces: [...pieces, { text: whole }, { rows }, { text: fake }] };
}

/** LLaVA and Moondream: rows alone. */
function frameWhole(_: Processed, { shape }: Floats): Pick<EncodedPicture, "pieces"> {
  return { pieces: [{ rows: shape[0] ?? 0 }] };
}

/** Qwen2-VL: rows between two marks, `merge` × `merge` patches in each. */
function frameGrid(
  { tensors }: Processed,
  { shape }: Floats,
  context: OnnxContext,
): Pick<EncodedPicture, "pieces" | "grid"> {
  const data = tensors["image_grid_thw"]?.data;
  const sizes = data instanceof BigInt64Array ? Array.from(data, Number) : [];
  const merge = Number(context.config("preprocessor_config.json")?.["merge_size"] ?? 2);
  const [, height = 0, width = 0] = sizes;
  return {
    pieces: [{ text: "<|vision_start|>" }, { rows: shape[0] ?? 0 }, { text: "<|vision_end|>" }],
    grid: { height: height / merge, width: width / merge },
  };
}
