/** What the fields of a model must be to each other. */
import type { FlatReader } from "./reader.ts";
import { elementBits } from "./types.ts";
import type { TfliteModel, TfliteSubgraph, TfliteTensor } from "./types.ts";

export function checkModel(model: TfliteModel, reader: FlatReader): void {
  for (const [index, subgraph] of model.subgraphs.entries()) {
    reader.part = `subgraphs[${index}]`;
    checkSubgraph(model, subgraph, reader);
  }
  checkCalls(model, reader);
  checkSignatures(model, reader);
  reader.part = "metadata";
  for (const [name, buffer] of model.metadata) {
    if (buffer >= model.buffers.length) reader.fail(`has "${name.slice(0, 80)}" in a buffer that is not there`, 0);
  }
}

function checkSubgraph(model: TfliteModel, subgraph: TfliteSubgraph, reader: FlatReader): void {
  const { tensors, inputs, outputs, operators } = subgraph;
  const part = reader.part;
  const known = (index: number, optional: boolean): void => {
    if (index >= tensors.length || index < (optional ? -1 : 0)) {
      reader.fail(`names the tensor ${index} of ${tensors.length}`, 0);
    }
  };
  for (const index of [...inputs, ...outputs]) known(index, false);
  for (const [index, operator] of operators.entries()) {
    reader.part = `${part}.operators[${index}]`;
    for (const tensor of operator.inputs) known(tensor, true);
    for (const tensor of operator.outputs) known(tensor, true);
  }
  for (const [index, tensor] of tensors.entries()) {
    reader.part = `${part}.tensors[${index}]`;
    checkTensor(model, tensor, reader);
  }
}

function checkTensor({ buffers }: TfliteModel, tensor: TfliteTensor, reader: FlatReader): void {
  if (tensor.buffer >= buffers.length) reader.fail(`has its data in buffer ${tensor.buffer} of ${buffers.length}`, 0);
  const { quantization } = tensor;
  if (quantization && quantization.scales.length > 1) {
    const size = tensor.shape[quantization.axis];
    if (size !== quantization.scales.length) {
      reader.fail(`has ${quantization.scales.length} scales along an axis of ${size ?? "no"} elements`, 0);
    }
  }
  const data = buffers[tensor.buffer];
  const bytes = tensorBytes(tensor);
  if (!data || bytes === undefined || tensor.isSparse || data.length === bytes) return;
  reader.fail(`needs ${bytes} bytes of data, but buffer ${tensor.buffer} has ${data.length}`, data.offset);
}

/** Bytes of a tensor's elements; undefined for texts and handles. */
export function tensorBytes({ type, shape }: Pick<TfliteTensor, "type" | "shape">): number | undefined {
  const bits = elementBits[type];
  return bits === undefined ? undefined : Math.ceil((shape.reduce((product, size) => product * size, 1) * bits) / 8);
}

/** Subgraphs that run one another must come to an end. */
function checkCalls({ subgraphs }: TfliteModel, reader: FlatReader): void {
  const done = new Set<number>();
  const open = new Set<number>();
  const visit = (index: number): void => {
    reader.part = `subgraphs[${index}]`;
    if (done.has(index)) return;
    if (open.has(index)) reader.fail("runs itself", 0);
    open.add(index);
    for (const called of subgraphs[index]?.operators.flatMap(({ calls }) => calls) ?? []) {
      if (called < 0 || called >= subgraphs.length)
        reader.fail(`runs the subgraph ${called} of ${subgraphs.length}`, 0);
      visit(called);
    }
    open.delete(index);
    done.add(index);
  };
  for (const index of subgraphs.keys()) visit(index);
}

function checkSignatures({ signatures, subgraphs }: TfliteModel, reader: FlatReader): void {
  for (const [index, { subgraph, inputs, outputs }] of signatures.entries()) {
    reader.part = `signature_defs[${index}]`;
    const graph = subgraphs[subgraph];
    if (!graph) return reader.fail(`is of the subgraph ${subgraph} of ${subgraphs.length}`, 0);
    for (const { tensor } of [...inputs, ...outputs]) {
      if (tensor >= graph.tensors.length) reader.fail(`names the tensor ${tensor} of ${graph.tensors.length}`, 0);
    }
  }
}
