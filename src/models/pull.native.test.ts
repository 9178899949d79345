import { spawn } from "node:child_process";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { sha256, startHub, type Hub, type HubOptions } from "../../test/hub-server.ts";
import { modelBytes, tinyLlama } from "../../test/make-model.ts";
import { someBytes, temporaryFolder, temporaryLibrary } from "../../test/temporary-library.ts";
import type { Progress } from "../spec/model.ts";
import type { CatalogEntry } from "./contract.ts";
import { createLibrary } from "./library.ts";

const size = 1_000_000;
const bytes = someBytes(size);
const repo = "maker/model-GGUF";
const file = "model-Q4_K_M.gguf";
const chunk = 64 * 1024;

async function hubWith(options: HubOptions = {}): Promise<Hub> {
  const hub = await startHub({ files: { [repo]: { [file]: bytes } }, ...options });
  onTestFinished(async () => {
    await hub.close();
  });
  return hub;
}

async function libraryOf(hub: Hub, options: Parameters<typeof temporaryLibrary>[0] = {}) {
  return await temporaryLibrary({ ...options, settings: { hub: hub.url, ...options.settings } });
}

describe("a model from the hub", () => {
  test("comes with the bytes, the commit, the license, and a name that finds it again", async () => {
    const hub = await hubWith({ license: "mit" });
    const { library, entries } = await libraryOf(hub);
    const seen: Progress[] = [];
    const model = await library.pull(`hf:${repo}`, { onProgress: (progress) => seen.push(progress) });
    expect(model).toMatchObject({
      name: `hf.co/${repo}:Q4_K_M`,
      format: "gguf",
      origin: "store",
      license: "mit",
      sizeBytes: size,
    });
    expect(model.source).toMatch(new RegExp(`^hf:${repo}/${file}@[0-9a-f]{40}$`));
    const [weights] = model.files;
    expect(sha256(await readFile(weights?.path ?? ""))).toBe(sha256(bytes));
    expect((await stat(weights?.path ?? "")).mode & 0o777).toBe(0o444);
    expect(await entries("staging")).toEqual([]);
    expect([...new Set(seen.map((progress) => progress.phase))]).toEqual([
      "resolve",
      "download",
      "verify",
      "install",
      "done",
    ]);
    expect(seen.findLast((progress) => progress.phase === "download")).toMatchObject({
      completedBytes: size,
      totalBytes: size,
    });
    for (const text of [
      `hf:${repo}`,
      `hf.co/${repo}:Q4_K_M`,
      `hf.co/${repo}`,
      `hf:${repo}/${file}`,
      `HF:${repo}:q4_k_m`,
      model.source ?? "",
    ]) {
      expect({ text, id: (await library.resolve(text)).id }).toEqual({ text, id: model.id });
    }
    await expect(library.resolve(`hf:${repo}:Q8_0`)).rejects.toMatchObject({ code: "model_not_found" });
    await expect(library.resolve(`hf:${repo}@${"0".repeat(40)}`)).rejects.toMatchObject({ code: "model_not_found" });
  });

  test("is fetched in several ranges at once, each byte once, without compression", async () => {
    const hub = await hubWith({ slow: { bytes: 16 * 1024, ms: 1 } });
    const { library } = await libraryOf(hub);
    await library.pull(`hf:${repo}`);
    expect(hub.bytesSent(file)).toBe(size);
    const ranges = hub.requests.filter((request) => request.range !== undefined && request.path.startsWith("/cdn/"));
    expect(ranges).toHaveLength(Math.ceil(size / chunk));
    expect(hub.requests.every((request) => request.encoding === "identity")).toBe(true);
    // The hub was asked once; what its redirect said served for the other ranges.
    expect(hub.requests.filter((request) => request.path.includes("/resolve/")).length).toBeLessThanOrEqual(4);
  });

  test("is returned at once, without a request, when it is here", async () => {
    const hub = await hubWith();
    const { library } = await libraryOf(hub);
    const first = await library.pull(`hf:${repo}`);
    hub.requests.length = 0;
    expect((await library.pull(`hf.co/${repo}:Q4_K_M`)).id).toBe(first.id);
    expect(hub.requests).toEqual([]);
  });

  test("the quantization asked for, else the one that most people want", async () => {
    const hub = await hubWith({
      files: {
        [repo]: {
          "mmproj-model-f16.gguf": someBytes(100, "a"),
          "model-Q2_K.gguf": someBytes(100, "b"),
          "model-Q8_0.gguf": someBytes(100, "c"),
          "model-Q4_0.gguf": someBytes(100, "d"),
          "README.md": Buffer.from("# hi"),
        },
      },
    });
    const { library } = await libraryOf(hub);
    expect((await library.pull(`hf:${repo}`)).name).toBe(`hf.co/${repo}:Q4_0`);
    expect((await library.pull(`hf:${repo}:q8_0`)).name).toBe(`hf.co/${repo}:Q8_0`);
    expect((await library.pull(`hf:${repo}/model-Q2_K.gguf@main`)).name).toBe(`hf.co/${repo}:Q2_K-main`);
    await expect(library.pull(`hf:${repo}:Q6_K`)).rejects.toMatchObject({
      code: "model_not_found",
      hint: "It has Q2_K, Q8_0, Q4_0.",
    });
    await expect(library.pull(`hf:${repo}/none.gguf`)).rejects.toMatchObject({ code: "model_not_found" });
    await expect(library.pull("hf:maker/nothing")).rejects.toMatchObject({ code: "model_not_found" });
  });

  test("a model in several parts comes whole, under names that llama.cpp can follow", async () => {
    const parts = [1, 2, 3].map(
      (part) => [`q/model-Q4_0-0000${part}-of-00003.gguf`, someBytes(1000 * part, `part ${part}`)] as const,
    );
    const hub = await hubWith({ files: { [repo]: Object.fromEntries(parts) } });
    const { library, entries } = await libraryOf(hub);
    const model = await library.pull(`hf:${repo}`);
    expect(model.files.map((one) => one.path.split("/").at(-1))).toEqual(
      [1, 2, 3].map((part) => `model-0000${part}-of-00003.gguf`),
    );
    for (const [index, [, content]] of parts.entries()) {
      expect(sha256(await readFile(model.files[index]?.path ?? ""))).toBe(sha256(content));
    }
    await library.remove(model.name);
    expect([await entries("blobs"), await entries("manifests"), await entries("views")]).toEqual([[], [], []]);
  });

  test("the address of a file on the hub's web pages works like its reference", async () => {
    const hub = await hubWith();
    const { library } = await libraryOf(hub);
    const model = await library.pull(`${hub.url}/${repo}/blob/main/${file}`);
    expect(model.source).toMatch(/^hf:/);
  });
});

