import { describe, expect, test } from "vitest";
import type { Picture, Pictures } from "./image.ts";
import { fitPicture, normalizePixels, opaquePixels } from "./pixels.ts";
import { sniffPicture } from "./sniff.ts";
import { cutRegion, fromRegion } from "./warp.ts";

/** Each pixel of one color; resized by repeating it. */
function plain(width: number, height: number, [red, green, blue]: readonly [number, number, number]): Picture {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, index) => [red, green, blue][index % 3] ?? 0);
  return { width, height, channels: 3, data };
}

const pictures = {
  resize: async (picture: Picture, { width, height }: { width: number; height: number }) =>
    await Promise.resolve(plain(width, height, [picture.data[0] ?? 0, picture.data[1] ?? 0, picture.data[2] ?? 0])),
} as Pictures;

describe("a picture becomes the input of a model", () => {
  test("a wide one keeps its proportions between two bars", async () => {
    const { picture, placement } = await fitPicture(pictures, plain(20, 10, [9, 9, 9]), {
      width: 10,
      height: 10,
      fit: "contain",
      fill: 1,
    });
    expect(placement).toEqual({ scaleX: 0.5, scaleY: 0.5, left: 0, top: 2 });
    const rows = Array.from({ length: 10 }, (_, y) => picture.data[y * 30]);
    expect(rows).toEqual([1, 1, 9, 9, 9, 9, 9, 1, 1, 1]);
  });

  test("or is stretched", async () => {
    const { placement } = await fitPicture(pictures, plain(20, 10, [1, 1, 1]), { width: 5, height: 5, fit: "stretch" });
    expect(placement).toEqual({ scaleX: 0.25, scaleY: 0.5, left: 0, top: 0 });
  });

  test("its pixels are normalized, side by side or plane by plane", () => {
    const picture = plain(2, 1, [0, 255, 51]);
    const settings = { mean: [0, 127.5, 0], std: [255, 127.5, 51] };
    expect([...normalizePixels(picture, { ...settings, layout: "nhwc" })]).toEqual([0, 1, 1, 0, 1, 1]);
    expect([...normalizePixels(picture, { ...settings, layout: "nchw" })]).toEqual([0, 0, 1, 1, 1, 1]);
    expect([...opaquePixels({ width: 1, height: 1, channels: 4, data: Uint8Array.of(1, 2, 3, 4) })]).toEqual([1, 2, 3]);
  });
});

describe("a region that lies askew", () => {
  const stripes: Picture = {
    width: 8,
    height: 8,
    channels: 3,
    data: Uint8Array.from({ length: 192 }, (_, index) => Math.floor(index / 24) * 30),
  };

  test("is the picture itself where it is all of it", () => {
    const whole = cutRegion(stripes, { x: 4, y: 4, width: 8, height: 8, angle: 0 }, { width: 8, height: 8 });
    expect(whole.data).toEqual(stripes.data);
  });

  test("turned by a quarter, rows become columns", () => {
    const turned = cutRegion(stripes, { x: 4, y: 4, width: 8, height: 8, angle: Math.PI / 2 }, { width: 8, height: 8 });
    const row = Array.from({ length: 8 }, (_, x) => turned.data[x * 3]);
    expect(row).toEqual([0, 30, 60, 90, 120, 150, 180, 210]);
    expect(fromRegion({ x: 4, y: 4, width: 8, height: 8, angle: Math.PI / 2 }, { x: 1, y: 0.5 }).y).toBeCloseTo(8);
  });

  test("is black outside of the picture", () => {
    const outside = cutRegion(stripes, { x: -20, y: 4, width: 8, height: 8, angle: 0 }, { width: 2, height: 2 });
    expect([...outside.data]).toEqual(Array.from({ length: 12 }, () => 0));
  });
});

describe("only files that are pictures are decoded", () => {
  const bytes = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  test.each([
    ["\u0089PNG\r\n\u001a\n", "png"],
    ["\u00ff\u00d8\u00ff\u00e0", "jpeg"],
    ["RIFF\0\0\0\0WEBPVP8 ", "webp"],
    ["GIF89a", "gif"],
    ["MM\0*", "tiff"],
    ["\0\0\0\u001cftypavif", "avif"],
  ])("%j is %s", (start, kind) => {
    expect(sniffPicture(bytes(start))).toBe(kind);
  });
  test.each(["", "<svg xmlns='http://www.w3.org/2000/svg'/>", "%PDF-1.7", "RIFF\0\0\0\0WAVE"])(
    "%j is refused",
    (start) => {
      expect(() => sniffPicture(bytes(start))).toThrow(expect.objectContaining({ code: "bad_request" }));
    },
  );
});
