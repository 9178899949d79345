import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import type { EngineSubject } from "../../../test/engine-contract.ts";
import { describeEngine } from "../../../test/engine-contract.ts";
import { makeTinyBert, makeTinyLlama } from "../../../test/make-model.ts";
import { testPack } from "../../../test/pack.ts";
import { encodeGrayPng } from "../../util/png.ts";
import { inspectGguf } from "../../models/inspect.ts";
import type { EngineModel } from "../../spec/engine.ts";
import type { HostedModel } from "../host/load.ts";
import { picturesModule } from "../media/pack.ts";
import { createFlintEngine } from "./engine.ts";
import { findVision, photoPath } from "./vision/__fixtures__/fixtures.ts";

const folder = await mkdtemp(join(tmpdir(), "hearth-flint-"));
const pack = await testPack("pictures");

async function describeModel(path: string): Promise<EngineModel> {
  return { name: path.slice(folder.length + 1), path, info: await inspectGguf(path) };
}

/** A model with a projector that makes 16 rows of any picture. */
async function seeing(): Promise<NonNullable<EngineSubject["pictures"]>> {
  const path = await makeTinyLlama(join(folder, "seeing.gguf"), { seed: 4, context: 512, embedding: 64 });
  const projector = join(folder, "mmproj.gguf");
  await writeFile(projector, findVision("llava").bytes);
  const gray = encodeGrayPng({ width: 30, height: 20, data: new Uint8Array(600).fill(90) });
  return { model: { ...(await describeModel(path)), projector }, bytes: [await readFile(photoPath), gray] };
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
      engine: createFlintEngine({ env: {}, ...(pack && { pictures: async () => picturesModule(pack) }) }),
      model: await describeModel(llama),
      embedModel: await describeModel(bert),
      rerankModel: await describeModel(rank),
      ...(pack && { pictures: await seeing() }),
      kill: (loaded) => process.kill((loaded as HostedModel).pid ?? 0, "SIGKILL"),
    };
  },
});
