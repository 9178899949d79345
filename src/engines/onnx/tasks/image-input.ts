/** The picture that a model of vision takes: its size and how pixels become numbers. */
import type { Tensor } from "../../../formats/tensor.ts";
import { floatToHalf } from "../../../util/half.ts";
import type { Picture } from "../../media/image.ts";
import { normalizePixels } from "../../media/pixels.ts";
import type { Config } from "../files.ts";
import { isConfig } from "../files.ts";
import type { Port } from "../session.ts";

/** Of pixels from 0 to 1. */
export interface Scaling {
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** Blue first, as models of OpenCV's users have it. */
  readonly bgr?: boolean;
}

/** Mean and deviation of the pictures of ImageNet. */
export const imagenet: Scaling = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
export const unit: Scaling = { mean: [0], std: [1] };

/** [1, 3, height, width] of the type that the input has. */
export function toImageTensor(picture: Picture, { mean, std, bgr = false }: Scaling, port: Port): Tensor {
  const times = (values: readonly number[]): number[] => values.map((value) => value * 255);
  const ordered = bgr ? swapped(picture) : picture;
  const data = normalizePixels(ordered, { mean: times(mean), std: times(std), layout: "nchw" });
  const shape = [1, 3, picture.height, picture.width];
  if (port.type !== "float16") return { type: "float32", shape, data };
  return { type: "float16", shape, data: Uint16Array.from(data, floatToHalf) };
}

function swapped(picture: Picture): Picture {
  const data = Uint8Array.from(picture.data);
  for (let at = 0; at < data.length; at += picture.channels) {
    [data[at], data[at + 2]] = [picture.data[at + 2] ?? 0, picture.data[at] ?? 0];
  }
  return { ...picture, data };
}

/** What `preprocessor_config.json` says of the pixels. */
export function scalingOf(config: Config | undefined, fallback: Scaling): Scaling {
  if (!config || config["do_normalize"] === false) return config ? unit : fallback;
  const [mean, std] = [numbers(config["image_mean"]), numbers(config["image_std"])];
  return mean && std ? { mean, std } : fallback;
}

function numbers(value: unknown): number[] | undefined {
  return Array.isArray(value) && value.every((one): one is number => typeof one === "number") ? value : undefined;
}

/** Size that a port with fixed sides takes: [.., 3, height, width]; undefined: any. */
export function fixedSize({ shape }: Port): { readonly width: number; readonly height: number } | undefined {
  const [, , height, width] = shape;
  return typeof height === "number" && typeof width === "number" && height > 1 && width > 1
    ? { width, height }
    : undefined;
}

/** Size in `preprocessor_config.json`: a number, or {height, width}, or {shortest_edge}. */
export function configSize(
  config: Config | undefined,
): { readonly width: number; readonly height: number } | undefined {
  const size = config?.["size"];
  if (typeof size === "number") return { width: size, height: size };
  if (!isConfig(size)) return undefined;
  const [width, height, edge] = [size["width"], size["height"], size["shortest_edge"]];
  if (typeof width === "number" && typeof height === "number") return { width, height };
  return typeof edge === "number" ? { width: edge, height: edge } : undefined;
}
