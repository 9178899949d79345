import { afterAll, describe } from "vitest";
import { describeEngine } from "../../../test/engine-contract.ts";
import { unpackTiny } from "../../../test/onnx-tiny.ts";
import { testPack } from "../../../test/pack.ts";
import { describeOnnx } from "../../models/describe-onnx.ts";
import { engineEnvironment } from "../../config/environment.ts";
import type { HostedModel } from "../host/load.ts";
import { createOnnxEngine } from "./engine.ts";
import { onnxLibrary } from "./setup.ts";

const pack = await testPack("onnx");
const tiny = await unpackTiny("llama");
afterAll(tiny.remove);

describe.skipIf(pack === undefined)("a language model in ONNX", () => {
  describeEngine("onnx", {
    async create() {
      const path = `${tiny.folder}/onnx/model.onnx`;
      const engine = createOnnxEngine({ library: async () => onnxLibrary(pack ?? ""), env: engineEnvironment() });
      return {
        engine,
        model: { name: "tiny", path, info: describeOnnx(path) },
        kill(model) {
          const { pid } = model as HostedModel;
          if (pid !== undefined) process.kill(pid, "SIGKILL");
        },
      };
    },
  });
});
