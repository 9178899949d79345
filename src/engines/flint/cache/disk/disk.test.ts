import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { BlockStore, StoredBlock } from "../store.ts";
import { clearBlocks, measureBlocks } from "./clear.ts";
import { fileBytes } from "./header.ts";
import { blockPath, versionName } from "./names.ts";
import type { DiskOptions } from "./open.ts";
import { openBlockStore } from "./open.ts";

const minute = 60_000;
const roomy = { freeBytes: 2 ** 40, totalBytes: 2 ** 41 };

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "hearth-blocks-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

interface House {
  readonly folder: string;
  readonly notices: string[];
  readonly clock: { now: number };
  readonly open: (more?: Partial<DiskOptions>) => BlockStore;
  /** Where a block lies. */
  readonly path: (key: string) => string;
}

function createHouse(folder = temporaryFolder()): House {
  const notices: string[] = [];
  const clock = { now: Date.UTC(2026, 0, 1) };
  return {
    folder,
    notices,
    clock,
    open: (more) =>
      openBlockStore({
        folder,
        mostBytes: 1e6,
        identity: "a model",
        onNotice: (text) => notices.push(text),
        now: () => clock.now,
        space: () => roomy,
        ...more,
      }),
    path: (key) => blockPath(join(folder, versionName), key),
  };
}

/** Parts of these lengths in shared memory, with bytes that depend on the seed. */
function blockOf(seed: number, lengths: readonly number[] = [7, 0, 16]): Uint8Array[] {
  const memory = new Uint8Array(new SharedArrayBuffer(lengths.reduce((sum, length) => sum + length, 3)));
  memory.forEach((_, index) => (memory[index] = (index * 31 + seed * 7) % 256));
  let at = 3;
  return lengths.map((length) => memory.subarray(at, (at += length)));
}

function keep(parts: readonly Uint8Array[], tokens: readonly number[] = [1, 2, 3]): StoredBlock {
  return { parts, tokens };
}

function emptyLike(parts: readonly Uint8Array[]): Uint8Array[] {
  return parts.map(({ length }) => new Uint8Array(new SharedArrayBuffer(length)));
}

function readBack(store: BlockStore, key: string, lengths?: readonly number[]): number[][] | undefined {
  const parts = emptyLike(blockOf(0, lengths));
  const found = store.read(key, parts);
  const bytes = parts.map((part) => [...part]);
  if (found) return bytes;
  expect(
    bytes.flat().every((byte) => byte === 0),
    "a miss leaves the memory as it is",
  ).toBe(true);
  return undefined;
}

function bytesOf(parts: readonly Uint8Array[]): number[][] {
  return parts.map((part) => [...part]);
}

/** Keys of blocks that follow each other. */
function chain(store: BlockStore, count: number, root = "tenant"): string[] {
  const keys: string[] = [];
  for (let index = 0; index < count; index++) keys.push(store.key(keys.at(-1), root, [index]));
  return keys;
}

describe("a prompt that was kept", () => {
  test("comes back byte for byte, also after a restart", () => {
    const { open, notices } = createHouse();
    const lengths = [1, 0, 4097, 333, 16_384];
    const store = open();
    const keys = chain(store, 5);
    keys.forEach((key, index) => store.write(key, keep(blockOf(index, lengths))));
    for (const reader of [store, open()]) {
      keys.forEach((key, index) => {
        expect(reader.has(key)).toBe(true);
        expect(readBack(reader, key, lengths)).toEqual(bytesOf(blockOf(index, lengths)));
      });
      expect(reader.sizeBytes).toBe(5 * fileBytes(blockOf(0, lengths)));
    }
    expect(notices).toEqual([]);
  });

  test("is found by the same tokens after the same tokens only, of the same tenant, on the same model", () => {
    const { open } = createHouse();
    const store = open();
    const [first = ""] = chain(store, 1);
    const keys = [
      first,
      store.key(undefined, "other tenant", [0]),
      store.key(undefined, "tenant", [1]),
      store.key(undefined, "tenant", [0, 0]),
      store.key(first, "tenant", [0]),
      store.key(store.key(undefined, "tenant", [1]), "tenant", [0]),
      open({ identity: "another model" }).key(undefined, "tenant", [0]),
    ];
    expect(new Set(keys).size).toBe(keys.length);
    expect(open().key(undefined, "tenant", [0])).toBe(first);
    expect(keys.every((key) => /^[0-9a-f]{94}$/.test(key))).toBe(true);
  });

  test.skipIf(process.platform === "win32")("can be read by nobody else", () => {
    const { open, path } = createHouse(join(temporaryFolder(), "new", "cache"));
    const store = open();
    const [key = ""] = chain(store, 1);
    store.write(key, keep(blockOf(1)));
    const modes = [path(key), dirname(path(key)), dirname(dirname(path(key)))].map(
      (file) => statSync(file).mode & 0o777,
    );
    expect(modes).toEqual([0o600, 0o700, 0o700]);
  });
});

