/**
 * INT8 whose activations get their scales while the model runs: `DynamicQuantizeLinear` and `MatMulInteger` or `ConvInteger`
 * of ONNX, in the pattern that ONNX Runtime fuses.
 */
import { elementCount } from "../../formats/onnx/types.ts";
import type { OnnxNode, OnnxTensor } from "../../formats/onnx/types.ts";
import { gatherRows } from "./gather.ts";
import { asMatMul } from "./matmul.ts";
import type { MatMul } from "./matmul.ts";
import { int, isOnnx, node } from "./node.ts";
import type { Place, Rule } from "./rewrite.ts";
import type { Weights } from "./weights.ts";

export interface DynamicOptions {
  /** A scale for each column instead of one for a matrix. */
  readonly perChannel: boolean;
  /** Code of the weight that is farthest from 0. */
  readonly largest: number;
  /** ConvInteger needs operators of version 10, DynamicQuantizeLinear 11. */
  readonly opset: number;
}

export function dynamicRule(weights: Weights, options: DynamicOptions): Rule {
  return (found, place) => {
    if (isOnnx(found, "Gather")) return gatherRows(found, place, { weights, perChannel: options.perChannel });
    if (isOnnx(found, "Conv")) return convolve(found, place, { weights, ...options });
    const product = asMatMul(found, place.weight);
    if (product?.weight.type !== "float32") return undefined;
    return multiply(product, place, { weights, ...options });
  };
}

interface Work extends DynamicOptions {
  readonly weights: Weights;
}

function multiply(product: MatMul, place: Place, { weights, perChannel, largest }: Work): readonly OnnxNode[] {
  const { weight, rows, columns, transpose, input, output, bias } = product;
  const { codes, scales } = weights.int8(weight, place, {
    rows: transpose ? columns : rows,
    transpose,
    sharing: perChannel ? "column" : "all",
    largest,
    codeShape: [rows, columns],
    scaleShape: perChannel ? [columns] : [],
  });
  const entered = quantizeInput(input, place);
  const whole = place.fresh(`${output}_whole`);
  const result = bias === undefined ? output : place.fresh(`${output}_product`);
  return [
    ...entered.nodes,
    node({ operator: "MatMulInteger", inputs: [entered.codes, codes, entered.zero], outputs: [whole] }),
    ...rescale(place, { whole, input: entered.scale, weight: scales, output: result }),
    ...(bias === undefined ? [] : [node({ operator: "Add", inputs: [result, bias], outputs: [output] })]),
  ];
}

interface Entered {
  readonly nodes: readonly OnnxNode[];
  readonly codes: string;
  readonly scale: string;
  readonly zero: string;
}

/** What several nodes take is made codes of once. */
function quantizeInput(input: string, place: Place): Entered {
  const key = `codes of ${input}`;
  const known = place.local.get(key);
  const base = known ?? place.fresh(`${input}_codes`);
  const names = { codes: base, scale: `${base}_scale`, zero: `${base}_zero` };
  if (known !== undefined) return { ...names, nodes: [] };
  place.local.set(key, base);
  const outputs = [names.codes, names.scale, names.zero];
  return { ...names, nodes: [node({ operator: "DynamicQuantizeLinear", inputs: [input], outputs })] };
}

interface Rescaling {
  /** Sums of products of codes. */
  readonly whole: string;
  readonly input: string;
  readonly weight: string;
  readonly output: string;
}

function rescale(place: Place, { whole, input, weight, output }: Rescaling): readonly OnnxNode[] {
  const scale = place.fresh(`${output}_scale`);
  const float = place.fresh(`${output}_float`);
  return [
    node({ operator: "Cast", inputs: [whole], outputs: [float], attributes: { to: int(1) } }),
    node({ operator: "Mul", inputs: [input, weight], outputs: [scale] }),
    node({ operator: "Mul", inputs: [float, scale], outputs: [output] }),
  ];
}

/** Fewer weights for one value than this save nothing, and their rounding is not averaged out: depthwise and first layers. */
const leastWeights = 32;

function convolve(
  found: OnnxNode,
  place: Place,
  { weights, perChannel, largest, opset }: Work,
): readonly OnnxNode[] | undefined {
  const [input = "", kernel = "", bias = ""] = found.inputs;
  const output = found.outputs[0] ?? "";
  const tensor = place.weight(kernel);
  if (!tensor || opset < 11 || !isWorthwhile(tensor)) return undefined;
  const [channels = 1, ...rest] = tensor.shape;
  // One for each output channel, which is the second dimension of the result.
  const channelShape = [channels, ...rest.slice(1).map(() => 1)];
  const { codes, scales } = weights.int8(tensor, place, {
    rows: channels,
    transpose: false,
    sharing: perChannel ? "row" : "all",
    largest,
    codeShape: tensor.shape,
    scaleShape: perChannel ? channelShape : [],
  });
  const entered = quantizeInput(input, place);
  const whole = place.fresh(`${output}_whole`);
  const result = bias === "" ? output : place.fresh(`${output}_product`);
  const conv = { operator: "ConvInteger", inputs: [entered.codes, codes, entered.zero], outputs: [whole] };
  return [
    ...entered.nodes,
    { ...node(conv), attributes: found.attributes },
    ...rescale(place, { whole, input: entered.scale, weight: scales, output: result }),
    ...(bias === "" ? [] : addBias(place, { bias, result, output, channelShape })),
  ];
}

function isWorthwhile({ type, shape }: OnnxTensor): boolean {
  return type === "float32" && shape.length >= 3 && elementCount(shape.slice(1)) >= leastWeights;
}

interface Biased {
  readonly bias: string;
  readonly result: string;
  readonly output: string;
  readonly channelShape: readonly number[];
}

/** One number for each channel: it is given dimensions for the places. */
function addBias(place: Place, { bias, result, output, channelShape }: Biased): readonly OnnxNode[] {
  const shape = place.fresh(`${bias}_shape`);
  const shaped = place.fresh(`${bias}_shaped`);
  const sizes = new BigInt64Array(channelShape.map(BigInt));
  place.add({
    name: shape,
    type: "int64",
    shape: [sizes.length],
    data: { kind: "bytes", bytes: new Uint8Array(sizes.buffer) },
  });
  return [
    node({ operator: "Reshape", inputs: [bias, shape], outputs: [shaped] }),
    node({ operator: "Add", inputs: [result, shaped], outputs: [output] }),
  ];
}
