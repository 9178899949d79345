// Runs before each test file: no test may touch the data of the person who runs it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

if (process.env["HEARTH_DATA"] === undefined) {
  const folder = mkdtempSync(join(tmpdir(), "hearth-test-"));
  process.env["HEARTH_DATA"] = folder;
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
    delete process.env["HEARTH_DATA"];
  });
}
process.env["HEARTH_HUB"] ??= "http://127.0.0.1:9"; // discard port: no test may reach the real hub
