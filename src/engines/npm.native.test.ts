/** npm itself, as packs are installed with it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { npmEnvironment } from "../config/environment.ts";
import { runNpm } from "./npm.ts";

it("says what npm said when it fails", async () => {
  const folder = await mkdtemp(join(tmpdir(), "hearth-npm-"));
  onTestFinished(async () => await rm(folder, { recursive: true, force: true }));
  const run = runNpm({ arguments: ["ci"], folder, env: npmEnvironment() });
  await expect(run).rejects.toMatchObject({ code: "engine_missing" });
  await expect(run).rejects.toThrow(/exit code 1/);
});
