import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { ask, collect } from "../../test/engine-contract.ts";
import { makeTinyLlama } from "../../test/make-model.ts";
import { inspectGguf } from "../models/inspect.ts";
import type { HostedModel } from "./host/load.ts";
import { addPack, listPacks } from "./packs.ts";
import { createEngines } from "./registry.ts";

const folder = await mkdtemp(join(tmpdir(), "hearth-pack-"));

afterAll(async () => {
  await rm(folder, { recursive: true });
});

it("installs the pack llama from the user's npm registry and runs a model with it", async () => {
  const dataFolder = join(folder, "data");
  const lines: string[] = [];
  const status = await addPack("llama", { dataFolder, onLine: (line) => lines.push(line) });
  expect(status).toMatchObject({ state: "installed", installed: status.version });
  expect(listPacks({ dataFolder })[0]?.state).toBe("installed");
  const binaries = await readdir(join(dataFolder, "engines", "llama", "node_modules", "@node-llama-cpp"));
  // Neither the packages for GPUs nor those of other processors.
  expect(binaries).toHaveLength(1);

  const path = await makeTinyLlama(join(folder, "llama.gguf"), { seed: 1 });
  const engine = await createEngines({ dataFolder }).get("llama");
  const options = { contextTokens: 256, threads: 1, device: "cpu" } as const;
  const model = (await engine.load({ name: "tiny", path, info: await inspectGguf(path) }, options)) as HostedModel;
  expect((await collect(model, ask("hello there"))).tokens.length).toBeGreaterThan(0);
  // Where the system tells: the child has mapped the pack's library, and not the one of the repository.
  const pack = join(dataFolder, "engines", "llama");
  const mapped = process.platform === "linux" ? await readFile(`/proc/${model.pid}/maps`, "utf8") : pack;
  expect(mapped).toContain(pack);
  expect(mapped).not.toContain(`${process.cwd()}/node_modules/@node-llama-cpp`);
  await model.dispose();
});
