import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { callRoute, createOllamaHearth, framesOf, jsonOf } from "../../../test/conformance/ollama-hearth.ts";
import type { Json, OllamaHearth } from "../../../test/conformance/ollama-hearth.ts";
import { fakeInfo } from "../../../test/fake-library.ts";
import { makeTinyLlama } from "../../../test/make-model.ts";
import { HearthError } from "../../error.ts";
import type { PullOptions } from "../../models/contract.ts";
import type { InstalledModel, Progress } from "../../spec/model.ts";
import { toErrorBody } from "./error.ts";
import { ollama } from "./index.ts";
import { createDescriber } from "./pull.ts";
import { toShow } from "./show.ts";

const details = {
  parent_model: "",
  format: "gguf",
  family: "llama",
  families: ["llama"],
  parameter_size: "1.1B",
  quantization_level: "Q4_K_M",
  context_length: 2048,
  embedding_length: 2048,
};

function withLibrary(hearth: OllamaHearth, library: Partial<OllamaHearth["library"]>): OllamaHearth {
  return { ...hearth, library: { ...hearth.library, ...library } };
}

describe("tags", () => {
  test("lists name, size, digest and details of each model, in Ollama's words", async () => {
    const hearth = createOllamaHearth({
      models: [{ name: "tiny" }, { name: "vectors", info: { architecture: "bert", capabilities: ["embed"] } }],
    });
    const { models } = jsonOf(await callRoute(hearth, "GET /api/tags")) as { models: Json[] };
    expect(models[0]).toEqual({
      name: "tiny:latest",
      model: "tiny:latest",
      modified_at: "2026-01-02T03:04:05.000Z",
      size: 667_000_000,
      digest: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown,
      details,
      capabilities: ["completion"],
    });
    expect(models[1]).toMatchObject({ capabilities: ["embedding"], details: { family: "bert" } });
  });

  test("a damaged file stays in the list, without details", async () => {
    const hearth = createOllamaHearth();
    const library = withLibrary(hearth, {
      async inspect(model) {
        if (model.name === "tiny:latest") throw new HearthError("model_malformed", "tensor_count at 8 is wrong");
        return fakeInfo();
      },
    });
    const { models } = jsonOf(await callRoute(library, "GET /api/tags")) as { models: Json[] };
    expect(models).toHaveLength(3);
    const { context_length: _c, embedding_length: _e, ...known } = details;
    const empty = { ...known, family: "", families: [], parameter_size: "", quantization_level: "" };
    expect(models.find(({ name }) => name === "tiny:latest")).toMatchObject({ details: empty, capabilities: [] });
    expect(models.find(({ name }) => name === "vectors:latest")).toMatchObject({ details });
  });

  test("is empty for an empty store", async () => {
    expect(jsonOf(await callRoute(createOllamaHearth({ models: [] }), "GET /api/tags"))).toEqual({ models: [] });
  });
});

describe("ps", () => {
  test("lists what is loaded, the one that stays longest first", async () => {
    const hearth = createOllamaHearth();
    await callRoute(hearth, "POST /api/generate", { model: "tiny", keep_alive: 60 });
    await callRoute(hearth, "POST /api/generate", { model: "thinker", keep_alive: -1 });
    const { models } = jsonOf(await callRoute(hearth, "GET /api/ps")) as { models: Json[] };
    expect(models.map(({ name }) => name)).toEqual(["thinker:latest", "tiny:latest"]);
    expect(models[0]).toMatchObject({ expires_at: "2318-01-01T00:00:00.000Z", hearth: { expires: false } });
    expect(models[1]).toEqual({
      name: "tiny:latest",
      model: "tiny:latest",
      size: 1024,
      size_vram: 24,
      digest: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown,
      details,
      expires_at: "2026-01-01T00:01:00.000Z",
      context_length: 2048,
      hearth: { state: "ready", engine: "fake", device: "cpu", parallel: 8, running: 0, waiting: 0, expires: true },
    });
  });
});

