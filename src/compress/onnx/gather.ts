/** Tables of which a model takes rows, such as embeddings: rows of 8 bits with a scale each, at most 1/254 of its largest weight off. */
import { elementCount, elements } from "../../formats/onnx/types.ts";
import type { OnnxNode } from "../../formats/onnx/types.ts";
import { largestCode } from "./codes.ts";
import { int, intOf, node } from "./node.ts";
import type { Place } from "./rewrite.ts";
import type { Weights } from "./weights.ts";

const leastWeights = 1024;

interface Work {
  readonly weights: Weights;
  readonly perChannel: boolean;
}

/** Takes the same rows of the codes and of the scales. */
export function gatherRows(
  found: OnnxNode,
  place: Place,
  { weights, perChannel }: Work,
): readonly OnnxNode[] | undefined {
  const [name = "", indices = ""] = found.inputs;
  const output = found.outputs[0] ?? "";
  const table = place.weight(name);
  if (!table || (table.type !== "float32" && table.type !== "float16") || table.shape.length !== 2) return undefined;
  if (intOf(found, "axis", 0) !== 0 || elementCount(table.shape) < leastWeights) return undefined;
  const [rows = 1] = table.shape;
  const { codes, scales } = weights.int8(table, place, {
    rows,
    transpose: false,
    sharing: perChannel ? "row" : "all",
    largest: largestCode.all,
    codeShape: table.shape,
    scaleShape: perChannel ? [rows, 1] : [],
  });
  const taken = place.fresh(`${output}_codes`);
  const float = place.fresh(`${output}_float`);
  const scale = perChannel ? place.fresh(`${output}_scale`) : scales;
  const { code } = elements[table.type];
  return [
    node({ operator: "Gather", inputs: [codes, indices], outputs: [taken] }),
    ...(perChannel ? [node({ operator: "Gather", inputs: [scales, indices], outputs: [scale] })] : []),
    node({ operator: "Cast", inputs: [taken], outputs: [float], attributes: { to: int(code) } }),
    node({ operator: "Mul", inputs: [float, scale], outputs: [output] }),
  ];
}
