/** Parts of pictures, and pictures with a margin. */
import type { Picture } from "../../media/image.ts";

export interface Place {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** The place lies within the picture. */
export function cropPicture(picture: Picture, { left, top, width, height }: Place): Picture {
  const { channels } = picture;
  const data = new Uint8Array(width * height * channels);
  for (let row = 0; row < height; row++) {
    const from = ((top + row) * picture.width + left) * channels;
    data.set(picture.data.subarray(from, from + width * channels), row * width * channels);
  }
  return { width, height, channels, data };
}

/** The picture in the middle of a square of one color. */
export function padToSquare(picture: Picture, color: readonly number[]): Picture {
  const { width, height, channels } = picture;
  if (width === height) return picture;
  const side = Math.max(width, height);
  const [left, top] = [Math.floor((side - width) / 2), Math.floor((side - height) / 2)];
  const data = new Uint8Array(side * side * channels);
  for (let at = 0; at < data.length; at++) data[at] = color[at % channels] ?? 255;
  for (let row = 0; row < height; row++) {
    const line = picture.data.subarray(row * width * channels, (row + 1) * width * channels);
    data.set(line, ((top + row) * side + left) * channels);
  }
  return { width: side, height: side, channels, data };
}