describe("show", () => {
  test("tells what a model is and can do", async () => {
    const hearth = createOllamaHearth({
      models: [
        {
          name: "tiny",
          info: {
            capabilities: ["generate", "chat", "tools", "insert", "vision", "thinking"],
            metadata: {
              "general.architecture": "llama",
              "general.name": "Tiny",
              "general.file_type": 15,
              "llama.context_length": 2048,
              "llama.big": 2n ** 60n,
              "llama.small": 7n,
              "tokenizer.ggml.model": "llama",
              "tokenizer.chat_template": "secretly long",
            },
          },
          overrides: { system: "Be kind.", parameters: { temperature: 0.5, stop: ["<|im_end|>", "x"] } },
        },
      ],
    });
    const body = jsonOf(await callRoute(hearth, "POST /api/show", { model: "tiny" }));
    expect(body).toMatchObject({
      license: "apache-2.0",
      template: fakeInfo().chatTemplate,
      system: "Be kind.",
      details,
      capabilities: ["completion", "tools", "insert", "vision", "thinking"],
      modified_at: "2026-01-02T03:04:05.000Z",
    });
    expect(body["model_info"]).toEqual({
      "general.architecture": "llama",
      "general.file_type": 15,
      "general.parameter_count": 1_100_000_000,
      "llama.context_length": 2048,
      "llama.big": "1152921504606846976",
      "llama.small": 7,
      "tokenizer.ggml.model": "llama",
      "tokenizer.ggml.tokens": null,
      "tokenizer.ggml.scores": null,
      "tokenizer.ggml.token_type": null,
      "tokenizer.ggml.merges": null,
    });
    expect(String(body["parameters"]).split("\n")).toEqual([
      `${"temperature".padEnd(30)} 0.5`,
      `${"stop".padEnd(30)} "<|im_end|>"`,
      `${"stop".padEnd(30)} "x"`,
    ]);
    const modelfile = String(body["modelfile"]);
    for (const line of ["FROM tiny:latest", "PARAMETER temperature 0.5", 'SYSTEM """Be kind."""'])
      expect(modelfile).toContain(line);
    expect(JSON.stringify(body)).not.toContain("/nowhere");
  });

  test("system, template and options of the request stand in for those of the model", async () => {
    const body = { name: "tiny", system: "Short.", template: "{{ x }}", options: { seed: 1 } };
    const shown = jsonOf(await callRoute(createOllamaHearth(), "POST /api/show", body));
    expect(shown).toMatchObject({ system: "Short.", template: "{{ x }}", parameters: `${"seed".padEnd(30)} 1` });
  });

  test("verbose adds the lists of the tokenizer and the tensors", async () => {
    const folder = await mkdtemp(join(tmpdir(), "hearth-show-"));
    onTestFinished(async () => await rm(folder, { recursive: true }));
    const path = await makeTinyLlama(join(folder, "model.gguf"));
    const hearth = createOllamaHearth();
    const tiny = await hearth.library.resolve("tiny");
    const model: InstalledModel = { ...tiny, files: [{ role: "weights", name: "model.gguf", sizeBytes: 1, path }] };
    const real = withLibrary(hearth, { resolve: async () => model });
    const body = jsonOf(await callRoute(real, "POST /api/show", { model: "tiny", verbose: true }));
    const { model_info, tensors } = body as { model_info: Record<string, unknown[]>; tensors: Json[] };
    expect(model_info["tokenizer.ggml.tokens"]).toContain("</s>");
    expect(model_info["tokenizer.ggml.scores"]?.length).toBe(model_info["tokenizer.ggml.tokens"]?.length);
    expect(tensors).toContainEqual({ name: "token_embd.weight", type: "F32", shape: [64, expect.any(Number)] });
    const onnx = withLibrary(hearth, { resolve: async () => ({ ...model, format: "onnx" as const }) });
    await expect(callRoute(onnx, "POST /api/show", { model: "tiny", verbose: true })).rejects.toThrow("verbose");
  });

  test("a damaged file is an error of the file", async () => {
    const hearth = withLibrary(createOllamaHearth(), {
      inspect: async () => await Promise.reject(new HearthError("model_malformed", "tensor_count at 8 is wrong")),
    });
    await expect(callRoute(hearth, "POST /api/show", { model: "tiny" })).rejects.toMatchObject({ status: 422 });
  });

  test("a model without license, template or metadata is still shown", () => {
    const info = fakeInfo({ metadata: {} });
    const { chatTemplate: _template, ...bare } = info;
    const model = { name: "x", format: "gguf", id: "0", files: [], sizeBytes: 0, origin: "path" } as const;
    expect(toShow({ model: { ...model, modifiedAt: new Date(0) }, info: bare })).toMatchObject({
      template: "",
      model_info: { "general.architecture": "llama" },
    });
  });
});

