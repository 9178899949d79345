import { closeSync, fstatSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openSpool } from "./spool.ts";

test.skipIf(process.platform === "win32")("the file has no name, and nobody else can open it", () => {
  const folder = mkdtempSync(join(tmpdir(), "hearth-spool-"));
  const file = openSpool([join(folder, "missing"), folder]);
  try {
    if (file === undefined) throw new Error("there is no file");
    expect(readdirSync(folder)).toEqual([]);
    expect(fstatSync(file)).toMatchObject({ nlink: 0, size: 0 });
    expect(fstatSync(file).mode & 0o777).toBe(0o600);
    closeSync(file);
    expect(openSpool([join(folder, "missing")])).toBeUndefined();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
