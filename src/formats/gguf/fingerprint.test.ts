import { closeSync, ftruncateSync, futimesSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { fingerprint } from "./fingerprint.ts";

const mebibyte = 1024 ** 2;

test("of a large file the header and three places of each tensor are read, and its time of change", () => {
  const folder = mkdtempSync(join(tmpdir(), "hearth-fingerprint-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "large");
  const sizeBytes = 4 * mebibyte;
  const layout = {
    dataOffset: mebibyte,
    tensors: [0, 1].map((index) => ({
      name: `${index}`,
      shape: [1],
      type: 0,
      typeName: "F32" as const,
      offset: index * sizeBytes,
      sizeBytes,
    })),
  };
  const print = (change: number | undefined, seconds = 1_700_000_000): string => {
    const file = openSync(path, "w");
    ftruncateSync(file, 9 * mebibyte);
    if (change !== undefined) writeSync(file, "x", change);
    futimesSync(file, seconds, seconds);
    closeSync(file);
    return fingerprint(path, layout);
  };
  const start = layout.dataOffset + sizeBytes;
  const places = [undefined, 0, mebibyte - 1, start, start + sizeBytes / 2, start + sizeBytes - 1];
  const prints = [...places.map((place) => print(place)), print(undefined, 1_700_000_001)];
  expect(new Set(prints).size).toBe(prints.length);
  expect(print(start + sizeBytes / 4)).toBe(prints[0]);
});