describe("a damaged file is a miss, and is removed", () => {
  test("whichever byte of it is wrong", () => {
    const { open, path } = createHouse();
    const store = open();
    const [key = ""] = chain(store, 1);
    store.write(key, keep(blockOf(1)));
    const whole = readFileSync(path(key));
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
      writeFileSync(path(key), damaged);
      expect(readBack(store, key), `byte ${at}`).toBeUndefined();
      expect(existsSync(path(key))).toBe(false);
      expect(store.has(key)).toBe(false);
    }
    writeFileSync(path(key), whole);
    expect(readBack(store, key)).toEqual(bytesOf(blockOf(1)));
  });

  test.each([
    ["empty", (path: string) => truncateSync(path, 0)],
    ["cut off in its header", (path: string) => truncateSync(path, 20)],
    ["cut off by a byte", (path: string) => truncateSync(path, statSync(path).size - 1)],
    ["longer by a byte", (path: string) => writeFileSync(path, "x", { flag: "a" })],
    ["something else", (path: string) => writeFileSync(path, "a text that somebody put there")],
  ])("when it is %s", (_name, damage) => {
    const { open, path } = createHouse();
    const [key = ""] = chain(open(), 1);
    open().write(key, keep(blockOf(1)));
    damage(path(key));
    const store = open();
    expect(readBack(store, key)).toBeUndefined();
    expect(existsSync(path(key))).toBe(false);
    store.write(key, keep(blockOf(2)));
    expect(readBack(store, key)).toEqual(bytesOf(blockOf(2)));
  });

  test("when it is that of another block", () => {
    const { open, path } = createHouse();
    const store = open();
    const [one = "", two = ""] = chain(store, 2);
    store.write(one, keep(blockOf(1)));
    store.write(two, keep(blockOf(2)));
    renameSync(path(one), path(two));
    expect(readBack(store, two)).toBeUndefined();
    expect(readBack(store, one)).toBeUndefined();
  });

  test("when its parts have other lengths", () => {
    const { open } = createHouse();
    const store = open();
    const [key = ""] = chain(store, 1);
    store.write(key, keep(blockOf(1, [7, 0, 16])));
    expect(readBack(store, key, [16, 0, 7])).toBeUndefined();
  });
});

