import { closeSync, fstatSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { createParcelReader, createParcelWriter, leastBytes } from "./parcel.ts";
import type { Packed } from "./parcel.ts";
import { openSpool } from "./spool.ts";

const folder = mkdtempSync(join(tmpdir(), "hearth-parcel-"));
const files: number[] = [];
afterAll(() => {
  files.map((file) => closeSync(file));
  rmSync(folder, { recursive: true });
});

function open() {
  const file = openSpool([folder]) ?? -1;
  files.push(file);
  return { file, writer: createParcelWriter(file), reader: createParcelReader(file) };
}

/** The message as the other process gets it, beside the parcels. */
const sent = <Message>(message: Message): Message => structuredClone(message);

const bytes = Uint8Array.from({ length: 2 * leastBytes }, (_, index) => (index * 7) % 251);
const arrays = [
  new Int8Array(bytes.buffer),
  bytes,
  new Uint8ClampedArray(bytes.buffer),
  new Int16Array(bytes.buffer),
  new Uint16Array(bytes.buffer),
  new Int32Array(bytes.buffer),
  new Uint32Array(bytes.buffer),
  new Float32Array(bytes.buffer),
  new Float64Array(bytes.buffer),
  new BigInt64Array(bytes.buffer),
  new BigUint64Array(bytes.buffer),
  Buffer.from(bytes),
  new Uint8Array(new SharedArrayBuffer(leastBytes)).fill(3),
];

describe.skipIf(process.platform === "win32")("large arrays beside a message", () => {
  test.each(arrays.map((array) => [array.constructor.name, array] as const))(
    "%s comes out as it went in",
    (_, data) => {
      const { writer, reader } = open();
      const message = { id: 1, params: { inputs: { x: { data }, y: [{ data }] } } };
      const packed = writer.pack(message);
      expect(packed.parcels).toHaveLength(2);
      expect(packed.params.inputs.x.data).toBeNull();
      expect(message.params.inputs.x.data).toBe(data);
      const { x, y } = reader.unpack(sent(packed)).params.inputs;
      expect([x.data.constructor, y[0]?.data.constructor]).toEqual([data.constructor, data.constructor]);
      expect(Buffer.compare(Buffer.from(x.data.buffer, x.data.byteOffset, x.data.byteLength), bytesOf(data))).toBe(0);
      expect(reader.taken()).toEqual(packed.parcels?.map(({ at }) => at));
      expect(reader.taken()).toEqual([]);
    },
  );

  test("part of an array is sent without the rest", () => {
    const { writer, reader } = open();
    const data = new Float32Array(bytes.buffer, 4, leastBytes / 4);
    const back = reader.unpack(sent(writer.pack({ data })));
    expect(back.data.buffer.byteLength).toBe(leastBytes);
    expect(back.data).toEqual(data);
  });

  test("small arrays, lists of numbers and rings stay in the message", () => {
    const { writer } = open();
    const ring: { self?: object; small: Uint8Array } = { small: new Uint8Array(leastBytes - 1) };
    ring.self = ring;
    const message = { ring, list: [1, { data: bytes }], view: new DataView(bytes.buffer) };
    expect(writer.pack(message)).toBe(message);
  });

  test("any name is only a name", () => {
    const { writer, reader } = open();
    const inputs = Object.fromEntries(["__proto__", "constructor"].map((name) => [name, { data: bytes }]));
    const back = reader.unpack(sent(writer.pack({ inputs })));
    expect(Object.keys(back.inputs)).toEqual(["__proto__", "constructor"]);
    expect(Object.values(back.inputs)).toEqual([{ data: bytes }, { data: bytes }]);
  });

  test("a place is used again when its array was taken, not before", () => {
    const { writer, reader } = open();
    const [first, second] = [writer.pack({ data: bytes }), writer.pack({ data: bytes })];
    expect(second.parcels?.[0]?.at).toBe(bytes.length);
    reader.drop(sent(first));
    writer.free(reader.taken());
    expect(writer.pack({ data: bytes.subarray(1) }).parcels?.[0]?.at).toBe(0);
    expect(writer.pack({ data: bytes }).parcels?.[0]?.at).toBe(2 * bytes.length);
  });

  test("memory is given back: much at once, little when it was not used for a while", () => {
    const { file, writer, reader } = open();
    const take = (packed: Packed<object>): void => {
      reader.drop(packed);
      writer.free(reader.taken());
    };
    const packed = writer.pack({ data: bytes });
    writer.trim();
    writer.trim();
    expect(fstatSync(file).size).toBe(bytes.length);
    take(packed);
    take(writer.pack({ data: bytes }));
    writer.trim();
    expect(fstatSync(file).size).toBe(bytes.length);
    writer.trim();
    expect(fstatSync(file).size).toBe(0);
    const large = writer.pack({ data: new Uint8Array(33 * 1024 ** 2) });
    expect(reader.urgent).toBe(false);
    reader.drop(large);
    expect(reader.urgent).toBe(true);
    writer.free(reader.taken());
    expect(fstatSync(file).size).toBe(0);
  });

  test.skipIf(process.platform !== "linux")("on a full disk they stay in the message", () => {
    const full = openSync("/dev/full", "r+");
    files.push(full);
    const message = { data: bytes };
    expect(createParcelWriter(full).pack(message)).toBe(message);
  });

  test.each([
    ["a place that is not there", { path: ["params", "y"] }, /nothing stands at params\.y/],
    ["a place that is taken", { path: ["id"] }, /nothing stands at id/],
    ["bytes that are not in the file", { bytes: 3 * leastBytes }, /ends after/],
    ["a kind that is not there", { kind: "toString" }, /no kind/],
    ["part of a number", { bytes: leastBytes - 1 }, /multiple/],
  ])("what says %s is refused", (_, wrong, problem) => {
    const { writer, reader } = open();
    const packed = sent(writer.pack({ id: 1, params: { x: new Float32Array(leastBytes / 4) } }));
    const [parcel] = packed.parcels ?? [];
    expect(() => reader.unpack({ ...packed, parcels: parcel ? [{ ...parcel, ...wrong }] : [] })).toThrow(problem);
    expect(reader.taken()).toEqual([0]);
  });
});

function bytesOf({ buffer, byteOffset, byteLength }: NodeJS.TypedArray): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
