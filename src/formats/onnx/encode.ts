/** Writes a ModelProto. Elements of tensors in files are copied while they are written, and never held all together. */
import { Message } from "../protobuf/message.ts";
import type { LazyBytes, Piece } from "../protobuf/message.ts";
import type { ReadData } from "./data.ts";
import { tensorBytes } from "./data.ts";
import { attributeKinds, dataBytes, elements } from "./types.ts";
import type { OnnxAttribute, OnnxFunction, OnnxGraph, OnnxModel, OnnxNode, OnnxSparseTensor } from "./types.ts";
import type { Dimension, OnnxTensor, OnnxType, OnnxValue } from "./types.ts";

export interface EncodedOnnx {
  readonly sizeBytes: number;
  /** The file, in this order. */
  readonly pieces: readonly Piece[];
}

/** `read` gives the elements of tensors that are in files; without it a model may only have such that are made here. */
export function encodeOnnx(model: OnnxModel, read: ReadData = nothing): EncodedOnnx {
  const message = new Encoding(read).model(model);
  return { sizeBytes: message.length, pieces: message.pieces() };
}

/** All bytes of a small model. */
export async function onnxBytes(model: OnnxModel, read?: ReadData): Promise<Uint8Array<ArrayBuffer>> {
  const { sizeBytes, pieces } = encodeOnnx(model, read);
  const bytes = new Uint8Array(sizeBytes);
  let at = 0;
  await writePieces(pieces, async (piece) => {
    bytes.set(piece, at);
    at += piece.length;
  });
  return bytes;
}

export async function writePieces(pieces: readonly Piece[], sink: (bytes: Uint8Array) => Promise<void>): Promise<void> {
  for (const piece of pieces) {
    if (piece instanceof Uint8Array) await sink(piece);
    else await piece.write(sink);
  }
}

const nothing: ReadData = () => {
  throw new RangeError("the model has elements in a file, but none is given");
};

const copyBytes = 4 * 1024 ** 2;

type RareAttribute = Exclude<
  OnnxAttribute,
  { readonly kind: "float" | "int" | "string" | "tensor" | "graph" | "floats" | "ints" | "strings" }
>;

class Encoding {
  private readonly read: ReadData;

  constructor(read: ReadData) {
    this.read = read;
  }

  model(model: OnnxModel): Message {
    const { irVersion, producer, domain, version, documentation, opsets, metadata, graph, functions } = model;
    const message = new Message().integer(1, irVersion);
    text(message, 2, producer.name);
    text(message, 3, producer.version);
    text(message, 4, domain);
    if (version !== 0n) message.integer(5, version);
    text(message, 6, documentation);
    message.message(7, this.graph(graph));
    addOpsets(message, 8, opsets);
    for (const [key, value] of metadata) message.message(14, new Message().text(1, key).text(2, value));
    for (const item of functions) message.message(25, this.function(item));
    return message;
  }

  private graph(graph: OnnxGraph): Message {
    const message = new Message();
    for (const node of graph.nodes) message.message(1, this.node(node));
    text(message, 2, graph.name);
    for (const tensor of graph.initializers.values()) message.message(5, this.tensor(tensor));
    for (const value of graph.inputs) message.message(11, encodeValue(value));
    for (const value of graph.outputs) message.message(12, encodeValue(value));
    for (const value of graph.values) message.message(13, encodeValue(value));
    for (const tensor of graph.sparseInitializers) message.message(15, this.sparse(tensor));
    return message;
  }

  private node({ inputs, outputs, name, operator, domain, overload, attributes }: OnnxNode): Message {
    const message = new Message();
    for (const input of inputs) message.text(1, input);
    for (const output of outputs) message.text(2, output);
    text(message, 3, name);
    message.text(4, operator);
    for (const [key, attribute] of attributes) message.message(5, this.attribute(key, attribute));
    text(message, 7, domain);
    text(message, 8, overload);
    return message;
  }

  private function({ inputs, outputs, defaults, nodes, values, opsets, ...words }: OnnxFunction): Message {
    const message = new Message().text(1, words.name);
    for (const input of inputs) message.text(4, input);
    for (const output of outputs) message.text(5, output);
    for (const attribute of words.attributes) message.text(6, attribute);
    for (const node of nodes) message.message(7, this.node(node));
    addOpsets(message, 9, opsets);
    text(message, 10, words.domain);
    for (const [key, attribute] of defaults) message.message(11, this.attribute(key, attribute));
    for (const value of values) message.message(12, encodeValue(value));
    text(message, 13, words.overload);
    return message;
  }

  private attribute(name: string, attribute: OnnxAttribute): Message {
    const message = new Message().text(1, name);
    const kind = attribute.kind === "reference" ? attribute.of : attribute.kind;
    this.attributeValue(message, attribute);
    return message.integer(20, attributeKinds.indexOf(kind) + 1);
  }

