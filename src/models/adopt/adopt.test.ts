import { mkdir, readdir, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { sha256 } from "../../../test/hub-server.ts";
import { someBytes, temporaryFolder, temporaryLibrary } from "../../../test/temporary-library.ts";
import type { ForeignFolders } from "../context.ts";

const weights = someBytes(3000, "weights");
const digest = sha256(weights);
const commit = "0123456789abcdef0123456789abcdef01234567";

async function foreignTools(): Promise<{
  foreign: ForeignFolders;
  put: (path: string, content: Uint8Array | string) => Promise<string>;
}> {
  const root = await temporaryFolder();
  const put = async (path: string, content: Uint8Array | string): Promise<string> => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
    return join(root, path);
  };
  const at = (name: string): string => join(root, name);
  return {
    put,
    foreign: { ollama: at("ollama"), lmstudio: [at("lmstudio")], huggingface: at("hub"), llamaCpp: at("llama.cpp") },
  };
}

function ollamaManifest(layers: readonly [string, Uint8Array | string][]): string {
  const described = layers.map(([kind, content]) => {
    const bytes = Buffer.from(content);
    return { mediaType: `application/vnd.ollama.image.${kind}`, digest: `sha256:${sha256(bytes)}`, size: bytes.length };
  });
  return JSON.stringify({ schemaVersion: 2, layers: described });
}

type Tools = Awaited<ReturnType<typeof foreignTools>>;

async function ollamaModel({ put }: Tools, name: string, bytes: Uint8Array = weights): Promise<string> {
  await put("ollama/blobs/sha256-" + sha256(Buffer.from('{"temperature":0.2}')), '{"temperature":0.2}');
  await put(
    `ollama/manifests/${name}`,
    ollamaManifest([
      ["model", bytes],
      ["params", '{"temperature":0.2}'],
    ]),
  );
  return await put(`ollama/blobs/sha256-${sha256(bytes)}`, bytes);
}

test("models of Ollama are used where they are, under their own names", async () => {
  const tools = await foreignTools();
  const path = await ollamaModel(tools, "registry.ollama.ai/library/llama3.2/1b");
  await ollamaModel(tools, "hf.co/owner/repo/Q4_0");
  const { library, entries } = await temporaryLibrary({ foreign: tools.foreign });
  const models = await library.list();
  expect(models.map(({ name, origin }) => [name, origin])).toEqual([
    ["hf.co/owner/repo:Q4_0", "ollama"],
    ["llama3.2:1b", "ollama"],
  ]);
  const model = await library.resolve("llama3.2:1b");
  expect(model).toMatchObject({
    source: "ollama:llama3.2:1b",
    overrides: { parameters: { temperature: 0.2 } },
    files: [{ role: "weights", path, sha256: digest }, { role: "config" }],
  });
  expect((await library.resolve("ollama:llama3.2:1b")).id).toBe(model.id);
  expect((await library.pull("ollama:llama3.2:1b")).id).toBe(model.id);
  expect(await library.verify("llama3.2:1b")).toMatchObject([{ status: "ok" }, { status: "ok" }]);
  await writeFile(path, someBytes(3000, "changed"));
  expect(await library.verify("llama3.2:1b")).toMatchObject([{ status: "changed" }, { status: "ok" }]);
  await expect(library.remove("llama3.2:1b")).rejects.toMatchObject({
    code: "conflict",
    hint: expect.stringContaining("ollama rm llama3.2:1b"),
  });
  await expect(library.copy("llama3.2:1b", "mine")).rejects.toMatchObject({ code: "conflict" });
  expect((await stat(path)).size).toBe(3000);
  expect([await entries("blobs"), await entries("manifests")]).toEqual([[], []]);
});

test("damaged and hostile manifests of Ollama are passed over, the others stay", async () => {
  const tools = await foreignTools();
  await ollamaModel(tools, "registry.ollama.ai/library/good/1b");
  const library = "ollama/manifests/registry.ollama.ai/library";
  await tools.put(`${library}/empty/1b`, "");
  await tools.put(`${library}/cut/1b`, '{"layers":[');
  await tools.put(
    `${library}/path/1b`,
    JSON.stringify({
      layers: [
        { mediaType: "application/vnd.ollama.image.model", digest: "sha256:../../../../../etc/passwd", size: 1 },
      ],
    }),
  );
  await tools.put(`${library}/gone/1b`, ollamaManifest([["model", "never downloaded"]]));
  await tools.put(`${library}/hosted/1b`, ollamaManifest([["params", '{"temperature":0.2}']]));
  await tools.put(`${library}/bad name!/1b`, ollamaManifest([["model", weights]]));
  await tools.put(`${library}/.DS_Store`, "x");
  const temporary = await temporaryLibrary({ foreign: tools.foreign });
  expect((await temporary.library.list()).map((model) => model.name)).toEqual(["good:1b"]);
});

