import { expect, test } from "vitest";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { diskFreeBytes } from "../hardware/disk.ts";
import type { Engine, LoadOptions } from "../spec/engine.ts";
import { planDiskCache, withDiskCache } from "./disk-cache.ts";

const folder = join("cache", "kv");

function createRecorder(): { readonly engine: Engine; readonly seen: LoadOptions[] } {
  const seen: LoadOptions[] = [];
  const engine: Engine = {
    name: "flint",
    refuse: () => undefined,
    async load(_model, options) {
      seen.push(options);
      throw new Error("it loads nothing");
    },
  };
  return { engine, seen };
}

async function optionsOf(wantedBytes: number | undefined, options: LoadOptions): Promise<LoadOptions | undefined> {
  const { engine, seen } = createRecorder();
  const wrapped = withDiskCache(engine, () => planDiskCache("cache", wantedBytes));
  const model = { name: "tiny", path: "tiny.gguf", info: {} as never };
  await expect(wrapped.load(model, options)).rejects.toThrow("it loads nothing");
  return seen[0];
}

test("a model is loaded with the folder and the limit of the settings", async () => {
  expect(await optionsOf(5e9, { threads: 2 })).toEqual({ threads: 2, diskCache: { folder, mostBytes: 5e9 } });
});

test("a limit of 0, of the settings or of a load, switches it off", async () => {
  expect(await optionsOf(0, { threads: 2 })).toEqual({ threads: 2 });
  expect(await optionsOf(5e9, { diskCache: { folder: "", mostBytes: 0 } })).toEqual({});
});

test("a load that names a folder gets that one", async () => {
  const diskCache = { folder: "/elsewhere", mostBytes: 1e6 };
  expect(await optionsOf(0, { diskCache })).toEqual({ diskCache });
});

test("nobody's limit is a tenth of what the disk has free, 10 GiB at most, though the folder is not there yet", async () => {
  const { mostBytes } = await planDiskCache(join(tmpdir(), "hearth-not-there", "yet"), undefined);
  const freeBytes = (await diskFreeBytes(tmpdir())) ?? 0;
  const expected = Math.min(freeBytes / 10, 10 * 2 ** 30);
  // Others write to the disk meanwhile.
  expect(Math.abs(mostBytes / expected - 1)).toBeLessThan(0.1);
});