describe("the token of the hub", () => {
  test("goes to the hub and never to where the hub redirects", async () => {
    const hub = await hubWith({ token: "hf_secret" });
    const { library } = await libraryOf(hub, { settings: { hub: hub.url, hubToken: "hf_secret" } });
    await library.pull(`hf:${repo}`);
    const cdn = hub.requests.filter((request) => request.path.startsWith("/cdn/"));
    expect(cdn.length).toBeGreaterThan(0);
    expect(cdn.every((request) => request.authorization === undefined)).toBe(true);
    expect(
      hub.requests
        .filter((request) => !cdn.includes(request))
        .every((request) => request.authorization === "Bearer hf_secret"),
    ).toBe(true);
  });

  test("is asked for in one sentence when the hub wants one", async () => {
    const hub = await hubWith({ token: "hf_secret" });
    const { library } = await libraryOf(hub);
    await expect(library.pull(`hf:${repo}`)).rejects.toMatchObject({
      code: "pull_failed",
      message: expect.stringContaining("private, gated, or does not exist"),
      hint: expect.stringContaining("HF_TOKEN"),
    });
  });
});

describe("a pull that goes wrong", () => {
  test("a wrong hash installs nothing and leaves nothing", async () => {
    const hub = await hubWith({ wrongHash: true });
    const { library, entries } = await libraryOf(hub);
    await expect(library.pull(`hf:${repo}`)).rejects.toMatchObject({ code: "hash_mismatch" });
    expect([await entries("blobs"), await entries("manifests"), await entries("staging")]).toEqual([[], [], []]);
    expect(await library.list()).toEqual([]);
    hub.behaviour.wrongHash = false;
    expect((await library.pull(`hf:${repo}`)).sizeBytes).toBe(size);
  });

  test("stopped and started again, it goes on where it stopped", async () => {
    const hub = await hubWith({ slow: { bytes: 16 * 1024, ms: 2 } });
    const { library, dataFolder, entries } = await libraryOf(hub);
    const stop = new AbortController();
    const pull = library.pull(`hf:${repo}`, { signal: stop.signal });
    await hub.whenSent(file, size / 2);
    stop.abort();
    await expect(pull).rejects.toMatchObject({ code: "aborted" });
    expect(await library.list()).toEqual([]);
    expect(await entries("blobs")).toEqual([]);
    const sent = hub.bytesSent(file);
    hub.behaviour.slow = undefined;
    // Another process, as far as it can tell.
    const again = await libraryOf(hub, { dataFolder });
    const model = await again.library.pull(`hf:${repo}`);
    expect(sha256(await readFile(model.files[0]?.path ?? ""))).toBe(sha256(bytes));
    expect(hub.bytesSent(file) - size).toBeLessThanOrEqual(4 * chunk);
    expect(sent).toBeLessThan(size);
    expect(await entries("staging")).toEqual([]);
  });

  test("a source that changed meanwhile starts anew: versions are never mixed", async () => {
    const hub = await hubWith({ raw: { "/m.gguf": bytes }, slow: { bytes: 16 * 1024, ms: 2 } });
    const { library } = await libraryOf(hub);
    const stop = new AbortController();
    const pull = library.pull(`${hub.url}/m.gguf`, { signal: stop.signal });
    await hub.whenSent("/m.gguf", size / 2);
    stop.abort();
    await expect(pull).rejects.toMatchObject({ code: "aborted" });
    const next = someBytes(size, "another version");
    hub.behaviour.raw = { "/m.gguf": next };
    hub.behaviour.slow = undefined;
    const model = await library.pull(`${hub.url}/m.gguf`);
    expect(model.files[0]?.sha256).toBe(sha256(next));
  });

  test("a source that changes with every answer is given up", async () => {
    const hub = await hubWith({ raw: { "/m.gguf": bytes }, changingEtag: true });
    const { library, entries } = await libraryOf(hub);
    await expect(library.pull(`${hub.url}/m.gguf`)).rejects.toMatchObject({
      code: "pull_failed",
      message: expect.stringContaining("keeps changing"),
    });
    expect(await entries("blobs")).toEqual([]);
  });

  test("a server without ranges still serves", async () => {
    const hub = await hubWith({ noRanges: true });
    const { library } = await libraryOf(hub);
    const model = await library.pull(`hf:${repo}`);
    expect(model.files[0]?.sha256).toBe(sha256(bytes));
    expect(hub.bytesSent(file)).toBe(size);
  });

  test("a server without ranges that breaks off is asked again from the start", async () => {
    const hub = await hubWith({ noRanges: true, failAfterBytes: 300_000, failTimes: 2 });
    const { library } = await libraryOf(hub);
    const model = await library.pull(`hf:${repo}`);
    expect(model.files[0]?.sha256).toBe(sha256(bytes));
  });

  test("broken connections and busy servers are tried again, without fetching a byte twice", async () => {
    const hub = await hubWith({ failAfterBytes: 30_000, failTimes: 20, statuses: [503, 500, 429] });
    const { library } = await libraryOf(hub);
    const model = await library.pull(`hf:${repo}`);
    expect(model.files[0]?.sha256).toBe(sha256(bytes));
    expect(hub.behaviour.failTimes).toBe(0);
    // What was on its way when a connection broke may be lost; not more.
    expect(hub.bytesSent(file)).toBeLessThanOrEqual(size + 20 * 30_000);
  });

  test("a connection that goes silent is cut and asked again", async () => {
    const hub = await hubWith({ stallAfterBytes: 8192, slow: { bytes: 8192, ms: 0 } });
    const { library } = await libraryOf(hub, { stallTimeoutMs: 60 });
    const pull = library.pull(`hf:${repo}`);
    await hub.whenSent(file, 8192);
    setTimeout(() => {
      hub.behaviour.stallAfterBytes = undefined;
    }, 100);
    expect((await pull).files[0]?.sha256).toBe(sha256(bytes));
  });

  test("a server that always fails ends in one sentence", async () => {
    const hub = await hubWith({ statuses: Array.from({ length: 50 }, () => 503) });
    const { library } = await libraryOf(hub);
    await expect(library.pull(`hf:${repo}`)).rejects.toMatchObject({
      code: "pull_failed",
      message: expect.stringMatching(/^The transfer of model-Q4_K_M\.gguf from .* broke off: status 503\.$/),
    });
  });

  test("a full disk is noticed before the transfer, with figures", async () => {
    const hub = await hubWith();
    const { library } = await libraryOf(hub, { freeBytes: async () => await Promise.resolve(500_000) });
    await expect(library.pull(`hf:${repo}`)).rejects.toMatchObject({
      code: "disk_full",
      message: expect.stringMatching(/needs 977 KiB more .* 488 KiB are free\.$/),
    });
    expect(hub.bytesSent(file)).toBeLessThan(size);
  });

  test("what is no model is not installed, and the sentence names it", async () => {
    const hub = await hubWith({ raw: { "/page.gguf": "<!doctype html><title>Sign in</title>" } });
    const { dataFolder, entries } = await libraryOf(hub);
    const library = createLibrary({
      dataFolder,
      foreign: undefined,
      settings: {
        hub: hub.url,
        hubToken: undefined,
        hubTimeout: 1000,
        connections: 2,
        offline: false,
        ollamaRegistry: hub.url,
      },
    });
    await expect(library.pull(`${hub.url}/page.gguf`)).rejects.toMatchObject({
      code: "model_malformed",
      message: expect.stringMatching(/^page\.gguf is a web page, not a model\. Nothing was installed/),
    });
    expect([await entries("blobs"), await entries("manifests"), await entries("staging")]).toEqual([[], [], []]);
  });

  test("offline, nothing is asked", async () => {
    const hub = await hubWith();
    const { library } = await libraryOf(hub, { settings: { hub: hub.url, offline: true } });
    await expect(library.pull(`hf:${repo}`)).rejects.toMatchObject({ code: "offline" });
    expect(hub.requests).toEqual([]);
  });

  test("a redirect from https to http, or from a public host into this network, is not followed", async () => {
    const asked: string[] = [];
    const { library } = await temporaryLibrary({
      fetch: async (url) => {
        asked.push(url instanceof Request ? url.url : url.toString());
        return await Promise.resolve(
          new Response(null, { status: 302, headers: { location: "http://169.254.169.254/latest" } }),
        );
      },
    });
    await expect(library.pull("https://models.example/m.gguf")).rejects.toMatchObject({ code: "pull_failed" });
    await expect(library.pull("http://models.example/m.gguf")).rejects.toMatchObject({ code: "pull_failed" });
    expect(asked).toEqual(["https://models.example/m.gguf", "http://models.example/m.gguf"]);
  });
});

