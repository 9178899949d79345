/** Tiny seeded projectors and the rows that transformers makes with them. `scripts/golden/vision.py` writes both. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import type { Picture } from "../../../media/image.ts";

const folder = fileURLToPath(new URL("./", import.meta.url));

/** The picture that the rows are of, as PNG. */
export const photoPath: string = `${folder}photo.png`;

export interface VisionFixture {
  readonly name: string;
  readonly type: string;
  readonly width: number;
  /** Rows of a tile. */
  readonly count: number;
  /** What stands around the tiles, one more than there are tiles. */
  readonly texts: readonly string[];
  /** What the processor of transformers made of the picture. */
  readonly tiles: readonly Picture[];
  readonly rows: readonly Float32Array[];
  readonly bytes: Uint8Array<ArrayBuffer>;
}

interface Packed extends Pick<VisionFixture, "name" | "type" | "width" | "count" | "texts"> {
  readonly file: string;
  readonly tiles: readonly Pixels[];
  readonly rows: readonly string[];
}

interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: string;
}

interface Index {
  readonly picture: Pixels;
  readonly projectors: readonly Packed[];
}

const index = JSON.parse(readFileSync(`${folder}index.json`, "utf8")) as Index;

/** The pixels of the picture. */
export const photo: Picture = pictureOf(index.picture);

export const visionFixtures: readonly VisionFixture[] = index.projectors.map((packed) => ({
  ...packed,
  tiles: packed.tiles.map(pictureOf),
  rows: packed.rows.map((row) => new Float32Array(bytesOf(row).buffer)),
  bytes: new Uint8Array(gunzipSync(readFileSync(`${folder}${packed.file}`))),
}));

export function findVision(name: string): VisionFixture {
  const fixture = visionFixtures.find((one) => one.name === name);
  if (!fixture) throw new Error(`no projector ${name}`);
  return fixture;
}

function pictureOf({ width, height, data }: Pixels): Picture {
  return { width, height, channels: 3, data: bytesOf(data) };
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(base64, "base64"));
}
