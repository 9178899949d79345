import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { tarBytes, tarHeader } from "../../../test/tarball.ts";
import { someBytes, temporaryFolder } from "../../../test/temporary-library.ts";
import { walkTarball } from "./tar.ts";

/** Every regular file that the walker hands out, with its bytes. */
async function walk(tar: Uint8Array, compressed: Uint8Array = gzipSync(tar)): Promise<Record<string, Buffer>> {
  const path = join(await temporaryFolder(), "package.tgz");
  await writeFile(path, compressed);
  const files: Record<string, Buffer> = {};
  await walkTarball(path, {
    signal: new AbortController().signal,
    onEntry: ({ name }) => {
      files[name] = Buffer.alloc(0);
      return async (bytes) => {
        files[name] = Buffer.concat([files[name] ?? Buffer.alloc(0), bytes]);
        await Promise.resolve();
      };
    },
  });
  return files;
}

test("regular files come out with their bytes, also big and empty ones", async () => {
  const big = someBytes(3_000_001);
  const files = await walk(
    tarBytes([
      { name: "package/a", bytes: Buffer.from("A") },
      { name: "package/none", bytes: Buffer.alloc(0) },
      { name: "package/big", bytes: big },
    ]),
  );
  expect(Object.keys(files)).toEqual(["package/a", "package/none", "package/big"]);
  expect(files["package/a"]?.toString()).toBe("A");
  expect(files["package/big"]?.equals(big)).toBe(true);
});

test("links, devices and folders are passed over, whatever they point to", async () => {
  const types = ["1", "2", "3", "4", "5", "6", "7", "S", "V"];
  const odd = types.map((type) => ({ name: `package/odd${type}`, type, link: "/etc/passwd", bytes: Buffer.alloc(0) }));
  const files = await walk(tarBytes([...odd, { name: "package/last", bytes: Buffer.from("z") }]));
  expect(Object.keys(files)).toEqual(["package/last"]);
});

test("long names in PAX and GNU records count for the next entry only", async () => {
  const long = `package/${"deep/".repeat(40)}model.gguf`;
  const record = ` path=${long}\n`;
  const pax = `${record.length + 3}${record}`;
  const files = await walk(
    tarBytes([
      { name: "PaxHeader", type: "x", bytes: Buffer.from(pax) },
      { name: "package/short", bytes: Buffer.from("1") },
      { name: "package/plain", bytes: Buffer.from("2") },
      { name: "././@LongLink", type: "L", bytes: Buffer.from(`${long}2\0`) },
      { name: "package/short", bytes: Buffer.from("3") },
    ]),
  );
  expect(Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, bytes.toString()]))).toEqual({
    [long]: "1",
    "package/plain": "2",
    [`${long}2`]: "3",
  });
});

test.each([
  ["cut in the middle of a file", tarBytes([{ name: "package/a", bytes: someBytes(5000) }]).subarray(0, 2000)],
  ["cut in the middle of a header", tarBytes([{ name: "package/a", bytes: Buffer.from("x") }]).subarray(0, 100)],
  [
    "with a wrong checksum",
    Buffer.concat([tarHeader({ name: "package/a", size: 0 }).fill("9", 0, 1), Buffer.alloc(1024)]),
  ],
  [
    "with a size that is no number",
    Buffer.concat([tarHeader({ name: "package/a", size: 0, sizeText: "zzz" }), Buffer.alloc(1024)]),
  ],
  [
    "with a size beyond all bounds",
    Buffer.concat([
      tarHeader({ name: "package/a", size: 0, sizeText: "\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" }),
      Buffer.alloc(1024),
    ]),
  ],
  ["with a name of 65 KiB", tarBytes([{ name: "L", type: "L", bytes: Buffer.alloc(65 * 1024, "a") }])],
  [
    "with a size in a PAX record",
    tarBytes([
      { name: "P", type: "x", bytes: Buffer.from("11 size=99\n") },
      { name: "package/a", bytes: Buffer.from("x") },
    ]),
  ],
])("an archive %s is refused", async (_, tar) => {
  await expect(walk(tar)).rejects.toMatchObject({ code: "pull_failed", message: expect.stringContaining("malformed") });
});

test("what is not gzip, or cut gzip, is refused", async () => {
  await expect(walk(Buffer.alloc(0), Buffer.from("not gzip at all"))).rejects.toMatchObject({ code: "pull_failed" });
  const whole = gzipSync(tarBytes([{ name: "package/a", bytes: someBytes(100_000) }]));
  await expect(walk(Buffer.alloc(0), whole.subarray(0, 50_000))).rejects.toMatchObject({ code: "pull_failed" });
});