describe("copy and delete", () => {
  test("a copy is a second name, and deleting one keeps the other", async () => {
    const hearth = createOllamaHearth();
    const copied = await callRoute(hearth, "POST /api/copy", { source: "tiny", destination: "mine" });
    expect(copied).toEqual({ kind: "text", body: "" });
    await callRoute(hearth, "POST /api/generate", { model: "tiny" });
    expect(await callRoute(hearth, "DELETE /api/delete", { name: "tiny" })).toEqual({ kind: "text", body: "" });
    expect(hearth.statuses).toEqual([]);
    const names = (await hearth.library.list()).map(({ name }) => name);
    expect(names).toContain("mine:latest");
    expect(names).not.toContain("tiny:latest");
  });

  test("unknown models are 404", async () => {
    const hearth = createOllamaHearth();
    const missing = { status: 404, message: expect.stringMatching(/^model 'nobody' not found/) as unknown };
    await expect(callRoute(hearth, "DELETE /api/delete", { model: "nobody" })).rejects.toMatchObject(missing);
    const copy = { source: "nobody", destination: "x" };
    await expect(callRoute(hearth, "POST /api/copy", copy)).rejects.toMatchObject(missing);
    await expect(callRoute(hearth, "POST /api/show", { model: "nobody" })).rejects.toMatchObject(missing);
    await expect(callRoute(hearth, "POST /api/pull", { model: "nobody" })).rejects.toMatchObject(missing);
    await expect(callRoute(hearth, "POST /api/embed", { model: "nobody", input: "x" })).rejects.toMatchObject(missing);
  });

  test.each(["DELETE /api/delete", "POST /api/show", "POST /api/pull"])("%s needs a name", async (endpoint) => {
    await expect(callRoute(createOllamaHearth(), endpoint, {})).rejects.toMatchObject({ details: { field: "model" } });
  });
});

describe("pull", () => {
  const remote = [{ name: "new", info: {} }];

  test("tells its progress and ends with success", async () => {
    const hearth = createOllamaHearth({ remote });
    const frames = await framesOf(await callRoute(hearth, "POST /api/pull", { name: "new" }));
    expect(frames[0]).toEqual({ status: "pulling manifest" });
    expect(frames).toContainEqual({
      status: "pulling model.gguf",
      digest: "model.gguf",
      total: 667_000_000,
      completed: 667_000_000,
    });
    expect(frames.at(-1)).toEqual({ status: "success" });
    expect((await hearth.library.list()).map(({ name }) => name)).toContain("new:latest");
  });

  test("is one object with stream: false", async () => {
    const hearth = createOllamaHearth({ remote });
    const body = { model: "new", stream: false, insecure: false };
    expect(jsonOf(await callRoute(hearth, "POST /api/pull", body))).toEqual({ status: "success" });
  });

  test("a model that is here is a success at once", async () => {
    const frames = await framesOf(await callRoute(createOllamaHearth(), "POST /api/pull", { model: "tiny" }));
    expect(frames).toEqual([{ status: "pulling manifest" }, { status: "success" }]);
  });

  test("a failure on the way ends the stream with the error", async () => {
    const hearth = withLibrary(createOllamaHearth(), {
      async pull(_name: string, options: PullOptions = {}) {
        options.onProgress?.({ phase: "resolve", label: "new", completedBytes: 0 });
        await Promise.resolve();
        throw new HearthError("hash_mismatch", "The download has another hash.");
      },
    });
    const reply = await callRoute(hearth, "POST /api/pull", { model: "new" });
    await expect(framesOf(reply)).rejects.toMatchObject({ code: "hash_mismatch" });
  });

  test("ends when the client leaves", async () => {
    const left = new AbortController();
    const hearth = withLibrary(createOllamaHearth(), {
      async pull(_name: string, { signal, onProgress }: PullOptions = {}) {
        onProgress?.({ phase: "download", label: "a", completedBytes: 1, totalBytes: 2 });
        await new Promise((_resolve, reject) => {
          signal?.addEventListener("abort", () => reject(signal.reason as Error));
        });
        throw new Error("unreachable");
      },
    });
    const reply = await callRoute(hearth, "POST /api/pull", { model: "new" }, left.signal);
    left.abort(new HearthError("aborted", "gone"));
    await expect(framesOf(reply)).rejects.toMatchObject({ code: "aborted" });
  });

  test.each([{ insecure: true }, { username: "me" }, { password: "x" }])("%j is refused", async (body) => {
    const work = callRoute(createOllamaHearth({ remote }), "POST /api/pull", { model: "new", ...body });
    await expect(work).rejects.toMatchObject({ code: "unsupported_option" });
  });

  test("frames come at most ten times a second for each file, and the last one always", () => {
    let now = 0;
    const describeProgress = createDescriber([], () => now);
    const sent: unknown[] = [];
    const at = (time: number, progress: Progress): void => {
      now = time;
      sent.push(...describeProgress(progress).map((frame) => [time, frame.completed ?? frame.status]));
    };
    const bytes = (label: string, completedBytes: number): Progress => ({
      phase: "download",
      label,
      completedBytes,
      totalBytes: 100,
    });
    at(0, bytes("a", 0));
    at(50, bytes("a", 10));
    at(60, bytes("b", 20));
    at(100, bytes("a", 30));
    at(120, bytes("a", 100));
    at(130, { phase: "verify", label: "a", completedBytes: 1 });
    at(140, { phase: "verify", label: "a", completedBytes: 2 });
    at(150, { phase: "install", label: "a", completedBytes: 2 });
    at(160, { phase: "done", label: "a", completedBytes: 2 });
    expect(sent).toEqual([
      [0, 0],
      [60, 20],
      [100, 30],
      [120, 100],
      [130, "verifying sha256 digest"],
      [150, "writing manifest"],
    ]);
  });

  test("a file of the catalog is told by its digest", () => {
    const sha256 = "ab".repeat(32);
    const source = { from: "hf:a/b", sizeBytes: 100, sha256 };
    const entry = { name: "a", tag: "b", description: "", kind: "chat", license: "mit", sources: [source] } as const;
    const [frame] = createDescriber([entry])({ phase: "download", label: "x", completedBytes: 5, totalBytes: 100 });
    expect(frame).toEqual({ status: "pulling abababababab", digest: `sha256:${sha256}`, total: 100, completed: 5 });
  });
});

