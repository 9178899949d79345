/** Pictures of all kinds through sharp, which comes with the pack. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { testPack } from "../../../test/pack.ts";
import { joinPng } from "../../util/png.ts";
import { draw } from "./draw.ts";
import { openPictures } from "./image.ts";
import type { Pictures } from "./image.ts";

interface Maker {
  (input: Uint8Array | object, options?: object): Maker;
  png(options?: object): Maker;
  jpeg(options?: object): Maker;
  webp(options?: object): Maker;
  gif(options?: object): Maker;
  tiff(options?: object): Maker;
  avif(options?: object): Maker;
  toColourspace(space: string): Maker;
  withMetadata(options: object): Maker;
  toBuffer(): Promise<Uint8Array>;
}

const folder = await testPack("tflite");
const module = folder === undefined ? "" : pathToFileURL(join(folder, "node_modules/sharp/dist/index.mjs")).href;
const sharp = folder === undefined ? undefined : ((await import(module)) as { default: Maker }).default;
const pictures = folder === undefined ? (undefined as never as Pictures) : await openPictures(module);

/** Left half red, right half blue. */
function halves(width: number, height: number): Maker {
  const data = new Uint8Array(width * height * 3);
  for (let pixel = 0; pixel < width * height; pixel++) data[pixel * 3 + (pixel % width < width / 2 ? 0 : 2)] = 255;
  return sharp!(data, { raw: { width, height, channels: 3 } });
}

async function corner(bytes: Uint8Array): Promise<{ size: number[]; left: number[]; right: number[] }> {
  const { width, height, channels, data } = await pictures.decode({ bytes });
  expect(channels).toBe(3);
  expect(data.length).toBe(width * height * 3);
  return { size: [width, height], left: [...data.subarray(0, 3)], right: [...data.subarray(width * 3 - 3, width * 3)] };
}

function isRed([red = 0, green = 0, blue = 0]: readonly number[]): boolean {
  return red > 180 && green < 90 && blue < 90;
}

describe.skipIf(folder === undefined)("pictures", () => {
  it("a PNG, a JPEG, a WebP, a GIF, a TIFF and an AVIF are decoded alike", async () => {
    for (const bytes of [
      await halves(64, 32).png().toBuffer(),
      await halves(64, 32).jpeg({ quality: 95 }).toBuffer(),
      await halves(64, 32).webp({ lossless: true }).toBuffer(),
      await halves(64, 32).gif().toBuffer(),
      await halves(64, 32).tiff().toBuffer(),
      await halves(64, 32).avif({ quality: 90 }).toBuffer(),
    ]) {
      const { size, left, right } = await corner(bytes);
      expect(size).toEqual([64, 32]);
      expect(isRed(left)).toBe(true);
      expect(isRed(right)).toBe(false);
    }
  });

  it("a camera that was held upright turns its picture", async () => {
    const bytes = await halves(64, 32).jpeg().withMetadata({ orientation: 6 }).toBuffer();
    const { width, height, data } = await pictures.decode({ bytes });
    expect([width, height]).toEqual([32, 64]);
    expect(isRed([...data.subarray(0, 3)])).toBe(true);
    expect(isRed([...data.subarray(data.length - 3)])).toBe(false);
  });

  it("CMYK, 16 bits, gray and one pixel become sRGB of 8 bits", async () => {
    const cmyk = await corner(await halves(64, 32).toColourspace("cmyk").jpeg({ quality: 100 }).toBuffer());
    expect(isRed(cmyk.left)).toBe(true);
    const deep = await corner(await halves(8, 8).toColourspace("rgb16").png().toBuffer());
    expect(deep.left).toEqual([255, 0, 0]);
    const gray = await corner(await halves(8, 8).toColourspace("b-w").png().toBuffer());
    expect(new Set(gray.left).size).toBe(1);
    const one = await corner(await halves(1, 1).png().toBuffer());
    expect(one.size).toEqual([1, 1]);
  });

  it("of an animation the first frame counts", async () => {
    const frames = new Uint8Array(16 * 48 * 3);
    for (let frame = 0; frame < 3; frame++)
      for (let pixel = 0; pixel < 256; pixel++) frames[(frame * 256 + pixel) * 3 + frame] = 255;
    const bytes = await sharp!(frames, { raw: { width: 16, height: 48, channels: 3, pageHeight: 16 } })
      .gif()
      .toBuffer();
    const { size, left } = await corner(bytes);
    expect(size).toEqual([16, 16]);
    expect(isRed(left)).toBe(true);
  });

  it("what shows through is white, or stays as a fourth channel", async () => {
    const bytes = await sharp!(Uint8Array.of(10, 20, 30, 0), { raw: { width: 1, height: 1, channels: 4 } })
      .png()
      .toBuffer();
    expect([...(await pictures.decode({ bytes })).data]).toEqual([255, 255, 255]);
    expect((await pictures.decode({ bytes }, { alpha: true })).channels).toBe(4);
  });

  it("a file that ends too soon, a bomb and what is no picture are refused", async () => {
    const refused = async (bytes: Uint8Array, text: RegExp): Promise<void> => {
      await expect(pictures.decode({ bytes })).rejects.toMatchObject({
        code: "bad_request",
        message: expect.stringMatching(text) as string,
      });
    };
    const whole = await halves(256, 256).jpeg().toBuffer();
    await refused(whole.subarray(0, Math.floor(whole.length / 2)), /JPEG picture cannot be decoded/);
    const png = await halves(256, 256).png().toBuffer();
    await refused(png.subarray(0, png.length - 60), /PNG picture cannot be decoded/);
    await refused(bomb(60_000, 60_000), /pixel limit/);
    await refused(new Uint8Array(), /empty/);
    await refused(new TextEncoder().encode("<svg/>"), /no kind/);
    await refused(new Uint8Array(65 * 1024 ** 2), /at most/);
  });

  it("a picture is drawn over", async () => {
    const bytes = await halves(64, 48).png().toBuffer();
    const box = { x: 8, y: 8, width: 20, height: 20 };
    const objects = [{ label: "<cat & dog>", score: 0.9, box }];
    const { png, width, height } = await draw(pictures, { bytes }, { task: "detect", result: { objects } });
    expect([width, height]).toEqual([64, 48]);
    const drawn = await pictures.decode({ bytes: png });
    const at = (x: number, y: number): number[] => [...drawn.data.subarray((y * 64 + x) * 3, (y * 64 + x) * 3 + 3)];
    expect(at(8, 20)).not.toEqual([255, 0, 0]);
    expect(at(4, 44)).toEqual([255, 0, 0]);
    const mask = { width: 64, height: 48, data: new Uint8Array(64 * 48).fill(255) };
    const masked = await draw(
      pictures,
      { bytes },
      { task: "segment", result: { segments: [{ label: "x", score: 1, mask }] } },
    );
    expect([...(await pictures.decode({ bytes: masked.png })).data.subarray(0, 3)]).not.toEqual([255, 0, 0]);
  });
});

/** The header of a PNG of that size, and almost no data. */
function bomb(width: number, height: number): Uint8Array {
  const header = new Uint8Array(13);
  new DataView(header.buffer).setUint32(0, width);
  new DataView(header.buffer).setUint32(4, height);
  header.set([8, 2], 8);
  return joinPng(header, deflateSync(new Uint8Array(1000)));
}
