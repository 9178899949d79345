import { deflateRawSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { parseNpz } from "./archive.ts";
import { parseNpy } from "./parse.ts";

/** As numpy.save writes it: the header filled up to a multiple of 64 bytes. */
function npy(descriptor: string, shape: string, data: Uint8Array, order = "False"): Buffer {
  const text = `{'descr': '${descriptor}', 'fortran_order': ${order}, 'shape': ${shape}, }`;
  const padded = `${text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11)}\n`;
  const head = Buffer.alloc(10);
  head.write("\u0093NUMPY\u0001\u0000", "latin1");
  head.writeUInt16LE(padded.length, 8);
  return Buffer.concat([head, Buffer.from(padded), data]);
}

const floats = (...values: readonly number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);

interface Item {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly deflate: boolean;
}

function zip(items: readonly Item[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, bytes, deflate } of items) {
    const packed = deflate ? deflateRawSync(bytes) : Buffer.from(bytes);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x0403_4b50, 0);
    local.writeUInt16LE(name.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x0201_4b50, 0);
    entry.writeUInt16LE(deflate ? 8 : 0, 10);
    entry.writeUInt32LE(packed.length, 20);
    entry.writeUInt32LE(bytes.length, 24);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(offset, 42);
    parts.push(local, Buffer.from(name), packed);
    directory.push(entry, Buffer.from(name));
    offset += 30 + name.length + packed.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x0605_4b50, 0);
  end.writeUInt16LE(items.length, 10);
  end.writeUInt32LE(
    directory.reduce((sum, { length }) => sum + length, 0),
    12,
  );
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, ...directory, end]);
}

describe("an array of NumPy", () => {
  test("is read with its type and shape", () => {
    expect(parseNpy(npy("<f4", "(2, 2)", floats(1, 2, 3, 4)), "a.npy")).toEqual({
      type: "float32",
      shape: [2, 2],
      data: Float32Array.of(1, 2, 3, 4),
    });
    const integers = new Uint8Array(BigInt64Array.of(5n, -6n).buffer);
    expect(parseNpy(npy("<i8", "(2,)", integers), "a.npy").data).toEqual(BigInt64Array.of(5n, -6n));
    expect(parseNpy(npy("|b1", "()", Uint8Array.of(1)), "a.npy").shape).toEqual([]);
  });

  test.each([
    ["text", Buffer.from("hello"), /no NumPy array/],
    ["objects, which can carry programs", npy("|O", "(1,)", new Uint8Array(8)), /type "\|O"/],
    ["columns first", npy("<f4", "(2, 2)", floats(1, 2, 3, 4), "True"), /columns/],
    ["too few elements", npy("<f4", "(2, 2)", floats(1)), /4 bytes of elements; its shape and type make 16/],
    ["a shape beyond bounds", npy("<f4", "(99999999999999999999,)", floats(1)), /shape that is none/],
    ["a header that is cut off", npy("<f4", "(1,)", floats(1)).subarray(0, 40), /header/],
  ])("that is %s is refused", (_name, bytes, message) => {
    expect(() => parseNpy(bytes, "a.npy")).toThrow(message);
  });
});

describe("an archive of arrays", () => {
  test("gives them by their names, packed or not", () => {
    const bytes = npy("<f4", "(2,)", floats(1, 2));
    const arrays = parseNpz(
      zip([
        { name: "x.npy", bytes, deflate: false },
        { name: "y.npy", bytes, deflate: true },
      ]),
      "a.npz",
    );
    expect([...arrays.keys()]).toEqual(["x", "y"]);
    expect(arrays.get("y")?.data).toEqual(Float32Array.of(1, 2));
  });

  test("that unpacks to more than it says is refused", () => {
    const bytes = npy("<f4", "(2,)", floats(1, 2));
    const archive = zip([{ name: "x.npy", bytes, deflate: true }]);
    archive.writeUInt32LE(10, archive.length - 22 - 46 - 5 + 24);
    expect(() => parseNpz(archive, "a.npz")).toThrow(/cannot be unpacked/);
  });

  test("that is damaged is refused wherever it is cut", () => {
    const archive = zip([{ name: "x.npy", bytes: npy("<f4", "(2,)", floats(1, 2)), deflate: true }]);
    for (let length = 0; length < archive.length; length++) {
      expect(() => parseNpz(archive.subarray(0, length), "a.npz")).toThrow(/archive|a\.npz/);
    }
  });
});
