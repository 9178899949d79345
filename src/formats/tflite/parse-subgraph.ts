import { limits } from "./limits.ts";
import type { ByteRange, FlatTable } from "./table.ts";
import { elementTypes } from "./types.ts";
import type { TfliteOperator, TfliteQuantization, TfliteSubgraph, TfliteTensor } from "./types.ts";

/** An operator of the model's own list. */
export interface OperatorCode {
  readonly code: number;
  readonly custom?: string;
}

interface Around {
  readonly index: number;
  readonly codes: readonly OperatorCode[];
}

export function parseSubgraph(table: FlatTable, { index, codes }: Around): TfliteSubgraph {
  const { reader } = table;
  reader.part = `subgraphs[${index}].tensors`;
  const tensors = table.tables(0).map(parseTensor);
  reader.part = `subgraphs[${index}].operators`;
  const operators = table.tables(3).map((operator) => parseOperator(operator, codes));
  reader.part = `subgraphs[${index}]`;
  return {
    name: table.text(4),
    tensors,
    inputs: table.int32s(1),
    outputs: table.int32s(2),
    operators,
    places: { outputs: table.vector(2, 4), operators: table.vector(3, 4) },
  };
}

function parseTensor(table: FlatTable): TfliteTensor {
  const { reader } = table;
  const type = elementTypes[table.int8(1)];
  if (!type) return reader.fail(`has the type ${table.int8(1)}, which is not known`, table.at);
  const shape = table.int32s(0);
  const signature = table.int32s(7);
  const quantization = parseQuantization(table.table(4));
  const elementCount = shape.reduce((product, size) => product * size, 1);
  if (shape.length > limits.dimensions || shape.some((size) => size < 0) || elementCount > limits.elements) {
    reader.fail(`has the shape [${shape.slice(0, 16).join(", ")}]`, table.at);
  }
  if (signature.length > 0 && (signature.length !== shape.length || signature.some((size) => size < -1))) {
    reader.fail(`has the shape signature [${signature.slice(0, 16).join(", ")}]`, table.at);
  }
  return {
    name: table.text(3),
    type,
    shape,
    signature: signature.length > 0 ? signature : shape,
    buffer: table.uint32(2),
    ...(quantization && { quantization }),
    isVariable: table.uint8(5) !== 0,
    isSparse: table.table(6) !== undefined,
  };
}

function parseQuantization(table: FlatTable | undefined): TfliteQuantization | undefined {
  const scales = table?.float32s(2) ?? [];
  if (!table || scales.length === 0) return undefined;
  const zeroPoints = table.int64s(3);
  if (
    scales.some((scale) => !Number.isFinite(scale)) ||
    (zeroPoints.length > 0 && zeroPoints.length !== scales.length)
  ) {
    table.reader.fail(`has ${scales.length} scales and ${zeroPoints.length} zero points`, table.at);
  }
  return { scales, zeroPoints: scales.map((_, index) => zeroPoints[index] ?? 0), axis: table.int32(6) };
}

/** Kinds of options that name subgraphs, and the fields that do. */
const callFields: Readonly<Record<number, readonly number[]>> = { 16: [0], 92: [0, 1], 93: [0, 1], 103: [0] };
const callFields2: Readonly<Record<number, readonly number[]>> = {
  6: [1],
  7: [6],
  13: [5],
  14: [2],
  15: [0, 1],
  21: [1],
};

function parseOperator(table: FlatTable, codes: readonly OperatorCode[]): TfliteOperator {
  const { reader } = table;
  const index = table.uint32(0);
  const found = codes[index];
  if (!found) return reader.fail(`names the operator ${index} of ${codes.length}`, table.at);
  const customOptions = parseOptions(table);
  return {
    ...found,
    inputs: table.int32s(1),
    outputs: table.int32s(2),
    ...(customOptions && { customOptions }),
    calls: [
      ...callsOf(table.table(4), callFields[table.uint8(3)]),
      ...callsOf(table.table(12), callFields2[table.uint8(11)]),
    ],
  };
}

function callsOf(options: FlatTable | undefined, fields: readonly number[] = []): number[] {
  return options ? fields.map((field) => options.int32(field)) : [];
}

function parseOptions(table: FlatTable): ByteRange | undefined {
  const inside = table.vector(5, 1);
  const [offset, length] = [table.uint64(9), table.uint64(10)];
  const range = offset > 1 ? { offset: table.reader.within(offset, length), length } : inside;
  if (!range || range.length === 0) return undefined;
  if (range.length > limits.optionsBytes) table.reader.fail(`has options of ${range.length} bytes`, table.at);
  return { offset: range.offset, length: range.length };
}
