import { describe, expect, it } from "vitest";
import { fakeInfo } from "../../test/fake-library.ts";
import { HearthError } from "../error.ts";
import type { EngineFootprint, LoadOptions } from "../spec/engine.ts";
import type { InstalledModel, ModelInfo } from "../spec/model.ts";
import type { ChooseOptions } from "./choose.ts";
import { chooseEngine } from "./choose.ts";
import type { EngineChoice, EngineQuestion } from "./contract.ts";

const model: InstalledModel = {
  name: "tiny:latest",
  id: "0".repeat(64),
  format: "gguf",
  files: [],
  sizeBytes: 1,
  origin: "path",
  modifiedAt: new Date(0),
};
const footprint: EngineFootprint = { weightBytes: 7, processBytes: 1, rowBytes: 1, batchTokens: 1, blockTokens: 1 };

const seeing: InstalledModel = {
  ...model,
  files: [{ role: "projector", name: "mmproj.gguf", sizeBytes: 1, path: "/mmproj.gguf" }],
};

interface Setting {
  readonly model?: InstalledModel;
  readonly info?: Partial<ModelInfo>;
  readonly load?: LoadOptions;
  readonly options?: Partial<ChooseOptions>;
  readonly draft?: EngineQuestion["draft"];
}

async function choose({
  model: asked = model,
  info = {},
  load = {},
  options = {},
  draft,
}: Setting = {}): Promise<EngineChoice> {
  const question = { model: asked, info: fakeInfo({ architecture: "qwen3", ...info }), load, draft };
  return await chooseEngine(question, { hasGpuEngine: () => false, inspectFlint: async () => footprint, ...options });
}

async function refusal(setting: Setting): Promise<HearthError> {
  const error: unknown = await choose(setting).catch((reason: unknown) => reason);
  if (error instanceof HearthError) return error;
  throw new Error("the model was accepted");
}

