import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { sha256, startHub } from "../../test/hub-server.ts";
import { modelBytes, tinyLlama } from "../../test/make-model.ts";
import type { PullChild } from "../../test/pull-child.ts";
import { temporaryLibrary } from "../../test/temporary-library.ts";
import { storeFolders } from "./store.ts";
import { sweepStaging } from "./sweep.ts";

const script = fileURLToPath(new URL("../../test/pull-child.ts", import.meta.url));
const chunkBytes = 256 * 1024;
const connections = 4;
const repo = "maker/model-GGUF";
const file = "tiny-F32.gguf";

/** Runs one pull in a process of its own; the text it printed, or undefined when it was killed. */
async function pull(input: PullChild): Promise<string | undefined> {
  const child = spawn(process.execPath, [script, JSON.stringify(input)], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (data) => {
    text += String(data);
  });
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  if (signal === "SIGKILL") return undefined;
  expect(code, "the child must be killed or succeed").toBe(0);
  return text;
}

test(
  "a pull that is killed at 50 points of its life and started again ends with the same bytes, and nothing is ever half-visible",
  { timeout: 180_000 },
  async () => {
    const bytes = modelBytes(tinyLlama({ embedding: 1024, heads: 16, layers: 1, vocabulary: 1000 }));
    expect(bytes.length).toBeGreaterThan(20 * 1024 ** 2);
    const hub = await startHub({ files: { [repo]: { [file]: bytes } } });
    onTestFinished(async () => {
      await hub.close();
    });
    const { library, dataFolder, entries } = await temporaryLibrary();
    const input = { dataFolder, hub: hub.url, reference: `hf:${repo}`, chunkBytes, connections };
    const digest = sha256(bytes);

    const checkNothingHalf = async (): Promise<void> => {
      const warnings: string[] = [];
      const models = await library.list({ onWarning: (message) => warnings.push(message) });
      expect(warnings).toEqual([]);
      const blobs = await entries("blobs");
      expect(blobs.filter((name) => name !== `sha256-${digest}`)).toEqual([]);
      for (const name of blobs) expect(sha256(await readFile(join(dataFolder, "models", "blobs", name)))).toBe(digest);
      for (const model of models) expect(await library.verify(model.name)).toMatchObject([{ status: "ok" }]);
    };

    const kills = { all: 0, inTransfer: 0 };
    const killedRun = async (killAt: number): Promise<boolean> => {
      const text = await pull({ ...input, killAt });
      await checkNothingHalf();
      if (text !== undefined) return false;
      kills.all++;
      return true;
    };
    const chunks = Math.ceil(bytes.length / chunkBytes);
    let pulls = 0;
    for (const enough = (): boolean => kills.all >= 50; !enough();) {
      // Nothing to remove the first time.
      for (const model of await library.list()) await library.remove(model.name);
      pulls++;
      // While bytes arrive: each run a little longer than the start-up needs, so that every one brings something.
      for (let run = 0; !enough() && (await arriving(dataFolder, chunks)); run++) {
        expect(run).toBeLessThan(200);
        if (await killedRun(35 + ((run * 7) % 25))) kills.inTransfer++;
      }
      // Then at every operation of hashing and installing, one after the other.
      for (let killAt = 1; !enough() && (await killedRun(killAt)); killAt++) expect(killAt).toBeLessThan(200);
    }
    expect(await killedRun(0)).toBe(false);

    expect(kills.inTransfer).toBeGreaterThanOrEqual(10);
    const model = await library.resolve(`hf:${repo}`);
    expect(sha256(await readFile(model.files[0]?.path ?? ""))).toBe(digest);
    // Small files that the dead could not remove go with the next pull that is an hour later.
    await sweepStaging(storeFolders(dataFolder), Date.now() + 3_700_000);
    expect(await entries("staging")).toEqual([]);
    // At most one chunk for each connection and kill was asked for, or sent, twice.
    const ranges = hub.requests.filter((request) => request.range !== undefined && request.path.startsWith("/cdn/"));
    expect(ranges.length).toBeLessThanOrEqual(pulls * chunks + kills.inTransfer * connections);
    expect(hub.bytesSent(file)).toBeLessThanOrEqual(pulls * bytes.length + kills.inTransfer * connections * chunkBytes);
  },
);

/** Whether bytes are still missing: nothing is installed, and the one journal in the staging folder is not full. */
async function arriving(dataFolder: string, chunks: number): Promise<boolean> {
  const blobs = await readdir(join(dataFolder, "models", "blobs")).catch(() => []);
  if (blobs.length > 0) return false;
  const staging = join(dataFolder, "models", "staging");
  const names = await readdir(staging).catch(() => []);
  const journal = names.find((name) => name.endsWith(".journal"));
  if (journal === undefined) return true;
  const lines = (await readFile(join(staging, journal), "utf8")).split("\n");
  return lines.filter((line) => /^\d+$/.test(line)).length < chunks;
}
