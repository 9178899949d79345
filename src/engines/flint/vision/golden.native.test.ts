import { describe, expect, it } from "vitest";
import type { Picture } from "../../media/image.ts";
import { openWithKernels, openWithReference } from "./__fixtures__/encode.ts";
import { findVision, photo, visionFixtures } from "./__fixtures__/fixtures.ts";

/** Greatest distance, relative to the greatest value. NaN where a value is missing. */
function distance(found: Float32Array, expected: Float32Array): number {
  expect(found.length).toBe(expected.length);
  const apart = found.map((value, at) => Math.abs(value - (expected[at] ?? NaN)));
  return Math.max(...apart) / Math.max(...expected.map(Math.abs));
}

describe.each(visionFixtures)("a projector of the kind $name", (fixture) => {
  it("has the rows of transformers for the same pixels, in exact arithmetic", () => {
    const encoder = openWithReference(fixture);
    for (const [at, tile] of fixture.tiles.entries()) {
      expect(distance(encoder.encode(tile), fixture.rows[at] ?? new Float32Array())).toBeLessThan(1e-5);
    }
  });

  it("has them with its kernels", () => {
    const encoder = openWithKernels(fixture);
    for (const [at, tile] of fixture.tiles.entries()) {
      expect(distance(encoder.encode(tile), fixture.rows[at] ?? new Float32Array())).toBeLessThan(1e-3);
    }
  });

  it("cuts a picture into the tiles that its processor makes, with the same texts around them", async () => {
    const { family, model } = openWithReference(fixture);
    const pieces = await family.cut(photo, model);
    const texts = [""];
    const tiles = pieces.flatMap((piece) => {
      if ("tile" in piece) return (texts.push(""), piece.tile);
      texts[texts.length - 1] += piece.text;
      return [];
    });
    expect(texts).toEqual(fixture.texts);
    expect(tiles.map(({ width, height }) => [width, height])).toEqual(
      fixture.tiles.map(({ width, height }) => [width, height]),
    );
    for (const [at, { data }] of tiles.entries()) {
      const apart = data.map((level, index) => Math.abs(level - (fixture.tiles[at]?.data[index] ?? NaN)));
      expect(Math.max(...apart)).toBeLessThanOrEqual(1);
    }
  });
});

describe("Qwen2-VL", () => {
  const { family, model } = openWithReference(findVision("qwen2vl"));
  const picture = (width: number, height: number): Picture => {
    return { width, height, channels: 3, data: new Uint8Array(width * height * 3) };
  };

  it.each([
    [1000, 31, 544, 16],
    [5, 900, 16, 432],
    [8, 8, 32, 32],
    [24, 40, 32, 32],
    [200, 200, 96, 96],
    [1, 200, 16, 464],
    [640, 480, 96, 80],
  ])("gives a picture of %i × %i the size that its processor does: %i × %i", async (...sizes) => {
    const [width, height, ...wanted] = sizes;
    const [, piece] = await family.cut(picture(width, height), model);
    const tile = piece && "tile" in piece ? piece.tile : undefined;
    expect([tile?.width, tile?.height]).toEqual(wanted);
  });

  it("refuses what is hardly a picture", async () => {
    await expect(family.cut(picture(1, 201), model)).rejects.toMatchObject({ code: "bad_request" });
  });
});