test("LM Studio and llama.cpp: files are found by folder and name, parts and projectors together", async () => {
  const { put, foreign } = await foreignTools();
  await put("lmstudio/maker/Model-GGUF/model-Q4_K_M.gguf", weights);
  await put("lmstudio/maker/Model-GGUF/mmproj-model-f16.gguf", weights);
  await put("lmstudio/maker/Big-GGUF/big-00001-of-00002.gguf", weights);
  await put("lmstudio/maker/Big-GGUF/big-00002-of-00002.gguf", weights);
  await put("lmstudio/maker/Half-GGUF/half-00001-of-00002.gguf", weights);
  await put("lmstudio/maker/Model-GGUF/readme.md", "x");
  await put("llama.cpp/owner_repo_tiny.Q8_0.gguf", weights);
  await put("llama.cpp/owner_repo_tiny.Q8_0.gguf.json", "{}");
  const { library } = await temporaryLibrary({ foreign });
  expect((await library.list()).map(({ name, origin, sizeBytes }) => [name, origin, sizeBytes])).toEqual([
    ["maker/Big-GGUF:big-00001-of-00002", "lmstudio", 6000],
    ["maker/Model-GGUF:Q4_K_M", "lmstudio", 6000],
    ["owner_repo_tiny.Q8_0", "llama.cpp", 3000],
  ]);
  expect((await library.resolve("lmstudio:maker/Model-GGUF/model-Q4_K_M")).name).toBe("maker/Model-GGUF:Q4_K_M");
  expect((await library.resolve("maker/Model-GGUF")).name).toBe("maker/Model-GGUF:Q4_K_M");
  expect((await library.resolve("llama.cpp:owner_repo_tiny.Q8_0")).origin).toBe("llama.cpp");
  expect(await library.verify("owner_repo_tiny.Q8_0")).toMatchObject([{ status: "unhashed" }]);
});

test("the cache of the Hugging Face tools: links are followed, the hash is in the blob's name", async () => {
  const { put, foreign } = await foreignTools();
  const blob = await put(`hub/models--owner--repo-GGUF/blobs/${digest}`, weights);
  const link = join(foreign.huggingface, "models--owner--repo-GGUF", "snapshots", commit, "tiny-Q4_0.gguf");
  await mkdir(dirname(link), { recursive: true });
  await symlink(blob, link);
  await symlink(join(dirname(blob), "gone"), join(dirname(link), "gone-Q8_0.gguf"));
  await put("hub/datasets--a--b/x.gguf", weights);
  const { library } = await temporaryLibrary({ foreign });
  const [model, ...more] = await library.list();
  expect(more).toEqual([]);
  expect(model).toMatchObject({
    name: "hf.co/owner/repo-GGUF:Q4_0",
    origin: "huggingface",
    source: `hf:owner/repo-GGUF/tiny-Q4_0.gguf@${commit}`,
    files: [{ path: link, sha256: digest }],
  });
  for (const text of [
    "hf:owner/repo-GGUF",
    "hf.co/owner/repo-GGUF:Q4_0",
    "hf:owner/repo-GGUF/tiny-Q4_0.gguf",
    `hf:owner/repo-GGUF@${commit}`,
  ]) {
    expect({ text, id: (await library.pull(text)).id }).toEqual({ text, id: model?.id });
  }
  expect(await library.verify()).toMatchObject([{ status: "ok" }]);
  await expect(library.remove("hf:owner/repo-GGUF")).rejects.toMatchObject({ code: "conflict" });
});

test("a name that two tools claim is qualified for both, and nothing is written into their folders", async () => {
  const tools = await foreignTools();
  await ollamaModel(tools, "registry.ollama.ai/maker/model/Q4_0");
  await tools.put("lmstudio/maker/model/model-Q4_0.gguf", weights);
  const before = await readdir(dirname(tools.foreign.ollama), { recursive: true });
  const { library } = await temporaryLibrary({ foreign: tools.foreign });
  expect((await library.list()).map((model) => model.name)).toEqual([
    "lmstudio:maker/model/model-Q4_0",
    "ollama:maker/model:Q4_0",
  ]);
  await library.verify();
  expect(await readdir(dirname(tools.foreign.ollama), { recursive: true })).toEqual(before);
});
