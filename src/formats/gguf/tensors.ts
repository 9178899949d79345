import type { Cursor } from "./cursor.ts";
import { ggmlTypesById } from "./ggml.ts";
import type { GgmlType } from "./ggml.ts";
import { limits } from "./limits.ts";
import type { GgufTensor } from "./types.ts";

export interface TensorEntry {
  readonly tensor: GgufTensor;
  /** Byte of the file at which the entry in the table starts. */
  readonly entryOffset: number;
}

/** Reads one row of the tensor table. That its data lies inside the file is checked by `checkRanges`. */
export function readTensor(cursor: Cursor, index: number): TensorEntry {
  const entryOffset = cursor.position;
  cursor.field = `tensor ${index}`;
  const name = cursor.text(limits.tensorNameBytes, true);
  if (name === "") cursor.fail("has no name", entryOffset);
  if (name.includes("\0")) cursor.fail("has a name with a zero byte", entryOffset);
  cursor.field = name;
  const dimensions = readDimensions(cursor);
  const type = readTensorType(cursor);
  const sizeBytes = checkSize(cursor, dimensions, type);
  const start = cursor.position;
  const offset = cursor.uint64();
  if (offset > BigInt(cursor.fileBytes)) {
    cursor.fail(`has data at ${offset}, but the file has ${cursor.fileBytes} bytes`, start);
  }
  const shape = dimensions.map(Number);
  const tensor = { name, shape, type: type.id, typeName: type.name, offset: Number(offset), sizeBytes };
  return { tensor, entryOffset };
}

function readDimensions(cursor: Cursor): bigint[] {
  const start = cursor.position;
  const count = cursor.uint32();
  if (count < 1 || count > 4) cursor.fail(`has ${count} dimensions; 1 to 4 are possible`, start);
  const dimensions: bigint[] = [];
  for (let index = 0; index < count; index++) {
    const at = cursor.position;
    const dimension = cursor.uint64();
    if (dimension === 0n) cursor.fail(`has no elements in dimension ${index}`, at);
    dimensions.push(dimension);
  }
  return dimensions;
}

function readTensorType(cursor: Cursor): GgmlType {
  const start = cursor.position;
  const id = cursor.uint32();
  const type = ggmlTypesById.get(id);
  if (!type) return cursor.fail(`has the unknown tensor type ${id}`, start);
  return type;
}

/** Bytes of the data, at most those of the file. Dimensions can be up to 2^64, so their product is a bigint. */
function checkSize(cursor: Cursor, dimensions: readonly bigint[], type: GgmlType): number {
  const block = BigInt(type.blockSize);
  if ((dimensions[0] ?? 0n) % block !== 0n) {
    cursor.fail(`has rows of ${dimensions[0]} elements; ${type.name} needs a multiple of ${type.blockSize}`);
  }
  const elements = dimensions.reduce((product, dimension) => product * dimension, 1n);
  const bytes = (elements / block) * BigInt(type.blockBytes);
  if (bytes > BigInt(cursor.fileBytes)) {
    cursor.fail(`needs ${bytes} bytes of data, but the file has ${cursor.fileBytes}`);
  }
  return Number(bytes);
}

/** Every tensor's data lies inside the file, is aligned, and shares no byte with another's. */
export function checkRanges(
  cursor: Cursor,
  table: readonly TensorEntry[],
  { alignment, dataOffset }: { readonly alignment: number; readonly dataOffset: number },
): void {
  const dataBytes = cursor.fileBytes - dataOffset;
  for (const { tensor, entryOffset } of table) {
    cursor.field = tensor.name;
    if (tensor.offset % alignment !== 0) {
      cursor.fail(`has data at ${tensor.offset}, which is no multiple of ${alignment}`, entryOffset);
    }
    if (tensor.offset + tensor.sizeBytes > dataBytes) {
      const end = tensor.offset + tensor.sizeBytes;
      cursor.fail(`has data up to ${end}, but only ${Math.max(0, dataBytes)} bytes follow the header`, entryOffset);
    }
  }
  const sorted = [...table].sort((left, right) => left.tensor.offset - right.tensor.offset);
  for (const [index, { tensor, entryOffset }] of sorted.entries()) {
    const before = sorted[index - 1]?.tensor;
    if (before && before.offset + before.sizeBytes > tensor.offset) {
      cursor.field = tensor.name;
      cursor.fail(`has data that overlaps that of ${before.name}`, entryOffset);
    }
  }
}