describe("the choice of an engine", () => {
  it("is flint for an architecture that it knows, on the CPU, with its reasons and its figures", async () => {
    const choice = await choose();
    expect(choice).toMatchObject({ engine: "flint", device: "cpu", footprint });
    expect(choice.reasons).toEqual([
      "flint runs gguf files of the architecture qwen3",
      expect.stringContaining("it runs on the CPU: no engine pack for a GPU is installed"),
    ]);
    expect((await choose({ load: { device: "cpu" } })).reasons[1]).toBe("the device cpu was asked for");
  });

  it("is llama for other architectures, and says why flint is not", async () => {
    const choice = await choose({ info: { architecture: "mamba" } });
    expect(choice).toMatchObject({ engine: "llama", device: "cpu" });
    expect(choice).not.toHaveProperty("footprint");
    expect(choice.reasons[1]).toMatch(/^not flint: flint does not know the architecture "mamba"/);
  });

  it("is flint where it runs the draft model too, and llama, with the reason, where it does not", async () => {
    const small = { ...model, name: "small:latest", id: "1".repeat(64) };
    const inspectFlint: ChooseOptions["inspectFlint"] = async (question) => ({
      ...footprint,
      weightBytes: question.model.name === "small:latest" ? 3 : 7,
    });
    const options = { inspectFlint };
    const known = { model: small, info: fakeInfo({ architecture: "qwen3" }) };
    expect(await choose({ draft: known, options })).toMatchObject({
      engine: "flint",
      footprint: { weightBytes: 7 },
      draftFootprint: { weightBytes: 3 },
    });
    const foreign = await choose({ draft: { model: small, info: fakeInfo({ architecture: "mamba" }) }, options });
    expect(foreign.engine).toBe("llama");
    expect(foreign.reasons[1]).toMatch(
      /^not flint: its draft small:latest: flint does not know the architecture "mamba"/,
    );
    const broken: ChooseOptions["inspectFlint"] = async (question) => {
      if (question.model.name !== "small:latest") return footprint;
      throw new HearthError("model_unsupported", "it is in 2 files.");
    };
    const forced = await refusal({ draft: known, options: { inspectFlint: broken }, load: { engine: "flint" } });
    expect(forced.message).toBe("its draft small:latest: it is in 2 files.");
  });

  it("is llama where a GPU is asked for, or has an engine", async () => {
    const asked = await choose({ load: { device: "vulkan" } });
    expect(asked).toMatchObject({ engine: "llama", device: "vulkan" });
    expect(asked.reasons[1]).toBe("not flint: flint computes on the CPU, not with vulkan");
    const installed = await choose({ options: { hasGpuEngine: (device) => device !== "cuda" } });
    expect(installed).toMatchObject({ engine: "llama", device: "auto" });
    expect(installed.reasons.at(-1)).toMatch(/is tried first, then the CPU$/);
  });

  it("says that pictures need flint, where another engine runs a model that has a projector", async () => {
    const gpu = { hasGpuEngine: () => true };
    const onGpu = await choose({ model: seeing, options: gpu });
    expect(onGpu).toMatchObject({ engine: "llama", device: "auto" });
    expect(onGpu.reasons).toContain("it takes text alone: pictures need flint (--engine flint)");
    const foreign = await choose({ model: seeing, info: { architecture: "mamba" } });
    expect(foreign.reasons).toContain("it takes text alone: pictures need flint");
    for (const load of [{}, { engine: "flint" as const }]) {
      expect((await choose({ model: seeing, load })).reasons.join("\n")).not.toContain("pictures");
    }
    expect((await choose({ options: gpu })).reasons.join("\n")).not.toContain("pictures");
  });

  it("is flint for a file with its encoder of pictures inside, which llama.cpp does not read", async () => {
    const info = { architecture: "gemma3", metadata: { "gemma3.vision.block_count": 27 } };
    const choice = await choose({ info, options: { hasGpuEngine: () => true } });
    expect(choice).toMatchObject({ engine: "flint", device: "cpu" });
    await expect(choose({ info, load: { engine: "llama" } })).rejects.toMatchObject({ code: "model_unsupported" });
  });

  it("is flint for a projector that was asked for, whatever GPU there is; llama refuses it", async () => {
    const load: LoadOptions = { projector: { path: "/mmproj.gguf" } };
    const choice = await choose({ load, options: { hasGpuEngine: () => true } });
    expect(choice).toMatchObject({ engine: "flint", device: "cpu" });
    expect(choice.reasons.at(-1)).toBe("flint computes on the CPU");
    for (const more of [{ engine: "llama" as const }, { device: "cuda" as const }]) {
      expect(await refusal({ load: { ...load, ...more } })).toMatchObject({
        code: "unsupported_option",
        hint: expect.stringContaining("--engine flint"),
        details: { option: "projector", engine: "llama" },
      });
    }
  });

  it.each<[LoadOptions, string]>([
    [{ kvTypeK: "q4_0" }, "flint keeps its KV cache in f16 or q8_0, not q4_0"],
    [{ kvTypeV: "f32" }, "flint keeps its KV cache in f16 or q8_0, not f32"],
    [{ flashAttention: false }, "flint has one kind of attention, which no option changes"],
    [{ gpuLayers: 3 }, "flint computes on the CPU; 3 layers were asked for on a GPU"],
    [{ mmap: true }, "flint reads the weights into its own memory and does not map the file"],
    [{ mlock: true }, "flint cannot lock its memory"],
  ])("is llama for the load options %o, and flint alone refuses them", async (load, reason) => {
    const choice = await choose({ load });
    expect(choice.engine).toBe("llama");
    expect(choice.reasons).toContain(`not flint: ${reason}`);
    const error = await refusal({ load: { ...load, engine: "flint" } });
    expect(error).toMatchObject({ code: "unsupported_option", message: `${reason}.` });
    expect(error.details).toEqual({ option: Object.keys(load)[0], engine: "flint" });
  });

  it("is flint for load options that it honours", async () => {
    const load: LoadOptions = {
      kvTypeK: "f16",
      kvTypeV: "q8_0",
      adapters: [{ path: "/adapter.gguf" }],
      flashAttention: "auto",
      gpuLayers: 0,
      mmap: false,
    };
    expect((await choose({ load })).engine).toBe("flint");
  });

  it.each(["model_unsupported", "model_malformed"] as const)(
    "is llama where flint finds more in the header: %s",
    async (code) => {
      const inspectFlint = async (): Promise<never> => {
        throw new HearthError(code, "tiny.gguf has the tensor blk.0.attn_q.weight of type Q1_0.");
      };
      const choice = await choose({ options: { inspectFlint } });
      expect(choice).toMatchObject({ engine: "llama", device: "cpu" });
      expect(choice.reasons[1]).toBe("not flint: tiny.gguf has the tensor blk.0.attn_q.weight of type Q1_0");
      expect(await refusal({ load: { engine: "flint" }, options: { inspectFlint } })).toMatchObject({ code });
    },
  );

  it("hides no other failure", async () => {
    const inspectFlint = async (): Promise<never> => {
      throw new HearthError("model_not_found", "There is no file.");
    };
    expect(await refusal({ options: { inspectFlint } })).toMatchObject({ code: "model_not_found" });
  });

  it("is the engine that was asked for", async () => {
    const llama = await choose({ load: { engine: "llama" } });
    expect(llama.engine).toBe("llama");
    expect(llama.reasons[0]).toBe("llama runs gguf files of the architecture qwen3, and was asked for");
    const flint = await choose({ load: { engine: "flint" }, options: { hasGpuEngine: () => true } });
    expect(flint).toMatchObject({ engine: "flint", device: "cpu" });
    const mamba = { info: { architecture: "mamba" }, load: { engine: "flint" } } as const;
    expect((await refusal(mamba)).message).toMatch(/flint does not know the architecture "mamba"/);
  });

  it("names an unknown architecture, what it may have been, and the known ones", async () => {
    const error = await refusal({ info: { architecture: "qwen33" } });
    expect(error.code).toBe("model_unsupported");
    expect(error.message).toMatch(/"qwen33".*Did you mean "qwen3".*Known: .*llama/);
    expect(error.details).toMatchObject({ architecture: "qwen33", engine: "llama" });
  });

  it("follows the format, and refuses what no engine of it runs", async () => {
    expect((await choose({ info: { format: "onnx", architecture: "whisper" } })).engine).toBe("onnx");
    expect(await choose({ info: { format: "tflite", architecture: "detector" } })).toMatchObject({
      engine: "tflite",
      device: "cpu",
    });
    const cuda = await refusal({ info: { format: "tflite" }, load: { device: "cuda" } });
    expect(cuda.message).toMatch(/LiteRT does not run on cuda here/);
    const checkpoint = { info: { format: "safetensors", architecture: "mamba" } } as const;
    expect((await refusal(checkpoint)).message).toMatch(/flint does not know the architecture "mamba"/);
  });

  it.skipIf(process.platform === "darwin")("refuses a device that this machine cannot have", async () => {
    expect((await refusal({ load: { device: "metal" } })).message).toMatch(/Metal/);
  });
});
