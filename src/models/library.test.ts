import { chmod, mkdir, readdir, readFile, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { sha256, startHub } from "../../test/hub-server.ts";
import { someBytes, temporaryFolder, temporaryLibrary, type TemporaryLibrary } from "../../test/temporary-library.ts";

const files = { "a-Q4_0.gguf": someBytes(5000, "a"), "b-Q8_0.gguf": someBytes(7000, "b") };

/** Two installed models: `a:latest` and `b:latest`. */
async function twoModels(): Promise<TemporaryLibrary> {
  const hub = await startHub({ raw: { "/a.gguf": files["a-Q4_0.gguf"], "/b.gguf": files["b-Q8_0.gguf"] } });
  onTestFinished(async () => {
    await hub.close();
  });
  const temporary = await temporaryLibrary({ settings: { hub: hub.url } });
  await temporary.library.pull(`${hub.url}/a.gguf`);
  await temporary.library.pull(`${hub.url}/b.gguf`);
  return temporary;
}

async function names({ library }: TemporaryLibrary): Promise<string[]> {
  return (await library.list()).map((model) => model.name);
}

describe("list", () => {
  test("an empty store has no models and makes no folder", async () => {
    const { library, dataFolder } = await temporaryLibrary();
    expect(await library.list()).toEqual([]);
    expect(await readdir(dataFolder)).toEqual([]);
  });

  test("names the models, with the size and identity that they keep", async () => {
    const temporary = await twoModels();
    const [a, b] = await temporary.library.list();
    expect([a?.name, b?.name, a?.sizeBytes, b?.sizeBytes]).toEqual(["a:latest", "b:latest", 5000, 7000]);
    expect(a?.id).toMatch(/^[0-9a-f]{64}$/);
    expect((await temporary.library.resolve("A:Latest")).id).toBe(a?.id);
  });

  test.each([
    ["empty", ""],
    ["cut", '{"version":1,"name":"a"'],
    ["null", "null"],
    ["zeros", "\0".repeat(300)],
  ])("a manifest that is %s harms no other model, is named, and can be removed", async (_, text) => {
    const temporary = await twoModels();
    const path = join(temporary.dataFolder, "models", "manifests", "a", "latest.json");
    await writeFile(path, text);
    const warnings: string[] = [];
    const models = await temporary.library.list({ onWarning: (message) => warnings.push(message) });
    expect(models.map((model) => model.name)).toEqual(["b:latest"]);
    expect(warnings).toEqual([expect.stringMatching(/^Model "a:latest" is damaged\. .*`hearth rm a:latest`/)]);
    await expect(temporary.library.resolve("a")).rejects.toMatchObject({ code: "model_malformed" });
    expect((await temporary.library.resolve("b")).name).toBe("b:latest");
    await temporary.library.remove("a");
    expect(await names(temporary)).toEqual(["b:latest"]);
    expect(await temporary.library.verify("b")).toMatchObject([{ status: "ok" }]);
  });

  test("every changed byte of a manifest is noticed", async () => {
    const temporary = await twoModels();
    const path = join(temporary.dataFolder, "models", "manifests", "a", "latest.json");
    const good = await readFile(path);
    const compact = JSON.stringify(JSON.parse(good.toString()));
    for (let at = 0; at < compact.length; at += 3) {
      const bad = Buffer.from(compact);
      bad[at] = (bad[at] ?? 0) ^ 1;
      await writeFile(path, bad);
      expect([at, ...(await names(temporary))]).toEqual([at, "b:latest"]);
    }
    await writeFile(path, good);
    expect(await names(temporary)).toEqual(["a:latest", "b:latest"]);
  });

  test("a blob that is gone or cut makes its model damaged, and a pull mends it", async () => {
    const temporary = await twoModels();
    const model = await temporary.library.resolve("a");
    const path = model.files[0]?.path ?? "";
    await chmod(path, 0o644);
    await writeFile(path, "short");
    const warnings: string[] = [];
    await temporary.library.list({ onWarning: (message) => warnings.push(message) });
    expect(warnings).toEqual([expect.stringContaining("has 5 bytes instead of 5000")]);
    await temporary.library.pull(model.source ?? "");
    expect(await temporary.library.verify("a")).toMatchObject([{ status: "ok" }]);
  });

  test("what is left in staging is never a model", async () => {
    const temporary = await twoModels();
    await writeFile(join(temporary.dataFolder, "models", "staging", "half.json"), "{");
    await writeFile(join(temporary.dataFolder, "models", "blobs", `sha256-${"0".repeat(64)}`), "orphan");
    expect(await names(temporary)).toEqual(["a:latest", "b:latest"]);
  });
});

describe("resolve", () => {
  test("says what is close, and how to get what the catalog has", async () => {
    const { library } = await temporaryLibrary();
    await expect(library.resolve("tinylama")).rejects.toMatchObject({
      code: "model_not_found",
      message: 'Model "tinylama" is not installed. Did you mean "tinyllama"?',
    });
    await expect(library.resolve("tinyllama")).rejects.toMatchObject({
      hint: "`hearth pull tinyllama` fetches it (638 MiB).",
    });
    await expect(library.resolve("qwen3:8b")).rejects.toMatchObject({
      hint: expect.stringContaining("`hearth pull qwen3:8b`"),
    });
    await expect(library.resolve("hf:a/b")).rejects.toMatchObject({ hint: "`hearth pull hf:a/b` fetches it." });
    await expect(library.resolve("a/../b")).rejects.toMatchObject({ code: "bad_request" });
  });

  test("a name without its tag finds the only tag there is", async () => {
    const temporary = await twoModels();
    await temporary.library.copy("a", "mine:v1");
    expect((await temporary.library.resolve("mine")).name).toBe("mine:v1");
    await temporary.library.copy("b", "mine:v2");
    await expect(temporary.library.resolve("mine")).rejects.toMatchObject({
      code: "model_not_found",
      message: expect.stringContaining("mine:v1"),
    });
  });

  test("a path is adopted in place; what is no regular file is refused quickly", async () => {
    const folder = await temporaryFolder();
    const { library, entries } = await temporaryLibrary();
    const path = join(folder, "m.gguf");
    await writeFile(path, "GGUF");
    const model = await library.resolve(path);
    expect(model).toMatchObject({ name: path, origin: "path", sizeBytes: 4, files: [{ path }] });
    expect(await library.resolve(folder)).toMatchObject({ name: path });
    expect(await library.pull(path)).toMatchObject({ id: model.id });
    expect(await entries("manifests")).toEqual([]);
    await utimes(path, new Date(0), new Date(0));
    expect((await library.resolve(path)).id).not.toBe(model.id);
    await symlink(join(folder, "loop"), join(folder, "loop"));
    for (const odd of ["/dev/zero", "/dev/null", join(folder, "loop"), join(folder, "none.gguf"), "/proc"]) {
      await expect(library.resolve(odd)).rejects.toMatchObject({
        code: expect.stringMatching(/^model_(not_found|malformed)$/),
      });
    }
  });

  test("a file of an unknown kind is said to be no model", async () => {
    const path = join(await temporaryFolder(), "notes.txt");
    await writeFile(path, "hello");
    const { library } = await temporaryLibrary({ detect: async () => await Promise.resolve(undefined) });
    await expect(library.resolve(path)).rejects.toMatchObject({
      code: "model_malformed",
      message: expect.stringContaining("is not a model file"),
    });
  });
});

describe("copy and remove", () => {
  test("a copy needs no further bytes, is the same model, and outlives the original", async () => {
    const temporary = await twoModels();
    const copy = await temporary.library.copy("a", "mine:v1");
    expect(copy.id).toBe((await temporary.library.resolve("a")).id);
    expect(await temporary.entries("blobs")).toHaveLength(2);
    await temporary.library.remove("a");
    expect(await temporary.library.verify("mine:v1")).toMatchObject([{ status: "ok" }]);
    await temporary.library.remove("mine:v1");
    expect(await temporary.entries("blobs")).toHaveLength(1);
    expect(await temporary.entries("manifests")).toEqual(["b"]);
  });

  test("the name of a copy is checked as strictly as any", async () => {
    const temporary = await twoModels();
    for (const name of ["../x", "hf:a/b", "/tmp/x", "a:b:c", ""]) {
      await expect(temporary.library.copy("a", name)).rejects.toMatchObject({ code: "bad_request" });
    }
    await expect(temporary.library.copy("none", "x")).rejects.toMatchObject({ code: "model_not_found" });
  });

  test("bytes that a damaged manifest still names are kept", async () => {
    const temporary = await twoModels();
    await temporary.library.copy("a", "second");
    const path = join(temporary.dataFolder, "models", "manifests", "second", "latest.json");
    await writeFile(path, (await readFile(path, "utf8")).replace('"version": 1', '"version": 9'));
    await temporary.library.remove("a");
    expect(await temporary.entries("blobs")).toHaveLength(2);
  });

  test("what is not there cannot be removed", async () => {
    const { library } = await temporaryLibrary();
    await expect(library.remove("nothing")).rejects.toMatchObject({ code: "model_not_found" });
  });

  test("a file of the person is never deleted", async () => {
    const path = join(await temporaryFolder(), "m.gguf");
    await writeFile(path, "GGUF");
    const { library } = await temporaryLibrary();
    await expect(library.remove(path)).rejects.toMatchObject({
      code: "conflict",
      hint: expect.stringContaining(`rm ${path}`),
    });
    expect((await stat(path)).size).toBe(4);
  });
});

describe("verify", () => {
  test("finds any changed byte, wherever it is", async () => {
    const temporary = await twoModels();
    const { path = "" } = (await temporary.library.resolve("a")).files[0] ?? {};
    const good = await readFile(path);
    await chmod(path, 0o644);
    for (const at of [0, 1, 2500, 4999]) {
      const bad = Buffer.from(good);
      bad[at] = (bad[at] ?? 0) ^ 0x10;
      await writeFile(path, bad);
      expect(await temporary.library.verify()).toMatchObject([
        { model: "a:latest", status: "changed", message: expect.stringContaining(sha256(good)) },
        { model: "b:latest", status: "ok" },
      ]);
    }
    await writeFile(path, good);
    const progress: number[] = [];
    expect(
      await temporary.library.verify("a", { onProgress: ({ completedBytes }) => progress.push(completedBytes) }),
    ).toMatchObject([{ status: "ok" }]);
    expect(progress.at(-1)).toBe(5000);
  });

  test("a pull does not trust damaged bytes that are already in the store", async () => {
    const temporary = await twoModels();
    const model = await temporary.library.resolve("a");
    const { path = "" } = model.files[0] ?? {};
    await chmod(path, 0o644);
    await writeFile(path, Buffer.alloc(5000));
    // The manifest is gone, the zeroed blob is still there: as after a crash of the machine.
    await rm(join(temporary.dataFolder, "models", "manifests", "a"), { recursive: true });
    await temporary.library.pull(model.source ?? "");
    expect(await temporary.library.verify("a")).toMatchObject([{ status: "ok" }]);
  });

  test("a path that was never hashed is said to be unhashed", async () => {
    const path = join(await temporaryFolder(), "m.gguf");
    await writeFile(path, "GGUF");
    const { library } = await temporaryLibrary();
    expect(await library.verify(path)).toMatchObject([{ status: "unhashed" }]);
  });
});

test("staging that nobody went on with for two weeks is cleared by the next pull", async () => {
  const temporary = await twoModels();
  const staging = join(temporary.dataFolder, "models", "staging");
  await mkdir(staging, { recursive: true });
  for (const name of ["old", "new"]) await writeFile(join(staging, name), "x");
  await utimes(join(staging, "old"), new Date(0), new Date(0));
  const hub = await startHub({ raw: { "/c.gguf": someBytes(10, "c") } });
  onTestFinished(async () => {
    await hub.close();
  });
  await temporary.library.pull(`${hub.url}/c.gguf`);
  expect(await temporary.entries("staging")).toEqual(["new"]);
});