describe("the sources of a catalog entry", () => {
  const entry = (hub: Hub): CatalogEntry => ({
    name: "small",
    tag: "1b",
    default: true,
    description: "",
    kind: "chat",
    license: "MIT",
    sources: [
      { from: `hf:${repo}`, files: [file], sizeBytes: size },
      { from: `${hub.url}/mirror.gguf`, sizeBytes: size, sha256: sha256(bytes) },
    ],
  });

  test("when the hub is silent, the next one is used after the timeout, and the progress says so", async () => {
    const silent = await hubWith({ silent: true });
    const mirror = await hubWith({ raw: { "/mirror.gguf": bytes } });
    const { library } = await libraryOf(silent, {
      catalog: [entry(mirror)],
      settings: { hub: silent.url, hubTimeout: 200 },
    });
    const labels: string[] = [];
    const started = performance.now();
    const model = await library.pull("small", { onProgress: ({ label }) => labels.push(label) });
    expect(performance.now() - started).toBeLessThan(1500);
    expect(model).toMatchObject({ name: "small:1b", license: "MIT", source: `${mirror.url}/mirror.gguf` });
    expect(labels).toContainEqual(expect.stringMatching(/did not answer within 200ms\. Using http:/));
    expect((await library.resolve("small")).id).toBe(model.id);
    expect((await library.resolve("small:latest")).id).toBe(model.id);
  });

  test("when none answers, every reason is told", async () => {
    const hub = await hubWith();
    const url = hub.url;
    await hub.close();
    const { library } = await temporaryLibrary({ catalog: [entry(hub)], settings: { hub: url } });
    await expect(library.pull("small")).rejects.toMatchObject({
      code: "offline",
      message: expect.stringMatching(/^No source of "small:1b" worked\. hf:.*ECONNREFUSED.*mirror\.gguf.*ECONNREFUSED/),
    });
  });

  test("a hash of the catalog that the bytes do not have is an error, whatever the server says", async () => {
    const hub = await hubWith({ raw: { "/mirror.gguf": someBytes(size, "not it") } });
    const row = { ...entry(hub), sources: entry(hub).sources.slice(1) };
    const { library } = await libraryOf(hub, { catalog: [row] });
    await expect(library.pull("small")).rejects.toMatchObject({ code: "hash_mismatch" });
    expect(await library.list()).toEqual([]);
  });

  test("a name that nobody knows is answered with what is close", async () => {
    const hub = await hubWith();
    const { library } = await libraryOf(hub, { catalog: [entry(hub)] });
    await expect(library.pull("smal")).rejects.toMatchObject({
      code: "model_not_found",
      message: expect.stringContaining('Did you mean "small"'),
    });
    await expect(library.pull("maker/model")).rejects.toMatchObject({
      hint: expect.stringContaining("hearth pull hf:maker/model"),
    });
  });
});

