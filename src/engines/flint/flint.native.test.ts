import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { describeEngine } from "../../../test/engine-contract.ts";
import { makeTinyBert, makeTinyLlama } from "../../../test/make-model.ts";
import { inspectGguf } from "../../models/inspect.ts";
import type { EngineModel } from "../../spec/engine.ts";
import type { HostedModel } from "../host/load.ts";
import { createFlintEngine } from "./engine.ts";

const folder = await mkdtemp(join(tmpdir(), "hearth-flint-"));

async function describeModel(path: string): Promise<EngineModel> {
  return { name: path.slice(folder.length + 1), path, info: await inspectGguf(path) };
}

afterAll(async () => {
  await rm(folder, { recursive: true });
});

describeEngine("flint", {
  async create() {
    const [llama, bert, rank] = await Promise.all([
      makeTinyLlama(join(folder, "llama.gguf"), { seed: 1, context: 512 }),
      makeTinyBert(join(folder, "bert.gguf"), { seed: 2 }),
      makeTinyBert(join(folder, "rank.gguf"), { seed: 3, pooling: "rank" }),
    ]);
    return {
      engine: createFlintEngine({ env: {} }),
      model: await describeModel(llama),
      embedModel: await describeModel(bert),
      rerankModel: await describeModel(rank),
      kill: (loaded) => process.kill((loaded as HostedModel).pid ?? 0, "SIGKILL"),
    };
  },
});
