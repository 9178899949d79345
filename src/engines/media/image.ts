/** Pictures in and out, through sharp. It is native code, so it is loaded in the child processes of engines only. */
import { HearthError } from "../../error.ts";
import type { ImageInput, ImageOutput } from "../../spec/media.ts";
import type { Sharp, SharpLayer, SharpPipeline } from "./sharp.ts";
import { sniffPicture } from "./sniff.ts";

/** Pixels row by row from the top left, with channels side by side, 8 bits each, in sRGB. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly channels: 3 | 4;
  readonly data: Uint8Array;
}

export interface PictureLimits {
  readonly bytes: number;
  readonly pixels: number;
}

/** More than any camera that is sold gives in one file, and 200 MB once it is decoded. */
const defaultLimits: PictureLimits = { bytes: 64 * 1024 ** 2, pixels: 64 * 1024 ** 2 };

export interface DecodeOptions {
  /** Keep how opaque each pixel is as a fourth channel; else transparent pictures are put on white. */
  readonly alpha?: boolean;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Pictures {
  /**
   * Decodes a picture and turns it as its EXIF data says. CMYK, gray and 16-bit pictures become sRGB of 8 bits; of an
   * animation the first frame counts. Throws `bad_request` for what cannot be decoded, is cut off, or is too large.
   */
  decode(input: ImageInput, options?: DecodeOptions): Promise<Picture>;
  /** Stretches to a size; shrinking averages over the pixels that become one. */
  resize(picture: Picture, size: Size): Promise<Picture>;
  encode(picture: Picture, layers?: readonly SharpLayer[]): Promise<ImageOutput>;
  /** One channel of 8 bits, stretched smoothly. */
  resizeMask(mask: Size & { readonly data: Uint8Array }, size: Size): Promise<Uint8Array>;
}

/** Loads sharp. `module`: URL of its main file in a pack. */
export async function openPictures(module: string, limits: PictureLimits = defaultLimits): Promise<Pictures> {
  const { default: sharp } = (await import(module)) as { readonly default: Sharp };
  // Pictures come once.
  sharp.cache(false);
  return {
    decode: async (input, options = {}) => await decode(sharp, input, { ...options, limits }),
    resize: async (picture, size) => await resize(sharp, picture, size),
    encode: async (picture, layers = []) => await encode(sharp, picture, layers),
    resizeMask: async (mask, size) => {
      if (mask.width === size.width && mask.height === size.height) return mask.data;
      const { data } = await rawOf(
        stretch(sharp(mask.data, { raw: { ...sizeOf(mask), channels: 1 } }), size).toColourspace("b-w"),
      );
      return data;
    },
  };
}

async function decode(
  sharp: Sharp,
  { bytes }: ImageInput,
  { alpha = false, limits }: DecodeOptions & { readonly limits: PictureLimits },
): Promise<Picture> {
  if (bytes.length > limits.bytes) {
    throw badPicture(`The picture has ${bytes.length} bytes; at most ${limits.bytes} are taken`, "Make it smaller.");
  }
  const kind = sniffPicture(bytes);
  try {
    const options = { failOn: "error", limitInputPixels: limits.pixels, pages: 1 } as const;
    const pipeline = sharp(bytes, options).autoOrient().toColourspace("srgb");
    const { data, info } = await rawOf(alpha ? pipeline.ensureAlpha() : pipeline.flatten({ background: "white" }));
    const channels = alpha ? 4 : 3;
    if (info.channels !== channels) throw new Error(`it has ${info.channels} channels`);
    return { ...sizeOf(info), channels, data };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw badPicture(
      `The ${kind.toUpperCase()} picture cannot be decoded: ${reason.split("\n")[0]?.trim()}`,
      /pixel limit/i.test(reason)
        ? `At most ${limits.pixels} pixels are taken: make it smaller.`
        : "It may be damaged or cut off.",
      error,
    );
  }
}

async function resize(sharp: Sharp, picture: Picture, size: Size): Promise<Picture> {
  const { width, height, channels } = picture;
  if (width === size.width && height === size.height) return picture;
  const { data } = await rawOf(stretch(sharp(picture.data, { raw: { width, height, channels } }), size));
  return { ...sizeOf(size), channels, data };
}

function stretch(pipeline: SharpPipeline, { width, height }: Size): SharpPipeline {
  return pipeline.resize(width, height, { fit: "fill", kernel: "linear", fastShrinkOnLoad: false });
}

async function encode(sharp: Sharp, picture: Picture, layers: readonly SharpLayer[]): Promise<ImageOutput> {
  const { width, height, channels } = picture;
  const pipeline = sharp(picture.data, { raw: { width, height, channels } });
  const { data } = await (layers.length > 0 ? pipeline.composite(layers) : pipeline)
    .png({ compressionLevel: 6 })
    .toBuffer({ resolveWithObject: true });
  return { png: bytesOf(data), width, height };
}

async function rawOf(
  pipeline: SharpPipeline,
): Promise<{ data: Uint8Array; info: Size & { readonly channels: number } }> {
  const { data, info } = await pipeline.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
  return { data: bytesOf(data), info };
}

/** Plain bytes: a `Buffer` would travel between processes with the whole pool it is cut from. */
function bytesOf(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

function sizeOf({ width, height }: Size): Size {
  return { width, height };
}

function badPicture(message: string, hint: string, cause?: unknown): HearthError {
  return new HearthError("bad_request", `${message.replace(/\.$/, "")}.`, { hint, details: { field: "image" }, cause });
}