  private attributeValue(message: Message, attribute: OnnxAttribute): void {
    switch (attribute.kind) {
      case "float":
        message.float32(2, attribute.value);
        break;
      case "int":
        message.integer(3, attribute.value);
        break;
      case "string":
        message.bytes(4, attribute.value);
        break;
      case "tensor":
        message.message(5, this.tensor(attribute.value));
        break;
      case "graph":
        message.message(6, this.graph(attribute.value));
        break;
      case "floats":
        for (const value of attribute.value) message.float32(7, value);
        break;
      case "ints":
        for (const value of attribute.value) message.integer(8, value);
        break;
      case "strings":
        for (const value of attribute.value) message.bytes(9, value);
        break;
      default:
        this.rareValue(message, attribute);
    }
  }

  private rareValue(message: Message, attribute: RareAttribute): void {
    switch (attribute.kind) {
      case "tensors":
        for (const value of attribute.value) message.message(10, this.tensor(value));
        break;
      case "graphs":
        for (const value of attribute.value) message.message(11, this.graph(value));
        break;
      case "type":
        message.message(14, encodeType(attribute.value));
        break;
      case "types":
        for (const value of attribute.value) message.message(15, encodeType(value));
        break;
      case "reference":
        message.text(21, attribute.value);
        break;
      case "sparse-tensor":
        message.message(22, this.sparse(attribute.value));
        break;
      case "sparse-tensors":
        for (const value of attribute.value) message.message(23, this.sparse(value));
        break;
    }
  }

  private sparse({ values, indices, shape }: OnnxSparseTensor): Message {
    const message = new Message().message(1, this.tensor(values)).message(2, this.tensor(indices));
    for (const size of shape) message.integer(3, size);
    return message;
  }

  private tensor(tensor: OnnxTensor): Message {
    const message = new Message();
    for (const size of tensor.shape) message.integer(1, size);
    message.integer(2, elements[tensor.type].code);
    if (tensor.data.kind === "strings") for (const value of tensor.data.values) message.bytes(6, value);
    text(message, 8, tensor.name);
    if (tensor.data.kind !== "strings") message.bytes(9, this.elementsOf(tensor));
    return message;
  }

  private elementsOf(tensor: OnnxTensor): Piece {
    const { data, type, shape } = tensor;
    const length = dataBytes(type, shape);
    switch (data.kind) {
      case "bytes":
        return checkLength(tensor, data.bytes, length);
      case "lazy":
        return checkLength(tensor, data.bytes, length);
      case "file":
      case "external":
        return this.copy(data, length);
      default:
        return { length, write: async (sink) => await sink(tensorBytes(tensor, this.read)) };
    }
  }

  private copy(place: { readonly location?: string; readonly offset: number }, length: number): LazyBytes {
    return {
      length,
      write: async (sink) => {
        const buffer = new Uint8Array(Math.min(copyBytes, length));
        for (let done = 0; done < length; done += copyBytes) {
          const piece = buffer.subarray(0, Math.min(copyBytes, length - done));
          this.read({ ...place, offset: place.offset + done }, piece);
          await sink(piece);
        }
      },
    };
  }
}

function checkLength(tensor: OnnxTensor, piece: Piece, length: number): Piece {
  if (piece.length === length) return piece;
  throw new RangeError(`${tensor.name} has ${piece.length} bytes instead of ${length}`);
}

/** Empty texts are left out: they say nothing. */
function text(message: Message, field: number, value: string): void {
  if (value !== "") message.text(field, value);
}

function addOpsets(message: Message, field: number, opsets: ReadonlyMap<string, number>): void {
  for (const [domain, version] of opsets) message.message(field, new Message().text(1, domain).integer(2, version));
}

function encodeValue({ name, type }: OnnxValue): Message {
  const message = new Message().text(1, name);
  return type ? message.message(2, encodeType(type)) : message;
}

function encodeType(type: OnnxType): Message {
  const message = new Message();
  switch (type.kind) {
    case "tensor":
      return message.message(1, encodeTensorType(type));
    case "sparse-tensor":
      return message.message(8, encodeTensorType(type));
    case "sequence":
      return message.message(4, new Message().message(1, encodeType(type.of)));
    case "optional":
      return message.message(9, new Message().message(1, encodeType(type.of)));
    case "map": {
      const key = type.key === undefined ? 0 : elements[type.key].code;
      return message.message(5, new Message().integer(1, key).message(2, encodeType(type.of)));
    }
    case "opaque":
      return message.message(7, new Message().text(1, type.domain).text(2, type.name));
  }
}

function encodeTensorType({ element, shape }: Extract<OnnxType, { readonly element: unknown }>): Message {
  const message = new Message().integer(1, element === undefined ? 0 : elements[element].code);
  if (!shape) return message;
  const dimensions = new Message();
  for (const dimension of shape) dimensions.message(1, encodeDimension(dimension));
  return message.message(2, dimensions);
}

function encodeDimension(dimension: Dimension): Message {
  const message = new Message();
  if (typeof dimension === "number") return message.integer(1, dimension);
  return dimension === undefined ? message : message.text(2, dimension);
}
