import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { onnxFloats, onnxModel, onnxNode, onnxValue, tensorMap } from "../../test/make-onnx.ts";
import { onnxBytes } from "../formats/onnx/encode.ts";
import type { ModelInfo } from "../spec/model.ts";
import { describeOnnx } from "./describe-onnx.ts";
import { findOcrLayout, findOnnxLayout, onnxFiles } from "./onnx-files.ts";

const root = await mkdtemp(join(tmpdir(), "hearth-onnx-"));
afterAll(async () => await rm(root, { recursive: true }));

type Shape = readonly (number | string)[];

async function model(
  input: Shape,
  output: Shape,
  metadata: Readonly<Record<string, string>> = {},
): Promise<Uint8Array> {
  return await onnxBytes(
    onnxModel(
      {
        nodes: [onnxNode("Add", ["x", "w"], ["y"])],
        initializers: tensorMap(onnxFloats("w", [2, 3], new Float32Array(6))),
        inputs: [onnxValue("x", input)],
        outputs: [onnxValue("y", output)],
      },
      { metadata: new Map(Object.entries(metadata)) },
    ),
  );
}

let count = 0;
async function write(files: Readonly<Record<string, Uint8Array | object>>): Promise<string> {
  const folder = join(root, String(count++));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content instanceof Uint8Array ? content : JSON.stringify(content));
  }
  return folder;
}

async function bare(input: Shape, output: Shape, metadata?: Readonly<Record<string, string>>): Promise<ModelInfo> {
  return describeOnnx(join(await write({ "m.onnx": await model(input, output, metadata) }), "m.onnx"));
}

it("tells what a single file is for by what goes in and out", async () => {
  expect(await bare([1, 64], [1, 32])).toMatchObject({
    format: "onnx",
    architecture: "onnx",
    capabilities: ["infer"],
    parameterCount: 6,
    weightBytes: 24,
    signature: { inputs: [{ name: "x", type: "float32", shape: [1, 64] }], outputs: [{ name: "y", shape: [1, 32] }] },
  });
  expect(await bare([1, 3, 640, 640], [1, 84, 8400])).toMatchObject({ capabilities: ["detect", "infer"] });
  expect(await bare([1, 3, 640, 640], [1, 6, 10], { names: "{0: 'cat', 1: 'dog'}" })).toMatchObject({
    architecture: "yolo",
  });
  expect(await bare([1, 3, 320, 320], [1, 1, 320, 320])).toMatchObject({
    capabilities: ["remove-background", "infer"],
  });
  expect(await bare([1, 3, "h", "w"], [1, 3, "H", "W"])).toMatchObject({ capabilities: ["upscale", "infer"] });
  expect(await bare([1, 3, 224, 224], [1, 1000])).toMatchObject({ capabilities: ["infer"] });
});

it("tells what a folder is for by its config, and takes the precision that is named", async () => {
  const bytes = await model([1, 8], [1, 8]);
  const folder = await write({
    "config.json": { model_type: "bert", architectures: ["BertModel"], hidden_size: 384, max_position_embeddings: 512 },
    "tokenizer_config.json": { model_max_length: 1e30 },
    "1_Pooling/config.json": { pooling_mode_cls_token: true },
    "onnx/model.onnx": bytes,
    "onnx/model_quantized.onnx": bytes,
  });
  expect(describeOnnx(join(folder, "onnx/model.onnx"))).toMatchObject({
    architecture: "bert",
    capabilities: ["embed", "infer"],
    pooling: "cls",
    quantization: "FP32",
    trainContextTokens: 512,
    embeddingLength: 384,
    metadata: { kind: "embed", dtype: "fp32", subfolder: "onnx" },
  });
  expect(describeOnnx(join(folder, "onnx/model_quantized.onnx")).metadata["dtype"]).toBe("q8");
});

