/** Norms and matrices. Each names the tensors of its layer as GGUF does. */
import type { LinearOptions, Value, Vector } from "../graph/graph.ts";
import type { Block } from "./block.ts";
import type { Hyperparameters } from "./hyperparameters.ts";

/** Whether a tensor's bias is there. */
export type Bias = "none" | "optional" | "required";

/** Norm of whole rows by `blk.<layer>.<name>`, or by `<name>` where there is no layer. */
export function norm(
  block: Omit<Block, "layer"> & { layer?: number },
  x: Value,
  name: string,
  bias: Bias = "none",
): Value {
  const path = block.layer === undefined ? name : `blk.${block.layer}.${name}`;
  return block.graph.norm(x, {
    ...block.model.norm,
    weight: block.model.tensors.vector(`${path}.weight`, x.width),
    ...biasOf(block.model, { name: path, length: x.width, bias }),
  });
}

/** Norm of each head by a weight that all heads share. */
export function normHeads(block: Block, x: Value, name: string): Value {
  const { graph, model, layer } = block;
  const weight = model.tensors.vector(`blk.${layer}.${name}.weight`, model.headWidth);
  return graph.norm(x, { ...model.norm, weight, headWidth: model.headWidth });
}

export interface Linear {
  readonly name: string;
  /** Output width. */
  readonly width: number;
  readonly bias?: Bias;
}

/** `blk.<layer>.<name>` times x. */
export function linear({ graph, model, layer }: Block, x: Value, { name, width, bias }: Linear): Value {
  const path = `blk.${layer}.${name}`;
  const weight = model.tensors.matrix(`${path}.weight`, x.width, width);
  return graph.linear(x, weight, biasOf(model, { name: path, length: width, bias: bias ?? "none" }));
}

export interface BiasName {
  readonly name: string;
  readonly length: number;
  readonly bias: Bias;
}

export function biasOf({ tensors }: Hyperparameters, { name, length, bias }: BiasName): { readonly bias?: Vector } {
  const path = `${name}.bias`;
  if (bias === "none" || (bias === "optional" && !tensors.has(path))) return {};
  return { bias: tensors.vector(path, length) };
}

export interface LinearParts<Widths> {
  readonly name: string;
  readonly widths: Widths;
  readonly bias: Bias;
}

/** A matrix whose rows are those of several. */
export function linearParts<const Widths extends readonly number[]>(
  { graph, model, layer }: Block,
  x: Value,
  { name, widths, bias }: LinearParts<Widths>,
): { [Part in keyof Widths]: Value } {
  const path = `blk.${layer}.${name}`;
  const total = widths.reduce((sum, width) => sum + width, 0);
  const weight = model.tensors.matrix(`${path}.weight`, x.width, total);
  const all = biasOf(model, { name: path, length: total, bias }).bias;
  let row = 0;
  const part = (width: number): Value => {
    const options: LinearOptions = all ? { bias: { ...all, start: row, length: width } } : {};
    const value = graph.linear(x, { ...weight, row, n: width }, options);
    row += width;
    return value;
  };
  return widths.map(part) as { [Part in keyof Widths]: Value };
}
