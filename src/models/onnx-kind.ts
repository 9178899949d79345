/** What an ONNX model is for: by its `config.json`, or by its inputs and outputs. */
import type { OnnxModel } from "../formats/onnx/types.ts";
import type { TensorInfo } from "../spec/media.ts";
import type { Capability, ModelInfo } from "../spec/model.ts";

export type Config = Readonly<Record<string, unknown>>;

type OnnxKindName =
  | "embed"
  | "rerank"
  | "classify-text"
  | "tokens"
  | "classify-image"
  | "classify-sound"
  | "detect"
  | "detect-words"
  | "yolo"
  | "segment"
  | "depth"
  | "caption"
  | "clip"
  | "remove-background"
  | "larger"
  | "upscale"
  | "transcribe"
  | "translate"
  | "voice"
  | "ocr"
  | "generate"
  | "tensors";

/** Kind → what it does besides taking tensors. The engine has one way to run each. */
const kinds: Readonly<Record<OnnxKindName, readonly Capability[]>> = {
  embed: ["embed"],
  rerank: ["rerank"],
  "classify-text": ["classify"],
  tokens: ["tokens"],
  "classify-image": ["classify"],
  "classify-sound": ["classify"],
  detect: ["detect"],
  "detect-words": ["detect"],
  yolo: ["detect"],
  segment: ["segment"],
  depth: ["depth"],
  caption: ["caption"],
  clip: ["embed-image", "classify"],
  "remove-background": ["remove-background"],
  larger: ["upscale"],
  upscale: ["upscale"],
  transcribe: ["transcribe"],
  translate: ["translate"],
  voice: ["voice"],
  ocr: ["ocr"],
  // With what its chat template and its files add.
  generate: ["generate"],
  tensors: [],
};

export interface OnnxKind {
  readonly kind: OnnxKindName;
  readonly architecture: string;
  readonly pooling?: NonNullable<ModelInfo["pooling"]>;
}

export function capabilitiesOf(kind: OnnxKindName): readonly Capability[] {
  return [...kinds[kind], "infer"];
}

export interface Beside {
  readonly names: readonly string[];
  readonly readConfig: (name: string) => Config | undefined;
}

/** Ends of the names of model classes → kinds. */
const heads: readonly (readonly [RegExp, OnnxKindName])[] = [
  [/ForTokenClassification$/, "tokens"],
  [/ForImageClassification$|ForImageClassificationWithTeacher$/, "classify-image"],
  [/ForAudioClassification$/, "classify-sound"],
  [/ForZeroShotObjectDetection$|^OwlViT|^Owlv2|^GroundingDino/i, "detect-words"],
  [/ForObjectDetection$/, "detect"],
  [/^(ISNet|BiRefNet|BriaRMBG|MODNet|BEN)|ForImageMatting$/i, "remove-background"],
  [/For(Semantic|Image|Universal|Instance|Panoptic)Segmentation$/, "segment"],
  [/ForDepthEstimation$|^DepthPro/, "depth"],
  [/^VisionEncoderDecoderModel$/, "caption"],
  [/ForImageSuperResolution$/, "larger"],
  [/^(Whisper|LiteWhisper|Moonshine)ForConditionalGeneration$|ForCTC$/, "transcribe"],
  [
    /^(MarianMTModel|M2M100ForConditionalGeneration|MBartForConditionalGeneration|T5ForConditionalGeneration)$/,
    "translate",
  ],
  [/^(CLIP|Siglip|SigLIP|Siglip2|ChineseCLIP)Model$/i, "clip"],
  [/^Clap(Model|Audio)/i, "classify-sound"],
];

const textEncoders =
  /^(bert|distilbert|roberta|xlm-roberta|mpnet|albert|electra|deberta(-v2)?|nomic_bert|modernbert|camembert|xlm|gte|new|jina.*|eurobert|esm)$/;

/** Undefined: the config names nothing that is known here. */
export function configKind(config: Config, { names, readConfig }: Beside): OnnxKind | undefined {
  const architecture = typeof config["model_type"] === "string" ? config["model_type"] : "onnx";
  const classes = Array.isArray(config["architectures"]) ? config["architectures"] : [];
  const head = classes.find((name): name is string => typeof name === "string") ?? "";
  const known = heads.find(([pattern]) => pattern.test(head))?.[1];
  if (known) return { kind: known, architecture };
  if (isGenerator(head, architecture, names)) return { kind: "generate", architecture };
  if (head.endsWith("ForSequenceClassification")) return { kind: sequenceKind(config, readConfig), architecture };
  if (/whisper|moonshine/.test(architecture)) return { kind: "transcribe", architecture };
  if (!textEncoders.test(architecture)) return undefined;
  return { kind: "embed", architecture, pooling: poolingOf(readConfig("1_Pooling/config.json")) };
}

