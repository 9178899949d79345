/** Matrices of four-bit codes that stand for 16 values given by a table, as bitsandbytes stores NF4 and FP4. */
import { floatToHalf } from "../../../util/half.ts";
import { isObject, shown } from "../json.ts";
import type { MatrixRows, QuantizedLayer } from "../scheme.ts";
import { createConfig } from "../config.ts";
import type { Config } from "../config.ts";
import { readBytes, readScales } from "./numbers.ts";
import { expectShape, partFault, partUnsupported, requirePart } from "./parts.ts";
import { isSize } from "./settings.ts";

const statePrefix = "weight.quant_state.bitsandbytes__";
/** Real ones have some hundred bytes. */
const mostStateBytes = 64 * 1024;
const largest = 2 ** 31;

export function isEncoded({ parts }: QuantizedLayer): boolean {
  return parts.has("weight.absmax");
}

interface State {
  readonly config: Config;
  readonly n: number;
  readonly k: number;
  /** Codes that share a scale; they go on from row to row. */
  readonly blockSize: number;
}

/**
 * Rows of F16: of the types of ggml it loses least, 2^-11 of each weight. NF4's values are no multiples of anything, and Q8_0
 * would round them by up to half a percent of the block's largest.
 */
export function tableRows(layer: QuantizedLayer): MatrixRows {
  const { n, k, blockSize, config } = readState(layer);
  const weight = requirePart(layer, "weight", { dtypes: ["U8"] });
  if (weight.sizeBytes !== Math.ceil((n * k) / 2)) {
    throw partFault(
      weight.name,
      `has ${weight.sizeBytes} bytes; a matrix of ${n} × ${k} has ${Math.ceil((n * k) / 2)}`,
    );
  }
  const quantMap = requirePart(layer, "weight.quant_map", { dtypes: ["F32"] });
  expectShape(quantMap, [16], "four bits");
  const table = readScales(quantMap);
  const readAbsmax = openAbsmax(layer, { config, blocks: Math.ceil((n * k) / blockSize) });
  let absmax: Float32Array | undefined;
  const readRows: MatrixRows["readRows"] = (first, count, target) => {
    absmax ??= readAbsmax();
    const start = first * k;
    const end = start + count * k;
    const bytes = new Uint8Array(Math.ceil(end / 2) - (start >> 1));
    weight.read(start >> 1, bytes);
    const shorts = new Uint16Array(count * k);
    for (let at = start; at < end;) {
      const block = Math.floor(at / blockSize);
      const scale = absmax[block]!;
      const products = Uint16Array.from(table, (value) => floatToHalf(value * scale));
      for (const stop = Math.min(end, (block + 1) * blockSize); at < stop; at++) {
        const byte = bytes[(at >> 1) - (start >> 1)]!;
        shorts[at - start] = products[at & 1 ? byte & 15 : byte >> 4]!;
      }
    }
    target.set(new Uint8Array(shorts.buffer));
    if (end === n * k) absmax = undefined;
  };
  return { type: "F16", n, k, readRows };
}

function readState(layer: QuantizedLayer): State {
  const name = [...layer.parts.keys()].find((part) => part.startsWith(statePrefix)) ?? `${statePrefix}nf4`;
  const part = requirePart(layer, name, { dtypes: ["U8"], rank: 1 });
  if (part.sizeBytes > mostStateBytes) throw partFault(part.name, `has ${part.sizeBytes} bytes`);
  const config = createConfig(parseState(part.name, readBytes(part)), part.name);
  const shape = config.get("shape");
  const [n, k]: readonly unknown[] = Array.isArray(shape) ? shape : [];
  if (!isSize(n) || !isSize(k) || n * k >= largest) throw partFault(part.name, `has the shape ${shown(shape)}`);
  const blockSize = config.requireInteger("blocksize");
  if (blockSize === 0) throw partFault(part.name, "has blocks of 0 weights");
  const type = config.text("quant_type");
  if (type !== "nf4" && type !== "fp4") {
    throw partUnsupported(part.name, `has the type ${shown(type)}; hearth reads nf4 and fp4`);
  }
  return { config, n, k, blockSize };
}

function parseState(name: string, bytes: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const state: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (isObject(state)) return state;
  } catch {
    // Said below.
  }
  throw partFault(name, "is no JSON object");
}

interface Absmax {
  readonly config: Config;
  readonly blocks: number;
}

/** Scales of the blocks; where they are quantized themselves: table[code] · scale of 256 of them + offset. */
function openAbsmax(layer: QuantizedLayer, { config, blocks }: Absmax): () => Float32Array {
  const part = requirePart(layer, "weight.absmax", { dtypes: ["F32", "U8"] });
  expectShape(part, [blocks], `a matrix of ${blocks} blocks`);
  if (part.dtype === "F32") return () => readScales(part);
  const size = config.requireInteger("nested_blocksize");
  const offset = config.requireNumber("nested_offset");
  const scales = requirePart(layer, "weight.nested_absmax", { dtypes: ["F32"] });
  const map = requirePart(layer, "weight.nested_quant_map", { dtypes: ["F32"] });
  expectShape(map, [256], "eight bits");
  if (size === 0) throw partFault(config.name, "has nested blocks of 0 scales");
  expectShape(scales, [Math.ceil(blocks / size)], `${blocks} scales in blocks of ${size}`);
  return () => {
    const values = readScales(map);
    const outer = readScales(scales);
    return Float32Array.from(readBytes(part), (code, index) => {
      return Math.fround(values[code]! * outer[Math.floor(index / size)]!) + offset;
    });
  };
}
