/**
 * LoRA adapters (arXiv 2106.09685) in GGUF, as llama.cpp's `convert_lora_to_gguf.py` writes them: for a tensor NAME of the
 * model [k, n] the pair NAME.lora_a [k, rank] and NAME.lora_b [rank, n]. The product is W x + scale · alpha / rank · B (A x).
 */
import { HearthError } from "../../../error.ts";
import { numberOf, stringOf } from "../../../formats/gguf/check.ts";
import type { GgmlTypeName } from "../../../formats/gguf/ggml.ts";
import { kindOf } from "../../../formats/gguf/kind.ts";
import { printable } from "../../../formats/gguf/malformed.ts";
import type { GgufFile, GgufTensor } from "../../../formats/gguf/types.ts";
import { validateForEngine } from "../../../formats/gguf/validate.ts";
import { matrixTypes } from "../architectures/tensors.ts";
import type { Matrix } from "../graph/graph.ts";
import type { MatrixAdapter } from "../graph/program.ts";

/** A checked header. */
export interface Adapter {
  readonly file: GgufFile;
  /** What it adds, by the name of the model's matrix. */
  readonly matrices: ReadonlyMap<string, MatrixAdapter>;
  /** Its own tensors, by the name that they have in memory. */
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}

/** Far above what adapters have; the smaller side of a matrix is a bound as well, but for routers of few experts. */
const mostRank = 4096;
const alphaRange = [-1e6, 1e6] as const;

/**
 * Checks the header of an adapter against that of its model; `index` is its place among the loaded ones. Throws
 * `model_malformed` and `model_unsupported`, both with {adapter, field}.
 */
export function readAdapter(file: GgufFile, model: GgufFile, index: number): Adapter {
  checkKind(file, model);
  const alpha = numberOf(file, "adapter.lora.alpha", alphaRange) ?? 0;
  const bases = new Map(model.tensors.map((tensor) => [tensor.name, tensor]));
  const matrices = new Map<string, MatrixAdapter>();
  const tensors = new Map<string, GgufTensor>();
  for (const [name, pair] of findPairs(file)) {
    const base = bases.get(name);
    if (!base) throw malformed(file, name, "is no tensor of the model");
    const { a, b } = checkPair(file, base, pair);
    const [k = 1, n = 1, experts = 1] = base.shape;
    const rank = a.shape[1] ?? 1;
    const place = (tensor: GgufTensor, shape: { readonly k: number; readonly n: number }): Matrix => {
      const placed = `adapter ${index}: ${tensor.name}`;
      tensors.set(placed, tensor);
      return { name: placed, ...shape, ...(experts > 1 && { experts }) };
    };
    matrices.set(name, {
      adapter: index,
      a: place(a, { k, n: rank }),
      b: place(b, { k: rank, n }),
      factor: alpha === 0 ? 1 : alpha / rank,
    });
  }
  if (matrices.size === 0) throw malformed(file, "tensors", "are missing: it adapts nothing");
  return { file, matrices, tensors };
}

/** The type that a tensor of an adapter has in memory: they are small, and what is quantized becomes float32. */
export function adapterType({ typeName }: GgufTensor): GgmlTypeName {
  return typeName === "F16" || typeName === "BF16" ? typeName : "F32";
}

/** Throws `model_unsupported` for matrices that the forward pass never multiplies by. */
export function checkUsed({ file, matrices }: Adapter, used: ReadonlySet<string>): void {
  for (const name of matrices.keys()) {
    if (!used.has(name)) throw unsupported(file, name, "is no matrix that can be adapted");
  }
}

function checkKind(file: GgufFile, model: GgufFile): void {
  const kind = kindOf(file);
  if (kind !== "adapter") throw unsupported(file, "general.type", `says that it is a ${kind}, not an adapter`);
  validateForEngine(file);
  const type = stringOf(file, "adapter.type");
  if (type !== "lora") throw unsupported(file, "adapter.type", `is "${printable(String(type))}"; flint knows "lora"`);
  if ((file.splitCount ?? 1) > 1) throw unsupported(file, "split.count", "is more than one file");
  if (file.metadata.has("adapter.alora.invocation_tokens")) {
    throw unsupported(file, "adapter.alora.invocation_tokens", "asks for an adapter that tokens switch on");
  }
  const architecture = stringOf(file, "general.architecture");
  const wanted = stringOf(model, "general.architecture");
  if (architecture !== wanted) {
    throw unsupported(
      file,
      "general.architecture",
      `is "${printable(String(architecture))}"; the model's is "${wanted}"`,
    );
  }
}

interface Pair {
  readonly a?: GgufTensor;
  readonly b?: GgufTensor;
}

function findPairs(file: GgufFile): ReadonlyMap<string, Pair> {
  const pairs = new Map<string, Pair>();
  for (const tensor of file.tensors) {
    const [, name, side] = /^(.+)\.lora_(a|b)$/.exec(tensor.name) ?? [];
    if (name === undefined || side === undefined) {
      throw unsupported(file, tensor.name, "is neither a .lora_a nor a .lora_b");
    }
    if (name === "token_embd.weight") throw unsupported(file, tensor.name, "adapts token embeddings");
    if (!matrixTypes.has(tensor.typeName)) {
      throw unsupported(file, tensor.name, `is of type ${tensor.typeName}, which flint does not read`);
    }
    pairs.set(name, { ...pairs.get(name), [side]: tensor });
  }
  return pairs;
}

function checkPair(file: GgufFile, base: GgufTensor, { a, b }: Pair): Required<Pair> {
  const { name } = base;
  if (!a || !b) throw malformed(file, name, `has its .lora_${a ? "b" : "a"} missing`);
  const [k = 1, n = 1, experts = 1, more = 1] = base.shape;
  const rank = a.shape[1] ?? 1;
  if (rank > Math.min(mostRank, Math.max(k, n))) throw malformed(file, a.name, `has the rank ${rank}`);
  expectShape(file, a, [k, rank, experts, more]);
  expectShape(file, b, [rank, n, experts, more]);
  return { a, b };
}

function expectShape(file: GgufFile, { name, shape }: GgufTensor, expected: readonly number[]): void {
  if (expected.every((length, index) => (shape[index] ?? 1) === length)) return;
  const wanted = expected.slice(0, expected[2] === 1 ? 2 : 3).join(" × ");
  throw malformed(file, name, `has the shape ${shape.join(" × ")}; for this model it must be ${wanted}`);
}

function malformed(file: GgufFile, field: string, problem: string): HearthError {
  return new HearthError("model_malformed", message(file, field, problem), {
    hint: "The adapter may be for another model.",
    details: { adapter: file.name, field: printable(field) },
  });
}

function unsupported(file: GgufFile, field: string, problem: string): HearthError {
  return new HearthError("model_unsupported", message(file, field, problem), {
    hint: "The llama engine may run the model with this adapter.",
    details: { adapter: file.name, field: printable(field) },
  });
}

function message(file: GgufFile, field: string, problem: string): string {
  return `The adapter ${file.name}: ${printable(field)} ${problem}.`;
}