describe("two pulls of one model", () => {
  test("in one process share one transfer, and one of them may leave", async () => {
    const hub = await hubWith({ slow: { bytes: 16 * 1024, ms: 2 } });
    const { library } = await libraryOf(hub);
    const leave = new AbortController();
    const seen = { one: 0, two: 0 };
    const pulls = [
      library.pull(`hf:${repo}`, { signal: leave.signal, onProgress: () => (seen.one += 1) }),
      library.pull(`hf:${repo}`, { onProgress: () => (seen.two += 1) }),
      library.pull(`hf:${repo}`),
    ];
    await hub.whenSent(file, size / 4);
    leave.abort();
    await expect(pulls[0]).rejects.toMatchObject({ code: "aborted" });
    const models = await Promise.all(pulls.slice(1));
    expect(new Set(models.map((model) => model.id)).size).toBe(1);
    expect(hub.bytesSent(file)).toBe(size);
    expect(Math.min(seen.one, seen.two)).toBeGreaterThan(1);
  });

  test("from two libraries, as from two processes, fetch the bytes once, and both show progress", async () => {
    const hub = await hubWith({ slow: { bytes: 8 * 1024, ms: 30 } });
    const first = await libraryOf(hub);
    const second = await libraryOf(hub, { dataFolder: first.dataFolder });
    const seen: Progress[] = [];
    const one = first.library.pull(`hf:${repo}`);
    await hub.whenSent(file, 1);
    const two = second.library.pull(`hf:${repo}`, { onProgress: (progress) => seen.push(progress) });
    expect((await one).id).toBe((await two).id);
    expect(hub.bytesSent(file)).toBe(size);
    expect(seen.some(({ phase, completedBytes }) => phase === "download" && completedBytes > 0)).toBe(true);
  });

  test("two names with the same bytes keep them once", async () => {
    const hub = await hubWith({ raw: { "/a.gguf": bytes, "/b.gguf": bytes } });
    const { library, entries } = await libraryOf(hub);
    const [a, b] = await Promise.all([library.pull(`${hub.url}/a.gguf`), library.pull(`${hub.url}/b.gguf`)]);
    expect([a.name, b.name]).toEqual(["a:latest", "b:latest"]);
    expect(await entries("blobs")).toHaveLength(1);
    await library.remove("a");
    expect(await entries("blobs")).toHaveLength(1);
    await library.remove("b");
    expect(await entries("blobs")).toEqual([]);
  });

  test("two URLs that end in one name do not replace each other", async () => {
    const hub = await hubWith({ raw: { "/x/m.gguf": bytes, "/y/m.gguf": someBytes(1000, "y") } });
    const { library } = await libraryOf(hub);
    await library.pull(`${hub.url}/x/m.gguf`);
    const other = await library.pull(`${hub.url}/y/m.gguf`);
    expect(other.name).toMatch(/^m:[0-9a-f]{12}$/);
    expect((await library.resolve(`${hub.url}/x/m.gguf`)).name).toBe("m:latest");
  });
});

