import { inflateSync } from "node:zlib";
import { expect, test } from "vitest";
import { encodeGrayPng } from "./png.ts";

test("a gray picture is written as PNG", () => {
  const png = Buffer.from(encodeGrayPng({ width: 3, height: 2, data: Uint8Array.of(0, 128, 255, 1, 2, 3) }));
  expect(png.subarray(1, 4).toString()).toBe("PNG");
  expect([png.readUInt32BE(16), png.readUInt32BE(20), png[24], png[25]]).toEqual([3, 2, 8, 0]);
  const length = png.readUInt32BE(33);
  expect([...inflateSync(png.subarray(41, 41 + length))]).toEqual([0, 0, 128, 255, 0, 1, 2, 3]);
  expect(png.subarray(-8, -4).toString()).toBe("IEND");
});
