/** From pictures to the numbers that models take. */
import type { Picture, Pictures, Size } from "./image.ts";

/** Where a picture lies in what a model sees: model = picture · scale + offset, in pixels. */
export interface Placement {
  readonly scaleX: number;
  readonly scaleY: number;
  readonly left: number;
  readonly top: number;
}

export interface FitOptions extends Size {
  /** `contain` keeps the proportions and fills the rest with one color. */
  readonly fit: "stretch" | "contain";
  /** Where a picture that does not fill everything lies. Default `middle`. */
  readonly at?: "middle" | "corner";
  /** 0 to 255 of all channels. Default 0. */
  readonly fill?: number;
}

/** Brings a picture to the size that a model takes. */
export async function fitPicture(
  pictures: Pictures,
  picture: Picture,
  { width, height, fit, at = "middle", fill = 0 }: FitOptions,
): Promise<{ readonly picture: Picture; readonly placement: Placement }> {
  if (fit === "stretch") {
    const placement = { scaleX: width / picture.width, scaleY: height / picture.height, left: 0, top: 0 };
    return { picture: await pictures.resize(picture, { width, height }), placement };
  }
  const scale = Math.min(width / picture.width, height / picture.height);
  const inner = {
    width: Math.min(width, Math.max(1, Math.round(picture.width * scale))),
    height: Math.min(height, Math.max(1, Math.round(picture.height * scale))),
  };
  const left = at === "corner" ? 0 : Math.floor((width - inner.width) / 2);
  const top = at === "corner" ? 0 : Math.floor((height - inner.height) / 2);
  const small = await pictures.resize(picture, inner);
  const data = new Uint8Array(width * height * picture.channels).fill(fill);
  const rowBytes = inner.width * picture.channels;
  for (let y = 0; y < inner.height; y++) {
    data.set(small.data.subarray(y * rowBytes, (y + 1) * rowBytes), ((top + y) * width + left) * picture.channels);
  }
  const placement = { scaleX: inner.width / picture.width, scaleY: inner.height / picture.height, left, top };
  return { picture: { width, height, channels: picture.channels, data }, placement };
}

export interface Normalization {
  /** Of pixels from 0 to 255, one for each channel or one for all. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** (pixel - mean) / std of three channels, side by side (`nhwc`) or one plane after the other (`nchw`). */
export function normalizePixels(
  { width, height, channels, data }: Picture,
  { mean, std, layout }: Normalization & { readonly layout: "nhwc" | "nchw" },
): Float32Array {
  const pixels = width * height;
  const values = new Float32Array(pixels * 3);
  const step = layout === "nhwc" ? 3 : 1;
  for (let channel = 0; channel < 3; channel++) {
    const table = normalized(mean[channel] ?? mean[0] ?? 0, std[channel] ?? std[0] ?? 1);
    let to = layout === "nhwc" ? channel : channel * pixels;
    for (let from = channel, end = pixels * channels; from < end; from += channels, to += step) {
      values[to] = table[data[from] ?? 0] ?? 0;
    }
  }
  return values;
}

function normalized(mean: number, std: number): Float32Array {
  return Float32Array.from({ length: 256 }, (_, pixel) => (pixel - mean) / std);
}

/** Three channels of a picture that may have four. */
export function opaquePixels({ channels, data }: Picture): Uint8Array {
  return channels === 3 ? data : data.filter((_, index) => index % 4 !== 3);
}
