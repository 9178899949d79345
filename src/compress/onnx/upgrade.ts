/**
 * A model with the operators of a newer version. Source: the changes that each operator lists in
 * https://github.com/onnx/onnx/blob/main/docs/Changelog.md
 */
import { HearthError } from "../../error.ts";
import type { OnnxAttribute, OnnxModel, OnnxNode } from "../../formats/onnx/types.ts";
import { bytesOf, floatOf, floats, int, intOf, isOnnx, node } from "./node.ts";
import type { Place } from "./rewrite.ts";
import { rewriteModel } from "./rewrite.ts";

type Version = 11 | 13;

/** Version of the format with which each set of operators came. */
const irVersions: Readonly<Record<Version, number>> = { 11: 6, 13: 7 };

/** Versions before this one differ in too much. */
const oldest = 7;

/** Throws `model_unsupported` for models that are too old, or define operators in those of their version. */
export function upgradeModel(model: OnnxModel, version: Version): OnnxModel {
  const from = model.opsets.get("") ?? 0;
  if (from >= version) return model;
  if (from < oldest || model.functions.length > 0) throw tooOld(from, version);
  const changed = rewriteModel(model, (found, place) => {
    if (from < 9 && isOnnx(found, "Scan")) throw tooOld(from, version);
    const result = from < 11 ? toEleven(found, place) : found;
    const last = from < 13 && version >= 13 ? toThirteen(result, place) : [result];
    return last.length === 1 && last[0] === found ? undefined : last;
  });
  return {
    ...changed,
    irVersion: Math.max(changed.irVersion, irVersions[version]),
    opsets: new Map([...model.opsets, ["", version]]),
  };
}

function tooOld(from: number, version: Version): HearthError {
  return new HearthError(
    "model_unsupported",
    `The model has operators of version ${from}, which cannot be said in those of version ${version}.`,
    { hint: `Export it again with opset ${version} or later.`, details: { field: "opset_import" } },
  );
}

/** What were attributes became inputs. */
function toEleven(found: OnnxNode, place: Place): OnnxNode {
  const add = inputAdder(found, place);
  if (isOnnx(found, "Scatter")) return { ...found, operator: "ScatterElements" };
  if (isOnnx(found, "Upsample", "Resize")) return toResize(found, add);
  if (isOnnx(found, "Slice") && found.inputs.length === 1) {
    return changed(found, [add.ints("starts"), add.ints("ends"), add.ints("axes")]);
  }
  if (isOnnx(found, "TopK") && found.attributes.has("k")) {
    return changed(found, [add.made("k", [BigInt(intOf(found, "k", 1))], [1])]);
  }
  if (isOnnx(found, "Clip") && found.inputs.length === 1) return changed(found, [add.float("min"), add.float("max")]);
  if (isOnnx(found, "Pad") && found.inputs.length === 1) return changed(found, [add.ints("pads"), add.float("value")]);
  return found;
}

/** Before version 11 sizes were rounded down, and pixels had their places at their corners. */
function toResize(found: OnnxNode, add: InputAdder): OnnxNode {
  const [input = "", scales = add.floats("scales")] = found.inputs;
  const { attributes, ...rest } = changed(found, []);
  const own: readonly (readonly [string, OnnxAttribute])[] = [
    ["coordinate_transformation_mode", { kind: "string", value: new TextEncoder().encode("asymmetric") }],
    ["nearest_mode", { kind: "string", value: new TextEncoder().encode("floor") }],
  ];
  return { ...rest, operator: "Resize", inputs: [input, "", scales], attributes: new Map([...attributes, ...own]) };
}

function toThirteen(found: OnnxNode, place: Place): readonly OnnxNode[] {
  const add = inputAdder(found, place);
  if (isOnnx(found, "Dropout")) return [without(found, "ratio")];
  if (isOnnx(found, "Squeeze", "Unsqueeze", "ReduceSum") && found.attributes.has("axes")) {
    return [changed(found, [add.ints("axes")])];
  }
  if (isOnnx(found, "Split") && found.attributes.has("split")) return [changed(found, [add.ints("split")])];
  if (isOnnx(found, "Softmax", "LogSoftmax", "Hardmax")) return toOneAxis(found, place);
  return [found];
}

/** Before version 13 these ran over all dimensions from an axis on, as if they were one. */
function toOneAxis(found: OnnxNode, place: Place): readonly OnnxNode[] {
  const axis = intOf(found, "axis", 1);
  if (axis === -1) return [{ ...found, attributes: new Map([["axis", int(-1)]]) }];
  const [input = ""] = found.inputs;
  const [output = ""] = found.outputs;
  const [flat, result, shape] = ["flat", "result", "shape"].map((word) => place.fresh(`${output}_${word}`)) as [
    string,
    string,
    string,
  ];
  return [
    node({ operator: "Shape", inputs: [input], outputs: [shape] }),
    node({ operator: "Flatten", inputs: [input], outputs: [flat], attributes: { axis: int(axis) } }),
    { ...found, inputs: [flat], outputs: [result], attributes: new Map([["axis", int(-1)]]) },
    node({ operator: "Reshape", inputs: [result, shape], outputs: [output] }),
  ];
}

interface InputAdder {
  /** The attribute as an initializer; "": it is not there. */
  ints(attribute: string): string;
  floats(attribute: string): string;
  float(attribute: string): string;
  made(word: string, values: readonly bigint[], shape: readonly number[]): string;
}

function inputAdder(found: OnnxNode, place: Place): InputAdder {
  const nameOf = (word: string): string => place.fresh(`${found.outputs[0] ?? ""}_${word}`);
  const made = (word: string, values: readonly bigint[], shape: readonly number[]): string =>
    place.add({
      name: nameOf(word),
      type: "int64",
      shape,
      data: { kind: "bytes", bytes: bytesOf(BigInt64Array.from(values)) },
    });
  return {
    made,
    ints(attribute) {
      const value = found.attributes.get(attribute);
      return value?.kind === "ints" ? made(attribute, value.value, [value.value.length]) : "";
    },
    floats(attribute) {
      const value = found.attributes.get(attribute);
      if (value?.kind !== "floats") return "";
      return place.add(floats(nameOf(attribute), [value.value.length], Float32Array.from(value.value)));
    },
    float(attribute) {
      if (!found.attributes.has(attribute)) return "";
      return place.add(floats(nameOf(attribute), [], Float32Array.of(floatOf(found, attribute, 0))));
    },
  };
}

/** Attributes that inputs took the place of. */
const replaced = ["axes", "starts", "ends", "split", "pads", "value", "min", "max", "k", "scales"] as const;

function changed(found: OnnxNode, inputs: readonly string[]): OnnxNode {
  const all = [...found.inputs, ...inputs];
  // Those that are left out at the end are not written.
  while (all.at(-1) === "") all.pop();
  return { ...without(found, ...replaced), inputs: all };
}

function without(found: OnnxNode, ...names: readonly string[]): OnnxNode {
  return { ...found, attributes: new Map([...found.attributes].filter(([name]) => !names.includes(name))) };
}
