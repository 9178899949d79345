/** Models that make a picture larger (ESRGAN and its like: [1, 3, h, w] from 0 to 1 in and out), tile by tile. */
import { HearthError } from "../../../error.ts";
import type { Picture } from "../../media/image.ts";
import type { OnnxContext, OpenTasks } from "../context.ts";
import type { OnnxSession, Port } from "../session.ts";
import type { Floats } from "../values.ts";
import { toFloats } from "../values.ts";
import { fixedSize, toImageTensor, unit } from "./image-input.ts";

/** Side of a tile where the model takes any: memory grows with its area, waste with its edge. */
const tileSide = 128;
/** Pixels around a tile that are computed and thrown away: what a convolution does not see would show as a seam. */
const margin = 12;
/** Most pixels of the result: 256 MB of them. */
const mostPixels = 64 * 1024 ** 2;

export const openUpscale: OpenTasks = async (context) => {
  const session = await context.session();
  const [port] = session.inputs;
  if (!port) throw new HearthError("model_unsupported", `The model "${context.name}" has no input.`);
  const fixed = fixedSize(port);
  const side = Math.min(fixed?.width ?? tileSide, fixed?.height ?? tileSide);
  const inner = side - 2 * margin;
  if (inner < 1) throw new HearthError("model_unsupported", `Tiles of ${side} pixels are too small.`);
  return {
    tasks: {
      async upscale({ image }, { signal }) {
        const pictures = await context.pictures();
        const picture = await pictures.decode(image);
        let result: (Picture & { readonly scale: number }) | undefined;
        for (let top = 0; top < picture.height; top += inner) {
          for (let left = 0; left < picture.width; left += inner) {
            signal?.throwIfAborted();
            const tile = cutTile(picture, { left: left - margin, top: top - margin, side });
            const made = await runTile(context, { session, port, tile });
            result ??= blank(picture, made.shape, side);
            paste(result, made, { left, top, inner });
          }
        }
        if (!result) throw new HearthError("bad_request", "The picture has no pixels.");
        return await pictures.encode(result);
      },
    },
  };
};

interface TileRun {
  readonly session: OnnxSession;
  readonly port: Port;
  readonly tile: Picture;
}

async function runTile({ name }: OnnxContext, { session, port, tile }: TileRun): Promise<Floats> {
  const outputs = await session.run({ [port.name]: toImageTensor(tile, unit, port) });
  const found = Object.values(outputs)[0];
  const [height = 0, width = 0] = found?.shape.slice(-2) ?? [];
  const whole = Number.isInteger(width / tile.width) && width > 0 && width / tile.width === height / tile.height;
  if (found && whole && found.shape.at(-3) === 3) return toFloats(found);
  const shape = found?.shape.join(" × ") ?? "nothing";
  throw new HearthError("model_unsupported", `The model "${name}" made ${shape} of a tile of ${tile.width} pixels.`);
}

/** Beyond the edge of the picture its last pixels go on. */
function cutTile(picture: Picture, { left, top, side }: { left: number; top: number; side: number }): Picture {
  const { width, height, channels, data } = picture;
  const out = new Uint8Array(side * side * 3);
  const within = (at: number, size: number): number => Math.min(size - 1, Math.max(0, at));
  for (let y = 0, to = 0; y < side; y++) {
    const row = within(top + y, height) * width;
    for (let x = 0; x < side; x++, to += 3) {
      const from = (row + within(left + x, width)) * channels;
      out.set(data.subarray(from, from + 3), to);
    }
  }
  return { width: side, height: side, channels: 3, data: out };
}

function blank(
  { width, height }: Picture,
  shape: readonly number[],
  side: number,
): Picture & { readonly scale: number } {
  const scale = (shape.at(-1) ?? side) / side;
  const pixels = width * height * scale ** 2;
  if (pixels > mostPixels) {
    throw new HearthError("bad_request", `The picture would have ${pixels} pixels; at most ${mostPixels} are made.`, {
      hint: "Send a smaller picture.",
      details: { field: "image" },
    });
  }
  return { width: width * scale, height: height * scale, channels: 3, data: new Uint8Array(pixels * 3), scale };
}

function paste(
  result: Picture & { readonly scale: number },
  { shape, data }: Floats,
  { left, top, inner }: { readonly left: number; readonly top: number; readonly inner: number },
): void {
  const { width, height, scale } = result;
  const [rows = 0, columns = 0] = shape.slice(-2);
  const [right, bottom] = [Math.min(width, (left + inner) * scale), Math.min(height, (top + inner) * scale)];
  for (let y = top * scale; y < bottom; y++) {
    for (let x = left * scale; x < right; x++) {
      const from = (y - (top - margin) * scale) * columns + (x - (left - margin) * scale);
      for (let channel = 0; channel < 3; channel++) {
        const value = data[channel * rows * columns + from] ?? 0;
        result.data[(y * width + x) * 3 + channel] = Math.min(255, Math.max(0, Math.round(value * 255)));
      }
    }
  }
}
