import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openBlockStore } from "../../src/engines/flint/cache/disk/open.ts";
import { hearth, temporaryFolder } from "./run-main.ts";

/** A data folder with three blocks of 1000 bytes. */
function filledFolder(): { readonly data: string; readonly folder: string } {
  const data = temporaryFolder();
  const folder = join(data, "cache", "kv");
  const store = openBlockStore({
    folder,
    mostBytes: 1e6,
    identity: "a model",
    onNotice: () => {},
    space: () => undefined,
  });
  for (const token of [1, 2, 3])
    store.write(store.key(undefined, "tenant", [token]), { tokens: [token], parts: [new Uint8Array(1000)] });
  return { data, folder };
}

test("hearth cache says where prompts are kept, how much there is, and the limit", async () => {
  const { data, folder } = filledFolder();
  const words = ["cache", "--data", data, "--disk-cache"];
  const { code, stdout } = await hearth([...words, "2GiB"]);
  expect(code).toBe(0);
  expect(stdout).toContain(folder);
  expect(stdout).toMatch(/flint +3\.5 KiB in 3 files/);
  expect(stdout).toMatch(/limit +2\.0 GiB/);
  expect((await hearth([...words, "off"])).stdout).toMatch(/limit +off/);
  const json = await hearth([...words, "1GiB", "--json"]);
  expect(JSON.parse(json.stdout)).toMatchObject({ folder, sizeBytes: 3609, mostBytes: 2 ** 30 });
});

test("without a limit of one's own it is a tenth of what the disk has free, and never more than 10 GiB", async () => {
  const { stdout } = await hearth(["cache", "--json"]);
  const { mostBytes } = JSON.parse(stdout) as { mostBytes: number };
  expect(mostBytes).toBeGreaterThan(0);
  expect(mostBytes).toBeLessThanOrEqual(10 * 2 ** 30);
});

test("hearth cache clear removes what is ours, says how much, and can be said again", async () => {
  const { data, folder } = filledFolder();
  const note = join(folder, "note.txt");
  writeFileSync(note, "mine");
  const clear = ["cache", "clear", "--data", data];
  expect((await hearth(clear)).stdout).toBe("3.5 KiB are removed.\n");
  expect(existsSync(note)).toBe(true);
  const again = await hearth([...clear, "--json"]);
  expect(JSON.parse(again.stdout)).toEqual({ folder, removedBytes: 0 });
});

test("another word is refused before anything is removed", async () => {
  const { data } = filledFolder();
  const { code, stderr } = await hearth(["cache", "clean", "--data", data]);
  expect(code).toBe(2);
  expect(stderr).toContain('hearth cache cannot "clean".');
  expect((await hearth(["cache", "--data", data])).stdout).toContain("3 files");
});
