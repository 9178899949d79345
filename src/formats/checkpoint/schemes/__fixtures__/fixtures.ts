/** Tiny checkpoints made by the public tools, and what those read from them. `scripts/golden/schemes/main.py` writes both. */
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { toFloat32 } from "../../../../engines/flint/weights/codecs/float.ts";
import type { GgmlTypeName } from "../../../gguf/ggml.ts";
import { createConfig } from "../../config.ts";
import { headerLength, parseSafetensors } from "../../../safetensors/parse.ts";
import { rowBytes } from "../../rows.ts";
import type { MatrixRows, OpenLayerOptions, QuantizedLayer, RawTensor, Scheme } from "../../scheme.ts";
import { schemes } from "../table.ts";

const folder = fileURLToPath(new URL("./", import.meta.url));

export interface GoldenMatrix {
  readonly n: number;
  readonly k: number;
  /** Rows whose weights are kept, and the weights of each. */
  readonly rows: readonly number[];
  readonly values: Float32Array;
  /** The product with the cosines of 0, 1, 2 … */
  readonly product: Float32Array;
}

export interface SchemeFixture {
  readonly name: string;
  readonly tool: string;
  readonly settings: Readonly<Record<string, unknown>>;
  /** What the matrices become, where columns may be reordered. */
  readonly type: GgmlTypeName;
  readonly matrices: ReadonlyMap<string, GoldenMatrix>;
  /** The model, where there is a whole one. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly tokens: readonly number[];
  /** A row of 64 for each of the last tokens. */
  readonly logits: readonly Float32Array[];
}

const vocabulary = 64;

type Packed = Readonly<Record<string, never>>;

export function schemeFixtures(): readonly SchemeFixture[] {
  const packed = JSON.parse(readFileSync(join(folder, "index.json"), "utf8")) as readonly Packed[];
  return packed.map((entry) => ({
    ...(entry as unknown as SchemeFixture),
    matrices: new Map(Object.entries<Packed>(entry["matrices"] ?? {}).map(([name, matrix]) => [name, decodeMatrix(matrix)])),
    logits: decodeRows(entry["logits"] ?? ""),
  }));
}

export function schemeFixture(name: string): SchemeFixture {
  const found = schemeFixtures().find((fixture) => fixture.name === name);
  if (!found) throw new Error(`There is no fixture "${name}"; scripts/golden/schemes/main.py writes them.`);
  return found;
}

function decodeMatrix(matrix: Packed): GoldenMatrix {
  const golden = matrix as unknown as GoldenMatrix;
  return { ...golden, values: decode(matrix["values"] ?? ""), product: decode(matrix["product"] ?? "") };
}

function decodeRows(text: string): Float32Array[] {
  const values = decode(text);
  return Array.from({ length: values.length / vocabulary }, (_, row) =>
    values.subarray(row * vocabulary, (row + 1) * vocabulary),
  );
}

function decode(text: string): Float32Array {
  return new Float32Array(new Uint8Array(Buffer.from(text, "base64")).buffer);
}

/** The SafeTensors file. */
export function fixtureBytes({ name }: SchemeFixture): Uint8Array {
  return gunzipSync(readFileSync(join(folder, `${name}.safetensors.gz`)));
}

export function rawTensors(bytes: Uint8Array): RawTensor[] {
  const place = { name: "model.safetensors", fileBytes: bytes.length };
  const file = parseSafetensors(bytes.subarray(8, 8 + headerLength(bytes, place)), place);
  return Array.from(file.tensors.values(), ({ offset, ...tensor }) => ({
    ...tensor,
    read: (at, target) => target.set(bytes.subarray(offset + at, offset + at + target.length)),
  }));
}

export function openScheme(settings: SchemeFixture["settings"]): Scheme {
  for (const open of schemes) {
    const scheme = open(createConfig(settings, "quantization_config"));
    if (scheme) return scheme;
  }
  throw new Error(`no scheme ${String(settings["quant_method"])}`);
}

export interface Layers {
  readonly scheme: Scheme;
  readonly layers: ReadonlyMap<string, QuantizedLayer>;
  /** What stands for itself. */
  readonly plain: readonly RawTensor[];
}

export function openLayers(fixture: SchemeFixture, tensors: readonly RawTensor[] = rawTensors(fixtureBytes(fixture))): Layers {
  const scheme = openScheme(fixture.settings);
  const layers = new Map<string, { name: string; parts: Map<string, RawTensor> }>();
  const plain: RawTensor[] = [];
  for (const tensor of tensors) {
    const name = scheme.layerOf(tensor);
    if (name === undefined) {
      plain.push(tensor);
      continue;
    }
    const layer = layers.get(name) ?? { name, parts: new Map<string, RawTensor>() };
    layer.parts.set(tensor.name.slice(name.length + 1), tensor);
    layers.set(name, layer);
  }
  return { scheme, layers, plain };
}

export function openMatrix({ scheme, layers }: Layers, name: string, options?: OpenLayerOptions): MatrixRows {
  const layer = layers.get(name);
  if (!layer) throw new Error(`no layer ${name}`);
  return scheme.openLayer(layer, options);
}

/** Weights of some rows, the columns in the order of the inputs. */
export function readWeights(rows: MatrixRows, first = 0, count: number = rows.n): Float32Array {
  const { type, k, columns } = rows;
  const bytes = new Uint8Array(count * rowBytes(rows));
  rows.readRows(first, count, bytes);
  const stored = new Float32Array(count * k);
  toFloat32(type, bytes, stored);
  if (!columns) return stored;
  const weights = new Float32Array(count * k);
  for (let i = 0; i < stored.length; i++) weights[i - (i % k) + (columns[i % k] ?? 0)] = stored[i] ?? 0;
  return weights;
}

/** The checkpoint as a folder; gone after `use`. */
export async function withFolder<T>(fixture: SchemeFixture, use: (folder: string) => T | Promise<T>): Promise<T> {
  const own = await mkdtemp(join(tmpdir(), "hearth-scheme-"));
  try {
    const config = { ...fixture.config, quantization_config: fixture.settings };
    await writeFile(join(own, "config.json"), JSON.stringify(config));
    await writeFile(join(own, "tokenizer.json"), JSON.stringify(tokenizer()));
    await writeFile(join(own, "model.safetensors"), fixtureBytes(fixture));
    return await use(own);
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

/** A token for each of 62 characters. */
function tokenizer(): unknown {
  const characters = Array.from({ length: vocabulary - 2 }, (_, index) => [String.fromCharCode(0x21 + index), index + 2]);
  const control = ["<s>", "</s>"].map((content, id) => ({ id, content, special: true, normalized: false }));
  return {
    added_tokens: control,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    decoder: { type: "ByteLevel" },
    model: { type: "BPE", vocab: { "<s>": 0, "</s>": 1, ...Object.fromEntries(characters) }, merges: [] },
  };
}
