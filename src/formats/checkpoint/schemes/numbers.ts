/** Small tensors, read whole, as numbers. */
import { halves } from "../../../util/half.ts";
import type { SafetensorsType } from "../../safetensors/types.ts";
import type { RawTensor } from "../scheme.ts";
import { partFault } from "./parts.ts";

/** Types that scales come in. */
export const scaleTypes: readonly SafetensorsType[] = ["F16", "BF16", "F32", "F8_E8M0"];

export function readBytes(tensor: RawTensor): Uint8Array {
  const bytes = new Uint8Array(tensor.sizeBytes);
  tensor.read(0, bytes);
  return bytes;
}

/** 32-bit words, unsigned. */
export function readWords(tensor: RawTensor): Uint32Array {
  const words = new Uint32Array(tensor.sizeBytes / 4);
  tensor.read(0, new Uint8Array(words.buffer));
  return words;
}

/** Float32 values of a tensor of one of `scaleTypes`. */
export function readNumbers(tensor: RawTensor): Float32Array {
  const bytes = readBytes(tensor);
  switch (tensor.dtype) {
    case "F32":
      return new Float32Array(bytes.buffer);
    case "F16":
      return Float32Array.from(new Uint16Array(bytes.buffer), (half) => halves[half] ?? 0);
    case "BF16":
      return new Float32Array(Uint32Array.from(new Uint16Array(bytes.buffer), (half) => half << 16).buffer);
    case "F8_E8M0":
      // OCP Microscaling Formats 1.0: powers of two, bias 127; 255 is no number.
      return Float32Array.from(bytes, (byte) => (byte === 255 ? NaN : 2 ** (byte - 127)));
    default:
      throw partFault(tensor.name, `has elements of type ${tensor.dtype}, which scales never are`);
  }
}

/** The same, each of them checked to be a number. Throws `model_malformed`. */
export function readScales(tensor: RawTensor): Float32Array {
  const scales = readNumbers(tensor);
  const wrong = scales.findIndex((scale) => !Number.isFinite(scale));
  if (wrong >= 0) throw partFault(tensor.name, `has the scale ${scales[wrong]} as element ${wrong}`);
  return scales;
}

/** [rows][columns] → [columns][rows] */
export function transpose<Numbers extends Float32Array | Int16Array>(values: Numbers, rows: number): Numbers {
  const turned = values.slice() as Numbers;
  const columns = values.length / rows;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) turned[column * rows + row] = values[row * columns + column]!;
  }
  return turned;
}
