/** The options of custom operators: a FlexBuffer that is a map of numbers. Format: https://flatbuffers.dev/flexbuffers/ */

const kinds = {
  int: 1,
  uint: 2,
  float: 3,
  indirectInt: 6,
  indirectUint: 7,
  indirectFloat: 8,
  map: 9,
  bool: 26,
} as const;
const mostKeyBytes = 256;

/** Numbers by their keys; what is no number is left out. Undefined: it is no such map. */
export function readFlexMap(bytes: Uint8Array): ReadonlyMap<string, number> | undefined {
  try {
    return readMap(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch (error) {
    // A place outside of the bytes.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function readMap(view: DataView): ReadonlyMap<string, number> | undefined {
  const end = view.byteLength;
  const rootBytes = view.getUint8(end - 1);
  const rootType = view.getUint8(end - 2);
  if (rootType >> 2 !== kinds.map) return undefined;
  const width = 1 << (rootType & 3);
  const values = follow(view, end - 2 - rootBytes, rootBytes);
  const size = unsigned(view, values - width, width);
  const keyWidth = unsigned(view, values - 2 * width, width);
  const keys = follow(view, values - 3 * width, width);
  if (size * width > end) return undefined;
  const found = new Map<string, number>();
  for (let index = 0; index < size; index++) {
    const type = view.getUint8(values + size * width + index);
    const value = readNumber(view, values + index * width, { type, width });
    if (value !== undefined) found.set(keyAt(view, follow(view, keys + index * keyWidth, keyWidth)), value);
  }
  return found;
}

function readNumber(view: DataView, at: number, { type, width }: { type: number; width: number }): number | undefined {
  const inner = 1 << (type & 3);
  switch (type >> 2) {
    case kinds.int:
      return signed(view, at, width);
    case kinds.uint:
    case kinds.bool:
      return unsigned(view, at, width);
    case kinds.float:
      return float(view, at, width);
    case kinds.indirectInt:
      return signed(view, follow(view, at, width), inner);
    case kinds.indirectUint:
      return unsigned(view, follow(view, at, width), inner);
    case kinds.indirectFloat:
      return float(view, follow(view, at, width), inner);
    default:
      return undefined;
  }
}

/** Offsets lead back. */
function follow(view: DataView, at: number, width: number): number {
  return at - unsigned(view, at, width);
}

function unsigned(view: DataView, at: number, width: number): number {
  if (width === 1) return view.getUint8(at);
  if (width === 2) return view.getUint16(at, true);
  return width === 4 ? view.getUint32(at, true) : Number(view.getBigUint64(at, true));
}

function signed(view: DataView, at: number, width: number): number {
  if (width === 1) return view.getInt8(at);
  if (width === 2) return view.getInt16(at, true);
  return width === 4 ? view.getInt32(at, true) : Number(view.getBigInt64(at, true));
}

function float(view: DataView, at: number, width: number): number | undefined {
  if (width < 4) return undefined;
  return width === 4 ? view.getFloat32(at, true) : view.getFloat64(at, true);
}

function keyAt(view: DataView, at: number): string {
  let text = "";
  for (let index = at; index < at + mostKeyBytes && view.getUint8(index) !== 0; index++) {
    text += String.fromCharCode(view.getUint8(index));
  }
  return text;
}
