import { limits } from "./limits.ts";
import { readSparseTensor, readTensor } from "./parse-tensor.ts";
import { readType } from "./parse-type.ts";
import type { Reading } from "./reading.ts";
import { attributeKinds } from "./types.ts";
import type { AttributeKind, OnnxAttribute, OnnxGraph, OnnxSparseTensor, OnnxTensor, OnnxType } from "./types.ts";

export type NamedAttribute = readonly [name: string, value: OnnxAttribute];

/** All that an AttributeProto may hold; its type says what counts. */
interface Parts {
  name: string;
  code: number;
  reference: string;
  float: number | undefined;
  int: bigint | undefined;
  string: Uint8Array | undefined;
  tensor: OnnxTensor | undefined;
  graph: OnnxGraph | undefined;
  sparse: OnnxSparseTensor | undefined;
  type: OnnxType | undefined;
  readonly floats: number[];
  readonly ints: bigint[];
  readonly strings: Uint8Array[];
  readonly tensors: OnnxTensor[];
  readonly graphs: OnnxGraph[];
  readonly sparses: OnnxSparseTensor[];
  readonly types: OnnxType[];
}

/** Graphs are made of nodes, which have attributes, which are graphs: how to read one is handed in. */
export type ReadGraph = (reading: Reading, end: number) => OnnxGraph;

export function readAttribute(reading: Reading, end: number, readGraph: ReadGraph): NamedAttribute {
  const { start } = reading;
  const parts = emptyParts();
  while (reading.next(end)) readPart(reading, parts, readGraph);
  if (parts.name === "") reading.fail("has an attribute without a name", start);
  return [parts.name, finish(reading, parts, start)];
}

function emptyParts(): Parts {
  return {
    name: "",
    code: 0,
    reference: "",
    float: undefined,
    int: undefined,
    string: undefined,
    tensor: undefined,
    graph: undefined,
    sparse: undefined,
    type: undefined,
    floats: [],
    ints: [],
    strings: [],
    tensors: [],
    graphs: [],
    sparses: [],
    types: [],
  };
}

function readPart(reading: Reading, parts: Parts, readGraph: ReadGraph): void {
  switch (reading.field) {
    case 1:
      parts.name = reading.label();
      break;
    case 2:
      parts.float = reading.float32();
      break;
    case 3:
      parts.int = reading.int64();
      break;
    case 4:
      parts.string = reading.bytes(limits.attributeBytes);
      break;
    case 5:
      parts.tensor = readTensor(reading, reading.enter());
      break;
    case 6:
      parts.graph = reading.deeper(() => readGraph(reading, reading.enter()));
      break;
    case 7:
      reading.floats(parts.floats);
      break;
    case 8:
      reading.integers(parts.ints);
      break;
    case 9:
      parts.strings.push(reading.bytes(limits.attributeBytes));
      break;
    case 10:
      parts.tensors.push(readTensor(reading, reading.enter()));
      break;
    case 11:
      parts.graphs.push(reading.deeper(() => readGraph(reading, reading.enter())));
      break;
    default:
      readRarePart(reading, parts);
  }
}

function readRarePart(reading: Reading, parts: Parts): void {
  switch (reading.field) {
    case 14:
      parts.type = readType(reading, reading.enter());
      break;
    case 15: {
      const type = readType(reading, reading.enter());
      if (type) parts.types.push(type);
      break;
    }
    case 20:
      parts.code = reading.safeInteger();
      break;
    case 21:
      parts.reference = reading.label();
      break;
    case 22:
      parts.sparse = readSparseTensor(reading, reading.enter());
      break;
    case 23:
      parts.sparses.push(readSparseTensor(reading, reading.enter()));
      break;
  }
}

function finish(reading: Reading, parts: Parts, start: number): OnnxAttribute {
  const kind = kindOf(parts);
  if (!kind) return reading.fail(`has the attribute "${parts.name}" of the unknown type ${parts.code}`, start);
  if (parts.reference !== "") return { kind: "reference", of: kind, value: parts.reference };
  return valueOf(kind, parts) ?? reading.fail(`has the attribute "${parts.name}" without its ${kind}`, start);
}

/** The first files of the format did not say the type. */
function kindOf(parts: Parts): AttributeKind | undefined {
  if (parts.code !== 0) return attributeKinds[parts.code - 1];
  return attributeKinds.find((kind) => {
    const value = valueOf(kind, parts)?.value;
    return value !== undefined && (!Array.isArray(value) || value.length > 0);
  });
}

/** A scalar that is left out is one of which the value is the default of protocol buffers. */
function valueOf(kind: AttributeKind, parts: Parts): OnnxAttribute | undefined {
  const known = parts.code !== 0;
  switch (kind) {
    case "float":
      return made(kind, parts.float ?? (known ? 0 : undefined));
    case "int":
      return made(kind, parts.int ?? (known ? 0n : undefined));
    case "string":
      return made(kind, parts.string ?? (known ? new Uint8Array(0) : undefined));
    case "tensor":
      return made(kind, parts.tensor);
    case "graph":
      return made(kind, parts.graph);
    case "floats":
      return { kind, value: parts.floats };
    case "ints":
      return { kind, value: parts.ints };
    case "strings":
      return { kind, value: parts.strings };
    case "tensors":
      return { kind, value: parts.tensors };
    case "graphs":
      return { kind, value: parts.graphs };
    case "sparse-tensor":
      return made(kind, parts.sparse);
    case "sparse-tensors":
      return { kind, value: parts.sparses };
    case "type":
      return made(kind, parts.type);
    case "types":
      return { kind, value: parts.types };
  }
}

function made<Kind extends OnnxAttribute["kind"]>(
  kind: Kind,
  value: Extract<OnnxAttribute, { kind: Kind }>["value"] | undefined,
): OnnxAttribute | undefined {
  // The kind and the value belong together by the types of the parameters.
  return value === undefined ? undefined : ({ kind, value } as OnnxAttribute);
}