describe("the registry of Ollama", () => {
  const system = Buffer.from("Be kind.");
  const params = Buffer.from('{"temperature":0.5,"stop":["</s>"]}');
  const layer = (kind: string, content: Uint8Array): object => ({
    mediaType: `application/vnd.ollama.image.${kind}`,
    digest: `sha256:${sha256(content)}`,
    size: content.length,
  });
  const blobs = (...contents: Uint8Array[]): Record<string, Uint8Array> =>
    Object.fromEntries(contents.map((content) => [`/v2/library/tiny/blobs/sha256:${sha256(content)}`, content]));

  test("gives weights, system prompt and parameters", async () => {
    const manifest = JSON.stringify({
      schemaVersion: 2,
      layers: [layer("system", system), layer("model", bytes), layer("params", params)],
    });
    const hub = await hubWith({ raw: { "/v2/library/tiny/manifests/1b": manifest, ...blobs(system, bytes, params) } });
    const { library } = await libraryOf(hub, { settings: { ollamaRegistry: hub.url } });
    const model = await library.pull("ollama:tiny:1b");
    expect(model).toMatchObject({
      name: "ollama/tiny:1b",
      source: "ollama:tiny:1b",
      overrides: { system: "Be kind.", parameters: { temperature: 0.5, stop: ["</s>"] } },
    });
    expect(model.files[0]).toMatchObject({ role: "weights", sha256: sha256(bytes) });
    expect((await library.resolve("ollama:tiny:1b")).id).toBe(model.id);
  });

  test.each([
    ["a path for a digest", { layers: [{ ...layer("model", bytes), digest: "sha256:../../../../etc/passwd" }] }],
    ["a digest with a dash", { layers: [{ ...layer("model", bytes), digest: `sha256-${sha256(bytes)}` }] }],
    ["a short digest", { layers: [{ ...layer("model", bytes), digest: "sha256:abc" }] }],
    ["a negative size", { layers: [{ ...layer("model", bytes), size: -1 }] }],
    ["an endless size", { layers: [{ ...layer("model", bytes), size: 2 ** 60 }] }],
    ["no layers", { layers: [] }],
    ["layers that are no list", { layers: {} }],
    ["10,000 layers", { layers: Array.from({ length: 10_000 }, () => layer("model", bytes)) }],
    ["null", null],
  ])("with %s in its manifest is refused", async (_, manifest) => {
    const hub = await hubWith({ raw: { "/v2/library/tiny/manifests/1b": JSON.stringify(manifest), ...blobs(bytes) } });
    const { library, entries } = await libraryOf(hub, { settings: { ollamaRegistry: hub.url } });
    await expect(library.pull("ollama:tiny:1b")).rejects.toMatchObject({ code: "pull_failed" });
    expect(await entries("blobs")).toEqual([]);
  });
});