it.each([
  ["BertForSequenceClassification", { id2label: { 0: "LABEL_0" } }, ["rerank", "infer"]],
  ["BertForSequenceClassification", { id2label: { 0: "no", 1: "yes" } }, ["classify", "infer"]],
  ["BertForTokenClassification", {}, ["tokens", "infer"]],
  ["ViTForImageClassification", {}, ["classify", "infer"]],
  ["DetrForObjectDetection", {}, ["detect", "infer"]],
  ["SegformerForSemanticSegmentation", {}, ["segment", "infer"]],
  ["DepthAnythingForDepthEstimation", {}, ["depth", "infer"]],
  ["WhisperForConditionalGeneration", {}, ["transcribe", "infer"]],
  ["MarianMTModel", {}, ["translate", "infer"]],
  ["CLIPModel", {}, ["embed-image", "classify", "infer"]],
  ["VisionEncoderDecoderModel", {}, ["caption", "infer"]],
  ["SomethingElse", {}, ["infer"]],
])("knows %s", async (name, more, capabilities) => {
  const folder = await write({
    "config.json": { model_type: "own", architectures: [name], ...more },
    "model.onnx": await model([1, 8], [1, 8]),
  });
  expect(describeOnnx(join(folder, "model.onnx")).capabilities).toEqual(capabilities);
});

it("takes the files of PP-OCR as one model", async () => {
  const bytes = await model([1, 8], [1, 8]);
  const names = ["ch_PP-OCRv4_det_infer.onnx", "ch_PP-OCRv4_rec_infer.onnx", "ch_ppocr_mobile_v2.0_cls_infer.onnx"];
  const folder = await write({ ...Object.fromEntries(names.map((name) => [name, bytes])), "ppocr_keys_v1.txt": bytes });
  const info = describeOnnx(join(folder, names[0] ?? ""));
  expect(info).toMatchObject({ architecture: "pp-ocr", capabilities: ["ocr", "infer"], parameterCount: 18 });
  expect(info.metadata).toMatchObject({
    "ocr.find": names[0],
    "ocr.read": names[1],
    "ocr.turn": names[2],
    "ocr.letters": "ppocr_keys_v1.txt",
  });
  expect(findOcrLayout(["a.onnx", "b.onnx"])).toBeUndefined();
});

it("refuses a damaged file beside the one that was named", async () => {
  const folder = await write({
    "config.json": { model_type: "whisper", architectures: ["WhisperForConditionalGeneration"] },
    "onnx/encoder_model.onnx": await model([1, 8], [1, 8]),
    "onnx/decoder_model_merged.onnx": Uint8Array.of(8, 7, 58, 200, 1),
  });
  expect(() => describeOnnx(join(folder, "onnx/encoder_model.onnx"))).toThrow(/decoder_model_merged/);
});

it("finds the files that belong together, those of one precision alone", () => {
  const names = [
    "config.json",
    "tokenizer.json",
    "README.md",
    "onnx/encoder_model.onnx",
    "onnx/decoder_model.onnx",
    "onnx/decoder_model_merged.onnx",
    "onnx/encoder_model_q4f16.onnx",
    "onnx/decoder_model_merged_q4f16.onnx",
    "onnx/decoder_model_merged_q4f16.onnx_data",
    "model.safetensors",
  ];
  expect(onnxFiles(names)).toEqual([
    "onnx/encoder_model.onnx",
    "onnx/decoder_model_merged.onnx",
    "config.json",
    "tokenizer.json",
    "README.md",
  ]);
  expect(onnxFiles(names, "onnx/encoder_model_q4f16.onnx")?.slice(0, 3)).toEqual([
    "onnx/encoder_model_q4f16.onnx",
    "onnx/decoder_model_merged_q4f16.onnx",
    "onnx/decoder_model_merged_q4f16.onnx_data",
  ]);
  expect(findOnnxLayout(["model.onnx"])).toBeUndefined();
  expect(onnxFiles(["model.onnx"], "model.onnx")).toBeUndefined();
});