describe("nothing leads out of the folder", () => {
  test("a link in place of a file is not read; the next block takes its place, and what it points to stays", () => {
    const { open, path, folder } = createHouse();
    const store = open();
    const [key = ""] = chain(store, 1);
    store.write(key, keep(blockOf(1)));
    const elsewhere = join(folder, "elsewhere");
    renameSync(path(key), elsewhere);
    symlinkSync(elsewhere, path(key));
    const before = readFileSync(elsewhere);
    expect([store.has(key), readBack(store, key), open().sizeBytes]).toEqual([false, undefined, 0]);
    store.write(key, keep(blockOf(2)));
    expect(readBack(store, key)).toEqual(bytesOf(blockOf(2)));
    expect(readFileSync(elsewhere)).toEqual(before);
  });

  test("a subfolder that is a link is neither read nor written", () => {
    const { open, path } = createHouse();
    const [key = ""] = chain(open(), 1);
    const elsewhere = temporaryFolder();
    open().write(key, keep(blockOf(1)));
    writeFileSync(join(elsewhere, `${key}.kv`), readFileSync(path(key)));
    rmSync(dirname(path(key)), { recursive: true });
    symlinkSync(elsewhere, dirname(path(key)));
    const store = open();
    expect([store.has(key), readBack(store, key), store.sizeBytes]).toEqual([false, undefined, 0]);
    store.write(key, keep(blockOf(1)));
    expect(readdirSync(elsewhere)).toEqual([`${key}.kv`]);
  });

  test("a folder of the version that is a link is not used, and this is said", () => {
    const { open, folder, notices } = createHouse();
    const elsewhere = temporaryFolder();
    symlinkSync(elsewhere, join(folder, versionName));
    const store = open();
    const [key = ""] = chain(store, 1);
    store.write(key, keep(blockOf(1)));
    expect([store.has(key), readdirSync(elsewhere)]).toEqual([false, []]);
    expect(notices).toEqual([expect.stringMatching(/is a link/)]);
  });

  test("a folder in place of a file is a miss, and stays", () => {
    const { open, path, notices } = createHouse();
    const store = open();
    const [key = ""] = chain(store, 1);
    mkdirSync(join(path(key), "mine"), { recursive: true });
    store.write(key, keep(blockOf(1)));
    expect([store.has(key), readBack(store, key), store.sizeBytes]).toEqual([false, undefined, 0]);
    expect(readdirSync(dirname(path(key)))).toEqual([`${key}.kv`]);
    expect(notices).toEqual([]);
  });
});

describe("a folder that cannot be used", () => {
  test("is said once, and everything is a miss", () => {
    const file = join(temporaryFolder(), "file");
    writeFileSync(file, "");
    const { open, notices } = createHouse(join(file, "cache"));
    const store = open();
    for (const key of chain(store, 3)) {
      store.write(key, keep(blockOf(1)));
      expect([store.has(key), readBack(store, key)]).toEqual([false, undefined]);
    }
    expect(store.sizeBytes).toBe(0);
    expect(notices).toEqual([expect.stringMatching(/^There is no cache of prompts on disk: ENOTDIR/)]);
  });

  test("stops the writing when that fails, which is said once; reading goes on", () => {
    const { open, path, notices } = createHouse();
    const store = open();
    const [kept = "", ...others] = chain(store, 20).toSorted();
    store.write(kept, keep(blockOf(1)));
    const failing = others.filter((key) => dirname(path(key)) !== dirname(path(kept)));
    for (const key of failing) writeFileSync(dirname(path(key)), "");
    for (const key of failing) store.write(key, keep(blockOf(2)));
    expect(notices).toEqual([expect.stringMatching(/^No more prompts are kept in .*: E[A-Z]+/)]);
    expect(readBack(store, kept)).toEqual(bytesOf(blockOf(1)));
    expect(failing.some((key) => store.has(key))).toBe(false);
  });

  test("on a disk that is nearly full, writing pauses until there is room, and this is said once", () => {
    const { open, notices } = createHouse();
    const disk = { freeBytes: 0, totalBytes: 100 * 2 ** 30 };
    const store = open({ space: () => disk });
    const [one = "", two = "", three = ""] = chain(store, 3);
    disk.freeBytes = 5 * 2 ** 30 - 1;
    store.write(one, keep(blockOf(1)));
    store.write(two, keep(blockOf(1)));
    disk.freeBytes = 5 * 2 ** 30;
    store.write(three, keep(blockOf(1)));
    expect([one, two, three].map((key) => store.has(key))).toEqual([false, false, true]);
    expect(notices).toEqual([expect.stringMatching(/has 5\.0 GiB free.* only while it has 5\.0 GiB/)]);
    // Of a small disk a whole GiB is left.
    Object.assign(disk, { freeBytes: 2 ** 30 - 1, totalBytes: 2 ** 31 });
    store.write(one, keep(blockOf(1)));
    expect(store.has(one)).toBe(false);
  });
});