describe("embeddings", () => {
  test("one vector per text, with durations", async () => {
    const hearth = createOllamaHearth();
    const reply = await callRoute(hearth, "POST /api/embed", { model: "vectors", input: ["a", "bb"], dimensions: 2 });
    expect(jsonOf(reply)).toEqual({
      model: "vectors",
      embeddings: [
        [1, 0.5, -0.25],
        [2, 0.5, -0.25],
      ],
      total_duration: 1_000_000,
      load_duration: 0,
      prompt_eval_count: 6,
    });
    expect(hearth.requests[0]).toMatchObject({ texts: ["a", "bb"], dimensions: 2, truncate: false });
  });

  test("the older form takes one prompt", async () => {
    const reply = await callRoute(createOllamaHearth(), "POST /api/embeddings", { model: "vectors", prompt: "abc" });
    expect(jsonOf(reply)).toEqual({ embedding: [3, 0.5, -0.25] });
  });

  test("without input the model is loaded", async () => {
    const hearth = createOllamaHearth();
    for (const input of ["", [], undefined])
      expect(jsonOf(await callRoute(hearth, "POST /api/embed", { model: "vectors", input }))).toEqual({
        model: "vectors",
        embeddings: [],
      });
    expect(jsonOf(await callRoute(hearth, "POST /api/embeddings", { model: "vectors" }))).toEqual({ embedding: [] });
    expect(hearth.released).toBe(4);
  });

  test("texts are cut only when asked, and then the answer says which", async () => {
    const hearth = createOllamaHearth();
    const cutting: OllamaHearth = {
      ...hearth,
      async embed(request) {
        expect(request.truncate).toBe(true);
        return { model: "vectors", vectors: [], tokens: 9, truncated: [1, 3], loadMs: 0, totalMs: 1 };
      },
    };
    const reply = await callRoute(cutting, "POST /api/embed", { model: "vectors", input: ["a"], truncate: true });
    expect(reply.headers).toEqual({ "x-hearth-truncated-inputs": "1,3" });
    expect(jsonOf(reply)).toMatchObject({ hearth: { truncated: [1, 3] } });
  });

  test.each([
    [{ input: 5 }, "input"],
    [{ input: ["a", 5] }, "input"],
    [{ input: "a", dimensions: -1 }, "dimensions"],
    [{ input: "a", options: { temperature: 1 } }, "options.temperature"],
    [{ input: "a", options: { num_predict: 1 } }, "options.num_predict"],
    [{ prompt: "a" }, "prompt"],
  ])("%j is refused by name", async (body, field) => {
    const work = callRoute(createOllamaHearth(), "POST /api/embed", { model: "vectors", ...body });
    await expect(work).rejects.toMatchObject({ status: 400, details: { field } });
  });
});

describe("errors", () => {
  test("are one text with the hint", () => {
    const error = new HearthError("queue_full", "512 requests wait.", { hint: "Try later." });
    expect(toErrorBody(error, "id-1")).toEqual({ error: "512 requests wait. Try later." });
  });

  test("of ours carry the id and nothing else", () => {
    const body = toErrorBody(new HearthError("internal", "ENOENT /home/someone/secret"), "id-1");
    expect(body.error).toContain("id-1");
    expect(body.error).not.toContain("secret");
  });

  test.each(["POST /api/create", "POST /api/push", "POST /api/blobs/:digest"])(
    "%s says what to do",
    async (endpoint) => {
      const work = callRoute(createOllamaHearth(), endpoint, { model: "x" });
      await expect(work).rejects.toMatchObject({
        code: "unsupported_option",
        hint: expect.stringContaining("reference") as unknown,
      });
    },
  );

  test("only the greeting is public", () => {
    expect(ollama.routes.filter(({ access }) => access === "public").map(({ path }) => path)).toEqual(["/"]);
    const writes = ollama.routes.filter(({ access }) => access === "models:write").map(({ path }) => path);
    expect(writes).toEqual(expect.arrayContaining(["/api/pull", "/api/delete", "/api/copy", "/api/create"]));
  });
});
