/** Which files of a folder are one ONNX model together, and which of several precisions it is loaded in. */

/** Ends of file names → precision, as transformers.js names them. */
const precisions = {
  "": "fp32",
  _fp16: "fp16",
  _quantized: "q8",
  _int8: "int8",
  _uint8: "uint8",
  _q4: "q4",
  _q4f16: "q4f16",
  _bnb4: "bnb4",
  _q2: "q2",
  _q2f16: "q2f16",
  _q1: "q1",
  _q1f16: "q1f16",
} as const;
type Ending = keyof typeof precisions;
type Precision = (typeof precisions)[Ending];

const endings = Object.keys(precisions) as readonly Ending[];
/** Where nobody names a file: exact on any processor first. */
const preferred: readonly Ending[] = ["", "_quantized", "_int8", "_uint8", "_fp16", "_q4", "_q4f16", "_bnb4"];

/** A model in the layout of transformers.js. Names are relative to its folder. */
export interface OnnxLayout {
  /** Folder of the weights below that of the model: `onnx/`, or "". */
  readonly subfolder: string;
  readonly precision: Precision;
  /** What a file is without ending, e.g. `encoder_model` → its name. */
  readonly parts: ReadonlyMap<string, string>;
}

/** Parts that the model can be named by, the one that says most first. */
const mains = ["model", "encoder_model", "vision_encoder", "vision_model", "decoder_model_merged", "text_model"];

/** `names`: of a folder with a `config.json`. `wanted`: the file that was named. Undefined: there is no such model. */
export function findOnnxLayout(names: readonly string[], wanted?: string): OnnxLayout | undefined {
  if (!names.includes("config.json")) return undefined;
  const inside = names.some((name) => /^onnx\/[^/]+\.onnx$/.test(name));
  const subfolder = wanted === undefined ? (inside ? "onnx/" : "") : wanted.slice(0, wanted.lastIndexOf("/") + 1);
  if (subfolder !== "" && subfolder !== "onnx/") return undefined;
  const files = names.filter(
    (name) => name.startsWith(subfolder) && /^[^/]+\.onnx$/.test(name.slice(subfolder.length)),
  );
  const ending =
    wanted === undefined ? preferred.find((one) => files.some((name) => endingOf(name) === one)) : endingOf(wanted);
  if (ending === undefined) return undefined;
  const stem = (name: string): string => name.slice(subfolder.length, -`${ending}.onnx`.length);
  const same = files.filter((name) => endingOf(name) === ending);
  const merged = same.some((name) => stem(name) === "decoder_model_merged");
  const parts = same.filter((name) => !(merged && /^decoder(_with_past)?_model$/.test(stem(name))));
  if (parts.length === 0) return undefined;
  return { subfolder, precision: precisions[ending], parts: new Map(parts.map((name) => [stem(name), name])) };
}

/** The longest ending that a name has: `model_q4f16` ends in that, not in nothing. */
function endingOf(name: string): Ending {
  const base = name.replace(/\.onnx$/, "");
  return endings
    .filter((ending) => base.endsWith(ending))
    .reduce((best, one) => (one.length > best.length ? one : best), "");
}

/** The file that stands for all of them. */
export function mainPart({ parts }: OnnxLayout): string {
  const stem = mains.find((name) => parts.has(name)) ?? [...parts.keys()][0] ?? "";
  return parts.get(stem) ?? "";
}

/** PP-OCR: a file that finds text and one that reads it, one that turns it, and the letters. */
export interface OcrLayout {
  readonly find: string;
  readonly read: string;
  readonly turn?: string;
  readonly letters?: string;
}

/** `names`: of one folder without those below it. */
export function findOcrLayout(names: readonly string[]): OcrLayout | undefined {
  const part = (pattern: RegExp): string | undefined =>
    names.find((name) => name.endsWith(".onnx") && pattern.test(name));
  const [find, read, turn] = [
    part(/(^|[_-])det([_.-]|$)/i),
    part(/(^|[_-])rec([_.-]|$)/i),
    part(/(^|[_-])cls([_.-]|$)/i),
  ];
  const letters = names.find((name) => /(keys|dict)[^/]*\.txt$/i.test(name));
  if (find === undefined || read === undefined) return undefined;
  return { find, read, ...(turn !== undefined && { turn }), ...(letters !== undefined && { letters }) };
}

/** Small files that say how a model is used. */
const beside = /^(?:[^/]+\.(?:json|txt|model|jinja)|1_Pooling\/config\.json|LICENSE[^/]*|README\.md)$/i;

/** Names of all files of the model that `wanted` belongs to, itself first; undefined: it stands alone, or there is none. */
export function onnxFiles(names: readonly string[], wanted?: string): readonly string[] | undefined {
  const layout = findOnnxLayout(names, wanted);
  const ocr = layout ? undefined : findOcrLayout(names.filter((name) => !name.includes("/")));
  const parts = layout ? [...layout.parts.values()] : ocr ? (Object.values(ocr) as string[]) : undefined;
  if (!parts) return undefined;
  const main = wanted ?? (layout ? mainPart(layout) : (ocr?.find ?? ""));
  if (!parts.includes(main)) return undefined;
  const data = names.filter((name) => parts.some((part) => name.startsWith(`${part}_data`)));
  const small = names.filter((name) => beside.test(name) && !parts.includes(name));
  return [main, ...new Set([...parts, ...data, ...small].filter((name) => name !== main))];
}