describe("a prompt that leaves a kept one in the middle of a block", () => {
  const text = (length: number, seed = 1): number[] => Array.from({ length }, (_, index) => (index * 7 + seed) % 500);
  const put = (store: BlockStore, parent: string | undefined, tokens: readonly number[]): string => {
    const key = store.key(parent, "tenant", tokens);
    store.write(key, keep(blockOf(tokens.length), tokens));
    return key;
  };

  test("finds the block that begins with most of its tokens", () => {
    const { open } = createHouse();
    const store = open();
    const parent = put(store, undefined, text(32));
    for (const key of [undefined, parent]) {
      const whole = put(store, key, text(32, 3));
      const early = put(store, key, [...text(9, 3), ...text(23, 4)]);
      const short = put(store, key, text(6, 3));
      const ask = (tokens: readonly number[]): unknown => open().partial(key, "tenant", tokens);
      expect(ask(text(31, 3))).toEqual({ key: whole, tokens: 31 });
      expect(ask([...text(15, 3), 1, 2, 3])).toEqual({ key: whole, tokens: 15 });
      expect(ask([...text(9, 3), ...text(4, 4), 9, 9])).toEqual({ key: early, tokens: 13 });
      expect(ask([...text(4, 3), 9, 9])).toMatchObject({ tokens: 4 });
      expect(ask(text(7, 3))).toMatchObject({ tokens: 7 });
      expect([ask([...text(3, 3), 9, 9]), ask(text(3, 3)), ask([]), ask(text(20, 9))]).toEqual(Array(4));
      expect(readBack(store, short)).toEqual(bytesOf(blockOf(6)));
    }
  });

  test("finds none of another tenant, model or beginning", () => {
    const { open } = createHouse();
    const store = open();
    const parent = put(store, undefined, text(32));
    put(store, parent, text(32, 3));
    const other = put(store, undefined, text(32, 5));
    expect(store.partial(undefined, "other tenant", text(20))).toBeUndefined();
    expect(open({ identity: "another model" }).partial(undefined, "tenant", text(20))).toBeUndefined();
    expect(store.partial(other, "tenant", text(20, 3))).toBeUndefined();
    expect(open({ mostBytes: 0 }).partial(parent, "tenant", text(20, 3))).toBeUndefined();
    expect(store.partial(parent, "tenant", text(20, 3))).toMatchObject({ tokens: 20 });
  });

  test("finds it among hundreds that begin alike, to a few tokens", () => {
    const store = createHouse().open();
    for (let count = 0; count < 300; count++) put(store, undefined, [...text(5), ...text(27, count)]);
    for (const seed of [1, 100, 299]) {
      expect(store.partial(undefined, "tenant", [...text(5), ...text(20, seed), 499, 0])).toMatchObject({ tokens: 25 });
    }
    expect(store.partial(undefined, "tenant", [...text(5), 498, 497, 496])?.tokens).toBeGreaterThanOrEqual(4);
  });

  test("is never told of tokens that are not those of the block, whatever a file says", () => {
    const { open, path } = createHouse();
    const store = open();
    const key = put(store, undefined, text(32));
    const whole = readFileSync(path(key));
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
      writeFileSync(path(key), damaged);
      const part = store.partial(undefined, "tenant", text(20));
      expect([undefined, { key, tokens: 20 }], `byte ${at}`).toContainEqual(part);
      expect(readBack(store, key)).toBeUndefined();
    }
    for (const length of [0, 20, 180]) {
      writeFileSync(path(key), whole.subarray(0, length));
      expect(store.partial(undefined, "tenant", text(20))).toBeUndefined();
    }
  });

  test("follows no link", () => {
    const { open, path, folder } = createHouse();
    const store = open();
    const key = put(store, undefined, text(32));
    renameSync(path(key), join(folder, "elsewhere"));
    symlinkSync(join(folder, "elsewhere"), path(key));
    expect(store.partial(undefined, "tenant", text(20))).toBeUndefined();
  });
});