test("a real GGUF is inspected after the pull, from the store", async () => {
  const model = modelBytes(tinyLlama());
  const hub = await hubWith({ files: { [repo]: { "tiny-F32.gguf": model } } });
  const library = createLibrary({
    dataFolder: await temporaryFolder(),
    foreign: undefined,
    settings: {
      hub: hub.url,
      hubToken: undefined,
      hubTimeout: 1000,
      connections: 2,
      offline: false,
      ollamaRegistry: hub.url,
    },
  });
  const installed = await library.pull(`hf:${repo}`);
  expect(await library.inspect(installed)).toMatchObject({ architecture: "llama", format: "gguf" });
  expect(await library.inspect(installed)).toBe(await library.inspect(installed));
});

test("a lock of a process that was killed does not hold up the next pull", async () => {
  const hub = await hubWith({ slow: { bytes: 16 * 1024, ms: 5 } });
  const { library, dataFolder, entries } = await libraryOf(hub);
  const stop = new AbortController();
  const pull = library.pull(`hf:${repo}`, { signal: stop.signal });
  await hub.whenSent(file, 1);
  const locks = (await entries("staging")).filter((name) => name.endsWith(".lock"));
  const held = await Promise.all(
    locks.map(async (name) => await readFile(join(dataFolder, "models", "staging", name), "utf8")),
  );
  stop.abort();
  await expect(pull).rejects.toMatchObject({ code: "aborted" });
  const dead = spawn(process.execPath, ["-e", ""]);
  await new Promise((resolve) => dead.once("exit", resolve));
  for (const [index, name] of locks.entries()) {
    const holder = { ...(JSON.parse(held[index] ?? "{}") as object), pid: dead.pid };
    await writeFile(join(dataFolder, "models", "staging", name), JSON.stringify(holder));
  }
  hub.behaviour.slow = undefined;
  expect(locks).toHaveLength(2);
  expect((await library.pull(`hf:${repo}`)).sizeBytes).toBe(size);
  expect(await entries("staging")).toEqual([]);
});
