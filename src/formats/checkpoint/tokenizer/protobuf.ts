/** The fields of the protocol buffers in `tokenizer.model`. */
import { WireCursor, wires } from "../../protobuf/cursor.ts";
import { memorySource } from "../../protobuf/source.ts";
import { malformed } from "../json.ts";

export type FieldValue = number | Uint8Array;

const file = "tokenizer.model";

/** Calls `take` with each field: a number, negative ones as large ones, or the bytes of what has a length. */
export function readFields(bytes: Uint8Array, take: (field: number, value: FieldValue) => void): void {
  const fail = (problem: string, offset: number): Error => malformed(file, "protobuf", `${problem}, at byte ${offset}`);
  const cursor = new WireCursor({ source: memorySource(bytes), fail });
  while (cursor.next(bytes.length)) {
    if (cursor.wire === wires.varint) take(cursor.field, Number(BigInt.asUintN(64, cursor.int64())));
    else if (cursor.wire === wires.fixed32) take(cursor.field, cursor.float32());
    else if (cursor.wire === wires.bytes) take(cursor.field, bytes.subarray(cursor.start, cursor.end));
  }
}
