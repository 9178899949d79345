/** Quantizes rows of weights with kernels in a memory of its own; one for each thread. */
import { ggmlType } from "../../../../formats/gguf/ggml.ts";
import type { GgmlTypeName } from "../../../../formats/gguf/ggml.ts";
import type { FunctionCode } from "../../kernels/wasm/code.ts";
import { writeConstants } from "../../kernels/wasm/constants.ts";
import { encodeModule } from "../../kernels/wasm/module.ts";
import { chooseCodes, codesName } from "../../kernels/wasm/quantize/codes.ts";
import { fitRange, rangeName } from "../../kernels/wasm/quantize/fit-range.ts";
import { fitScale, scaleName } from "../../kernels/wasm/quantize/fit-scale.ts";
import { narrowHalves, widenBrains, widenHalves } from "../../kernels/wasm/quantize/floats.ts";
import { quadEnd, quadGroups } from "../../kernels/wasm/quantize/quad.ts";
import { atLevel, detectLevel } from "../../kernels/wasm/simd.ts";
import { toFloat32 } from "../codecs/float.ts";
import type { Fit, Groups, QuantizedType } from "./recipe.ts";
import { recipes } from "./recipes.ts";

export interface Rows {
  readonly type: QuantizedType;
  /** Weights of a row. */
  readonly k: number;
  /** How much an error in each column counts, `k` of them, none below 0. */
  readonly importance?: Float32Array | undefined;
}

export interface QuantizeMachine {
  /** Weights that it takes at once. */
  readonly capacity: number;
  /** Room for that many weights as float32. */
  readonly weights: Float32Array;
  /** Room for as many of up to 32 bits, as they stand in a file. */
  readonly source: Uint8Array;
  /** Decodes `count` weights from `source` to `weights`. */
  load(type: GgmlTypeName, count: number): void;
  /** Quantizes the first `count` weights, whole rows, into `out`. RangeError: no whole blocks. */
  quantize(rows: Rows, count: number, out: Uint8Array): void;
}

type Kernel = (...parameters: number[]) => void;

/** Groups of other rows or of nothing that the last quad of a row may take in. */
const slack = 128;

export function createQuantizeMachine(capacity: number): QuantizeMachine {
  const places = placesFor(capacity);
  const memory = new WebAssembly.Memory({ initial: Math.ceil(places.end / 65_536), maximum: 65_536, shared: true });
  writeConstants(memory);
  const kernels = kernelsOf(memory);
  const floats = (at: number, length: number): Float32Array => new Float32Array(memory.buffer, at, length);
  const weights = floats(places.weights, capacity);
  const source = new Uint8Array(memory.buffer, places.source, capacity * 4);
  const groups: Groups = {
    scales: floats(places.scales, capacity / 16),
    seconds: floats(places.seconds, capacity / 16),
    inverses: floats(places.inverses, capacity / 16),
    offsets: floats(places.offsets, capacity / 16),
    codes: new Uint8Array(memory.buffer, places.codes, capacity),
  };

  const fit = (chosen: Fit, { k, importance }: Rows, count: number): void => {
    const name = chosen.kind === "range" ? rangeName(chosen) : scaleName(chosen);
    const kernel = kernels(name, () => (chosen.kind === "range" ? fitRange(chosen) : fitScale(chosen)));
    const run = (from: number, length: number): void => {
      const at = (from / chosen.group) * 4;
      const quads = Math.ceil(length / (chosen.group * quadGroups));
      kernel(places.weights + from * 4, places.importance, places.scales + at, places.seconds + at, quads);
    };
    if (!importance) return run(0, count);
    floats(places.importance, k).set(importance);
    for (let row = 0; row < count; row += k) run(row, k);
  };

  return {
    capacity,
    weights,
    source,
    load(type, count) {
      if (type === "F16" || type === "BF16") {
        const name = type === "F16" ? "widen-halves" : "widen-brains";
        const kernel = kernels(name, type === "F16" ? widenHalves : widenBrains);
        kernel(places.source, places.weights, Math.ceil(count / 4));
      } else toFloat32(type, source, weights.subarray(0, count));
    },
    quantize(rows, count, out) {
      const recipe = recipes[rows.type];
      const { blockSize, blockBytes } = ggmlType(rows.type);
      if (rows.k % blockSize !== 0 || count % rows.k !== 0) {
        throw new RangeError(`${count} weights are not whole rows of whole blocks of ${rows.type}`);
      }
      fit(recipe.fit(rows.importance && "importance"), rows, count);
      const perBlock = blockSize / recipe.codes.group;
      const blocks = count / blockSize;
      for (let block = 0; block < blocks; block++) recipe.settle(groups, block * perBlock, out, block * blockBytes);
      const encode = kernels(codesName(recipe.codes), () => chooseCodes(recipe.codes));
      encode(places.weights, places.inverses, places.offsets, places.codes, count / recipe.codes.group);
      for (let block = 0; block < blocks; block++) recipe.pack(groups.codes, block * blockSize, out, block * blockBytes);
    },
  };
}

/** Each kernel is compiled when it is first asked for. */
function kernelsOf(memory: WebAssembly.Memory): (name: string, write: () => FunctionCode) => Kernel {
  const known = new Map<string, Kernel>();
  const level = detectLevel() ?? "plain";
  return (name, write) => {
    const found = known.get(name);
    if (found) return found;
    const module = new WebAssembly.Module(encodeModule({ memories: 1, functions: [atLevel(level, write)] }));
    const kernel = new WebAssembly.Instance(module, { memory: { "0": memory } }).exports[name] as Kernel;
    known.set(name, kernel);
    return kernel;
  };
}

function placesFor(capacity: number) {
  let next = quadEnd;
  const place = (bytes: number): number => {
    const at = next;
    next = Math.ceil((at + bytes) / 64) * 64;
    return at;
  };
  const groupBytes = (capacity / 16 + quadGroups) * 4;
  return {
    weights: place((capacity + slack) * 4),
    importance: place((capacity + slack) * 4),
    source: place(capacity * 4),
    scales: place(groupBytes),
    seconds: place(groupBytes),
    inverses: place(groupBytes),
    offsets: place(groupBytes),
    codes: place(capacity),
    get end() {
      return next;
    },
  };
}

export const narrow: typeof narrowHalves = narrowHalves;
