/** Quantizes rows of weights with kernels in a memory of its own; one for each thread. */
import { ggmlType } from "../../../../formats/gguf/ggml.ts";
import type { GgmlTypeName } from "../../../../formats/gguf/ggml.ts";
import { floatToBrain } from "../../../../util/half.ts";
import { quadGroups } from "../../kernels/wasm/quantize/quad.ts";
import { toFloat32 } from "../codecs/float.ts";
import { adjustKernel, beyondKernel, codesKernel, fitKernel, narrowKernel, widenKernels } from "./kernels.ts";
import type { Workspace } from "./workspace.ts";
import { createWorkspace } from "./workspace.ts";
import type { Adjust, Block, Fit, QuantizedType } from "./recipe.ts";
import { recipes } from "./recipes.ts";

export type WritableType = "F32" | "F16" | "BF16" | QuantizedType;

export interface Rows {
  readonly type: WritableType;
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
  /** Decodes `count` weights from `source` to `weights`. RangeError: not all of them are finite. */
  load(type: GgmlTypeName, count: number): void;
  /** Writes the first `count` weights, whole rows, to `out`. RangeError: no whole blocks, or a scale that no f16 can hold. */
  write(rows: Rows, count: number, out: Uint8Array): void;
}

/** `module`: what `quantizeModule` says, compiled; kernels that it lacks are compiled when they are needed. */
export function createQuantizeMachine(capacity: number, module?: WebAssembly.Module): QuantizeMachine {
  const workspace = createWorkspace(capacity, module);
  const { weights, source } = workspace;
  return {
    capacity,
    weights,
    source,
    load(type, count) {
      widen(workspace, type, count);
      checkFinite(workspace, type, count);
    },
    write(rows, count, out) {
      const { type } = rows;
      switch (type) {
        case "F32":
          return out.set(new Uint8Array(weights.buffer, weights.byteOffset, count * 4));
        case "F16":
          return narrow(workspace, count, out);
        case "BF16": {
          const shorts = Uint16Array.from(weights.subarray(0, count), floatToBrain);
          return out.set(new Uint8Array(shorts.buffer));
        }
        default:
          return quantize(workspace, { ...rows, type }, { count, out });
      }
    },
  };
}

function widen({ kernel, places, source, weights }: Workspace, type: GgmlTypeName, count: number): void {
  const widener = widenKernels[type];
  if (widener) kernel(widener)(places.source, places.weights, Math.ceil(count / 4));
  else toFloat32(type, source, weights.subarray(0, count));
}

/** Infinity and NaN of f16 have become numbers from 65536 up. */
function checkFinite({ kernel, places, weights, memory }: Workspace, type: GgmlTypeName, count: number): void {
  const limit = type === "F16" ? 65_536 : 3.4e38;
  // The last vector may reach beyond the weights.
  weights.fill(0, count, count + 3);
  kernel(beyondKernel)(places.weights, places.scales, Math.ceil(count / 4), limit);
  if (new Int32Array(memory.buffer, places.scales, 4).some((word) => word !== 0)) {
    throw new RangeError("holds numbers that are not finite");
  }
}

function narrow({ kernel, places, source }: Workspace, count: number, out: Uint8Array): void {
  kernel(narrowKernel)(places.weights, places.source, Math.ceil(count / 4));
  out.set(source.subarray(0, count * 2));
}

interface Target {
  readonly count: number;
  readonly out: Uint8Array;
}

function quantize(workspace: Workspace, rows: Rows & { readonly type: QuantizedType }, { count, out }: Target): void {
  const { kernel, places, groups } = workspace;
  const recipe = recipes[rows.type];
  const { blockSize, blockBytes } = ggmlType(rows.type);
  if (rows.k % blockSize !== 0 || count % rows.k !== 0) {
    throw new RangeError(`${count} weights are not whole rows of whole blocks of ${rows.type}`);
  }
  const weighing = rows.importance && "importance";
  const { settle, adjust, write, pack, codes } = recipe;
  const perBlock = blockSize / codes.group;
  const blocks = count / blockSize;
  const each = (run: (block: Block) => void): void => {
    for (let block = 0; block < blocks; block++) run({ first: block * perBlock, out, at: block * blockBytes });
  };
  search(workspace, fitSearch(workspace, recipe.fit(weighing)), { ...rows, count });
  if (settle) each((block) => settle(groups, block));
  if (adjust) search(workspace, adjustSearch(workspace, adjust(weighing)), { ...rows, count });
  each((block) => write(groups, block));
  kernel(codesKernel(codes))(places.weights, places.inverses, places.offsets, places.codes, count / codes.group);
  const view = new DataView(out.buffer, out.byteOffset, out.length);
  for (let block = 0; block < blocks; block++) pack(groups.codes, (block * blockSize) / 4, view, block * blockBytes);
}

/** A kernel that goes over groups: how large they are, and which arrays it takes beside weights and importance. */
interface Search {
  readonly group: number;
  readonly arrays: readonly number[];
  readonly run: (...parameters: number[]) => void;
}

function fitSearch({ kernel, places }: Workspace, fit: Fit): Search {
  const arrays = fit.kind === "range" ? [places.scales, places.seconds] : [places.scales];
  return { group: fit.group, arrays, run: kernel(fitKernel(fit)) };
}

function adjustSearch({ kernel, places }: Workspace, adjust: Adjust): Search {
  const { scales, seconds, inverses, offsets } = places;
  const arrays = adjust.kind === "range" ? [scales, seconds, inverses, offsets] : [scales, inverses];
  return { group: adjust.group, arrays, run: kernel(adjustKernel(adjust)) };
}

/** The last quad of a row may take in groups of the next one, whose own turn comes after it. */
function search(
  { places, memory }: Workspace,
  { group, arrays, run }: Search,
  { k, importance, count }: Rows & { readonly count: number },
): void {
  const part = (from: number, length: number): void => {
    const at = (from / group) * 4;
    const quads = Math.ceil(length / (group * quadGroups));
    run(places.weights + from * 4, places.importance, ...arrays.map((array) => array + at), quads);
  };
  if (!importance) return part(0, count);
  new Float32Array(memory.buffer, places.importance, k).set(importance);
  for (let row = 0; row < count; row += k) part(row, k);
}