/** Families that see pictures: how these stand in their prompts is known to the engine (`engines/onnx/generate/pictures`). */
const seeing = /^(idefics3|smolvlm|llava|moondream1|qwen2_vl|qwen2_5_vl)$/;

/** A decoder that goes on with a text; one that sees has its encoder and its embeddings in files of their own. */
function isGenerator(head: string, architecture: string, names: readonly string[]): boolean {
  const has = (stem: string): boolean => names.some((name) => name.replace(/^onnx\//, "").startsWith(stem));
  if (!has("tokenizer.json")) return false;
  if (/ForCausalLM$|LMHeadModel$/.test(head)) return has("model") || has("decoder_model_merged");
  const parts = ["vision_encoder", "embed_tokens", "decoder_model_merged"];
  return head.endsWith("ForConditionalGeneration") && seeing.test(architecture) && parts.every(has);
}

function sequenceKind(config: Config, readConfig: Beside["readConfig"]): OnnxKindName {
  const extractor = readConfig("preprocessor_config.json")?.["feature_extractor_type"];
  if (typeof extractor === "string") return "classify-sound";
  const labels = config["id2label"];
  const count = typeof labels === "object" && labels !== null ? Object.keys(labels).length : config["num_labels"];
  return count === 1 ? "rerank" : "classify-text";
}

function poolingOf(config: Config | undefined): "mean" | "cls" | "last" {
  if (config?.["pooling_mode_cls_token"] === true) return "cls";
  if (config?.["pooling_mode_lasttoken"] === true) return "last";
  return "mean";
}

interface Ports {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
}

/** A single file is told by the shapes of what goes in and out. */
export function bareKind({ metadata, graph }: OnnxModel, { inputs, outputs }: Ports): OnnxKind {
  const names = new Set(inputs.map(({ name }) => name));
  if (names.has("input") && names.has("sr") && (names.has("state") || (names.has("h") && names.has("c")))) {
    return { kind: "voice", architecture: "silero-vad" };
  }
  const [input, output] = [inputs[0], outputs[0]];
  if (inputs.length === 1 && input && output && isPicture(input)) {
    if (isScores(output) && isDetector(output, metadata)) return { kind: "yolo", architecture: "yolo" };
    if (isMask(input, output)) return { kind: "remove-background", architecture: "salient-object" };
    const shuffles = graph.nodes.some(({ operator }) => operator === "DepthToSpace");
    if (outputs.length === 1 && isLarger(input, output, shuffles))
      return { kind: "upscale", architecture: "super-resolution" };
  }
  return { kind: "tensors", architecture: "onnx" };
}

function isPicture({ type, shape }: TensorInfo): boolean {
  return shape.length === 4 && shape[1] === 3 && (type === "float32" || type === "float16");
}

function isScores({ shape }: TensorInfo): boolean {
  return shape.length === 3;
}

/** Such files name their classes; without names the shape has to be that of 8400 boxes or more. */
function isDetector({ shape }: TensorInfo, metadata: ReadonlyMap<string, string>): boolean {
  const [, rows, columns] = shape;
  if (metadata.has("names") && (metadata.get("task") ?? "detect") === "detect") return true;
  return (
    typeof rows === "number" &&
    typeof columns === "number" &&
    Math.max(rows, columns) >= 8400 &&
    Math.min(rows, columns) > 5
  );
}

/** One channel as large as the picture, which has a size. */
function isMask(input: TensorInfo, { shape }: TensorInfo): boolean {
  const [, , height, width] = input.shape;
  if (shape.length !== 4 || typeof height !== "number" || height < 128) return false;
  const fits = (size: string | number | undefined, wanted: unknown): boolean =>
    typeof size !== "number" || size === -1 || size === wanted;
  return (shape[1] === 1 || typeof shape[1] !== "number") && fits(shape[2], height) && fits(shape[3], width);
}

/** Three channels out: a whole multiple of a size that is fixed, or of any. `shuffles`: channels become pixels in it. */
function isLarger(input: TensorInfo, { shape }: TensorInfo, shuffles: boolean): boolean {
  if (shape.length !== 4) return false;
  const [, , height] = input.shape;
  const [, channels, made] = shape;
  const isFixed = typeof height === "number" && height > 0;
  if (isFixed) return channels === 3 && typeof made === "number" && made > height && made % height === 0;
  return channels === 3 || (shuffles && (typeof channels === "string" || channels === -1));
}