describe("the limit", () => {
  const bytes = fileBytes(blockOf(0));

  test("keeps what was used last, and a hit counts as use, also after a restart", () => {
    const { open, clock } = createHouse();
    const small = { mostBytes: 3.5 * bytes };
    const keys = chain(open(), 5);
    const [a = "", b = "", c = "", d = "", e = ""] = keys;
    const write = (key: string): void => {
      clock.now += minute;
      open(small).write(key, keep(blockOf(1)));
    };
    [a, b, c].forEach(write);
    clock.now += minute;
    expect(readBack(open(small), a)).toBeDefined();
    [d, e].forEach(write);
    const store = open(small);
    expect(keys.map((key) => store.has(key))).toEqual([true, false, false, true, true]);
    expect(store.sizeBytes).toBe(3 * bytes);
  });

  test("holds for each part of a large folder as soon as something is written there", () => {
    const { open, path, clock } = createHouse();
    const store = open({ mostBytes: 128 * bytes });
    const halves = ["00", "ff"].map((group) =>
      Array.from({ length: 80 }, (_, index) => `${group}${index.toString(16).padStart(92, "0")}`),
    );
    for (const half of halves) {
      mkdirSync(dirname(path(half[0] ?? "")), { recursive: true });
      for (const [index, key] of half.entries()) {
        const seconds = clock.now / 1000 - index * 100;
        writeFileSync(path(key), Buffer.alloc(bytes));
        utimesSync(path(key), seconds, seconds);
      }
    }
    const [key = ""] = chain(store, 20).filter((one) => one < "8");
    store.write(key, keep(blockOf(1)));
    const left = halves.map((half) => half.filter((one) => store.has(one)));
    expect(left).toEqual([halves[0]?.slice(0, 63), halves[1]]);
    expect(readBack(store, key)).toBeDefined();
  });

  test("gives a block that many others follow a sixteenth of the folder at least, and all of a small one", () => {
    const { open } = createHouse();
    const many = open({ mostBytes: 10 * 1024 * bytes });
    const few = open({ mostBytes: 500 * bytes });
    const count = (store: BlockStore, seed: number, keys: number): number => {
      const all = Array.from({ length: keys }, (_, index) => store.key(undefined, `${seed}`, [index]));
      for (const key of all) store.write(key, keep(blockOf(1)));
      return all.filter((key) => store.has(key)).length;
    };
    expect(count(few, 1, 200)).toBe(200);
    expect(count(many, 2, 200)).toBe(200);
  });

  test("writes the time of use once a minute at most", () => {
    const { open, clock, path } = createHouse();
    const store = open();
    const [key = ""] = chain(store, 1);
    store.write(key, keep(blockOf(1)));
    const written = clock.now;
    const touched: number[] = [];
    for (const ms of [minute - 1, 1, minute - 1]) {
      clock.now += ms;
      readBack(store, key);
      touched.push(statSync(path(key)).mtimeMs - written);
    }
    expect(touched).toEqual([0, minute, minute]);
  });

  test("a block larger than all of it is not kept, and drives nothing out", () => {
    const { open } = createHouse();
    const store = open({ mostBytes: 1.5 * bytes });
    const [one = "", two = ""] = chain(store, 2);
    store.write(one, keep(blockOf(1)));
    store.write(two, keep(blockOf(1, [10 * bytes])));
    expect([store.has(one), store.has(two)]).toEqual([true, false]);
  });

  test("of 0 keeps, finds and deletes nothing", () => {
    const { open, path } = createHouse();
    const [one = "", two = ""] = chain(open(), 2);
    open().write(one, keep(blockOf(1)));
    const store = open({ mostBytes: 0 });
    store.write(two, keep(blockOf(1)));
    expect([store.has(one), readBack(store, one), store.has(two), store.sizeBytes]).toEqual([
      false,
      undefined,
      false,
      0,
    ]);
    expect(existsSync(path(one))).toBe(true);
  });
});

