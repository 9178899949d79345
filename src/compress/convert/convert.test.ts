import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { makeCheckpoint, temporaryFolder, tinyConfig, tinyTokenizer } from "../../../test/make-checkpoint.ts";
import { modelBytes, tinyLlama } from "../../../test/make-model.ts";
import { openCheckpoint } from "../../formats/checkpoint/open.ts";
import { readGguf } from "../../formats/gguf/read.ts";
import { convert } from "./convert.ts";

const inFolder = (name: string): string => join(temporaryFolder(), name);

describe("a folder becomes a GGUF file", () => {
  test("with the bytes that it reads as", async () => {
    const source = makeCheckpoint();
    const out = inFolder("made.gguf");
    const report = await convert({ source, out });
    expect(report).toMatchObject({ format: "gguf", architecture: "llama", tensors: 21, notes: [] });
    const made = await readGguf(out);
    const { file, read, close } = openCheckpoint(source);
    const data = new Uint8Array(file.fileBytes);
    read(0, data);
    close();
    expect(new Uint8Array(readFileSync(out).subarray(made.dataOffset))).toEqual(data);
    expect([...made.metadata.keys()]).toEqual([...file.metadata.keys()]);
    expect(made.fileBytes).toBe(report.sizeBytes);
  });

  test("of another type where one is asked for", async () => {
    const out = inFolder("made.gguf");
    await convert({ source: makeCheckpoint(), out, type: "f16" });
    const { tensors } = await readGguf(out);
    expect(new Set(tensors.map(({ typeName, shape }) => `${shape.length} ${typeName}`))).toEqual(
      new Set(["2 F16", "1 F32"]),
    );
  });

  test("given one of its files of weights", async () => {
    const out = inFolder("made.gguf");
    await convert({ source: join(makeCheckpoint(), "model.safetensors"), out });
    expect((await readGguf(out)).tensors).toHaveLength(21);
  });
});

describe("a GGUF file becomes a folder", () => {
  test("which becomes the same file again", async () => {
    const folder = temporaryFolder();
    const [first, middle, last] = ["first.gguf", "middle", "last.gguf"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    await convert({ source: makeCheckpoint(), out: first });
    await convert({ source: first, out: middle });
    await convert({ source: middle, out: last });
    const [before, after] = [await readGguf(first), await readGguf(last)];
    expect(readFileSync(last).subarray(after.dataOffset)).toEqual(readFileSync(first).subarray(before.dataOffset));
  });

  test("with template, sampling and roles of tokens", async () => {
    const path = inFolder("tiny.gguf");
    writeFileSync(
      path,
      modelBytes(tinyLlama({ type: "F16", metadata: { "general.sampling.temp": { type: "float32", value: 0.5 } } })),
    );
    const out = inFolder("made");
    await convert({ source: path, out });
    const json = (name: string): unknown => JSON.parse(readFileSync(join(out, name), "utf8"));
    expect(readFileSync(join(out, "chat_template.jinja"), "utf8")).toContain("<|im_start|>");
    expect(json("generation_config.json")).toEqual({ do_sample: true, temperature: 0.5 });
    expect(json("tokenizer_config.json")).toMatchObject({ bos_token: "<s>", eos_token: "</s>", add_bos_token: true });
    expect(json("config.json")).toMatchObject({ architectures: ["LlamaForCausalLM"], torch_dtype: "float16" });
  });

  test("whose quantized weights are floats, and that is said", async () => {
    const path = inFolder("tiny.gguf");
    writeFileSync(path, modelBytes(tinyLlama({ type: "Q8_0" })));
    const { notes } = await convert({ source: path, out: inFolder("made") });
    expect(notes).toEqual([expect.stringMatching(/Q8_0.*floating-point/)]);
  });

  test("without a tokenizer.json where it cannot be said, and that is said", async () => {
    const path = inFolder("tiny.gguf");
    const metadata = { "tokenizer.ggml.model": { type: "string", value: "rwkv" } } as const;
    writeFileSync(path, modelBytes(tinyLlama({ metadata })));
    const { notes } = await convert({ source: path, out: inFolder("made") });
    expect(notes).toEqual([expect.stringMatching(/no tokenizer.json.*"rwkv"/)]);
  });

  test("of an architecture that no checkpoint is known for it is refused", async () => {
    const path = inFolder("tiny.gguf");
    writeFileSync(path, modelBytes(tinyLlama({ architecture: "falcon" })));
    await expect(convert({ source: path, out: inFolder("made") })).rejects.toMatchObject({ code: "model_unsupported" });
  });
});

describe("nothing half-made is ever seen", () => {
  test.each(["aborted", "broken"])("when the work is %s", async (how) => {
    const folder = temporaryFolder();
    const source = makeCheckpoint();
    const abort = new AbortController();
    const onProgress = (): void => {
      if (how === "broken") throw new Error("broken");
      abort.abort();
    };
    const gguf = join(folder, "a.gguf");
    await convert({ source, out: gguf });
    for (const [from, out] of [
      [source, join(folder, "b.gguf")],
      [gguf, join(folder, "c")],
    ] as const) {
      const work = convert({ source: from, out, signal: abort.signal, onProgress });
      const outcome = await work.then(
        () => "done",
        () => "failed",
      );
      expect(outcome).toBe(how === "broken" || from === gguf ? "failed" : "done");
    }
    expect(readdirSync(folder).filter((name) => name.includes("partial"))).toEqual([]);
  });

  test("an output that exists is kept", async () => {
    const source = makeCheckpoint();
    const out = inFolder("a.gguf");
    writeFileSync(out, "mine");
    await expect(convert({ source, out })).rejects.toMatchObject({ code: "conflict" });
    expect(readFileSync(out, "utf8")).toBe("mine");
  });

  test("a disk that is too small is noticed before anything is written", async () => {
    const folder = temporaryFolder();
    const work = convert({ source: makeCheckpoint(), out: join(folder, "a.gguf"), freeBytes: async () => 1000 });
    await expect(work).rejects.toMatchObject({ code: "disk_full" });
    expect(readdirSync(folder)).toEqual([]);
  });
});

test("a tokenizer that GGUF has no name for is refused for a file", async () => {
  const odd = { ...tinyTokenizer, pre_tokenizer: { type: "ByteLevel", add_prefix_space: true, use_regex: true } };
  const source = makeCheckpoint({ "tokenizer.json": odd });
  await expect(convert({ source, out: inFolder("a.gguf") })).rejects.toThrow(/no name/);
});

test("a model that lacks a tensor is refused by name", async () => {
  const source = makeCheckpoint({ "config.json": { ...tinyConfig, architectures: ["Qwen2ForCausalLM"] } });
  await expect(convert({ source, out: inFolder("a.gguf") })).rejects.toThrow(/attn_q.bias/);
});