describe("two servers with one folder", () => {
  test("read what the other has written", () => {
    const { open } = createHouse();
    const [one, other] = [open(), open()];
    const [key = ""] = chain(one, 1);
    expect(other.has(key)).toBe(false);
    one.write(key, keep(blockOf(1)));
    expect(readBack(other, key)).toEqual(bytesOf(blockOf(1)));
    other.write(key, keep(blockOf(2)));
    expect(readBack(one, key)).toEqual(bytesOf(blockOf(1)));
  });

  test("keep one limit together, and do not delete what the other has used", () => {
    const { open, clock, folder } = createHouse();
    const bytes = fileBytes(blockOf(0));
    const [one, other] = [open({ mostBytes: 10 * bytes }), open({ mostBytes: 10 * bytes })];
    const keys = chain(one, 30);
    const [used = ""] = keys;
    for (const [index, key] of keys.entries()) {
      clock.now += minute;
      (index % 2 === 0 ? one : other).write(key, keep(blockOf(index)));
      expect(readBack(other, used)).toBeDefined();
    }
    expect(measureBlocks(folder).sizeBytes).toBeLessThanOrEqual(10 * bytes);
    expect(readBack(one, used)).toBeDefined();
  });

  test("survive that all is removed under them", () => {
    const { open, folder, notices } = createHouse();
    const store = open();
    const keys = chain(store, 3);
    for (const key of keys) store.write(key, keep(blockOf(1)));
    expect(measureBlocks(folder)).toEqual({ blocks: 3, sizeBytes: 3 * fileBytes(blockOf(0)) });
    clearBlocks(folder);
    expect(readdirSync(folder)).toEqual([]);
    for (const key of keys) expect(readBack(store, key)).toBeUndefined();
    for (const key of keys) store.write(key, keep(blockOf(2)));
    for (const key of keys) expect(readBack(store, key)).toEqual(bytesOf(blockOf(2)));
    expect(notices).toEqual([]);
  });
});

describe("what else lies in the folder", () => {
  test("what a process left that was killed while it wrote is removed when it is an hour old", () => {
    const { open, path, clock } = createHouse();
    const [key = ""] = chain(open(), 1);
    open().write(key, keep(blockOf(1)));
    const [old, young] = ["0123456789ab-0", "0123456789ab-1"].map((unique) => path(key).replace("kv", `${unique}.tmp`));
    for (const [file, age] of [
      [old, 61],
      [young, 59],
    ] as const) {
      writeFileSync(file ?? "", "half a block");
      const seconds = clock.now / 1000 - age * 60;
      utimesSync(file ?? "", seconds, seconds);
    }
    const store = open();
    expect([existsSync(old ?? ""), existsSync(young ?? "")]).toEqual([false, true]);
    expect(store.sizeBytes).toBe(fileBytes(blockOf(0)));
  });

  test("blocks of earlier versions are removed; those of later ones and what is not ours stay, uncounted", () => {
    const { open, folder, path } = createHouse();
    const [key = ""] = chain(open(), 1);
    const group = key.slice(0, 2);
    const files = [
      ["v0.9", group, `${key.slice(0, 64)}.kv`],
      ["v1.0", group, `${key}.kv`],
      ["v1.0", group, "notes.txt"],
      ["v999.1", group, `${key}.kv`],
      ["vacation", "photo.jpg"],
      ["notes.txt"],
      [versionName, "notes.txt"],
      [versionName, group, "notes.txt"],
      [versionName, group, `${key.replace(/^../, group === "00" ? "11" : "00")}.kv`],
    ].map((names) => join(folder, ...names));
    for (const file of files) {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, "x".repeat(100));
    }
    const store = open();
    // A subfolder with each block.
    chain(store, 5, "other").forEach((one) => store.write(one, keep(blockOf(1))));
    const left = files.map((file) => existsSync(file));
    expect(left).toEqual([false, false, true, true, true, true, true, true, true]);
    expect(existsSync(join(folder, "v0.9"))).toBe(false);
    expect(store.sizeBytes).toBe(5 * fileBytes(blockOf(1)));
    store.write(key, keep(blockOf(1)));
    clearBlocks(folder);
    expect([existsSync(path(key)), existsSync(files[3] ?? "")]).toEqual([false, false]);
    expect(files.slice(4).map((file) => existsSync(file))).toEqual([true, true, true, true, true]);
  });
});
