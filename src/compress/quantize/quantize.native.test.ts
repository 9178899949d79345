import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { makeTinyLlama } from "../../../test/make-model.ts";
import { toFloat32 } from "../../engines/flint/weights/codecs/float.ts";
import { checkModel } from "../../engines/flint/check.ts";
import { parseGguf } from "../../formats/gguf/parse.ts";
import { validateForEngine } from "../../formats/gguf/validate.ts";
import { temporaryFolder } from "../../../test/cli/run-main.ts";
import { writeImportance } from "../imatrix/write.ts";
import { quantizeModel } from "./quantize.ts";
import type { QuantizeOptions } from "./quantize.ts";

async function setUp(own: Partial<QuantizeOptions> = {}) {
  const folder = temporaryFolder();
  const source = await makeTinyLlama(join(folder, "tiny.gguf"), { embedding: 256, layers: 1, type: "F16" });
  const options: QuantizeOptions = { source, out: join(folder, "out.gguf"), mix: "q4_k_m", threads: 0, ...own };
  return { folder, source, options, files: () => readdirSync(folder).toSorted() };
}

function read(path: string) {
  const bytes = new Uint8Array(readFileSync(path));
  const file = parseGguf(bytes);
  const weights = (name: string): Float32Array => {
    const tensor = file.tensors.find((one) => one.name === name);
    if (!tensor) throw new Error(`no ${name}`);
    const values = new Float32Array(tensor.shape.reduce((product, size) => product * size, 1));
    toFloat32(tensor.typeName, bytes.slice(file.dataOffset + tensor.offset), values);
    return values;
  };
  return { file, weights };
}

describe("quantizing a model", () => {
  it("gives a file that the engines accept, with the same tokenizer and the new type", async () => {
    const { options, source, files } = await setUp();
    const report = await quantizeModel(options);
    const [before, after] = [read(source), read(options.out)];
    validateForEngine(after.file);
    checkModel(after.file);
    expect(after.file.metadata.get("general.file_type")).toBe(15);
    expect(after.file.metadata.get("general.quantization_version")).toBe(2);
    expect([...after.file.metadata.keys()]).toEqual(expect.arrayContaining([...before.file.metadata.keys()]));
    const tokens = (file: typeof before.file): unknown => file.metadata.get("tokenizer.ggml.tokens");
    expect(JSON.stringify(tokens(after.file))).toBe(JSON.stringify(tokens(before.file)));
    expect(report.sizeBytes).toBe(readFileSync(options.out).length);
    expect(report.types["Q4_K"]).toBeGreaterThan(0);
    expect(report.bitsPerWeight).toBeLessThan(report.sourceBitsPerWeight / 2);
    expect(files()).toEqual(["out.gguf", "tiny.gguf"]);
  });

  it("keeps every weight near to what it was, whatever thread it fell to", async () => {
    const { options, source } = await setUp({ mix: "q8_0", threads: 2 });
    await quantizeModel(options);
    const [before, after] = [read(source), read(options.out)];
    for (const { name } of before.file.tensors) {
      const [a, b] = [before.weights(name), after.weights(name)];
      const largest = (values: Float32Array): number =>
        values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expect(largest(a.map((value, index) => value - (b[index] ?? 0)))).toBeLessThan(largest(a) / 200);
    }
  });

  it("writes other floats too", async () => {
    const { options, source } = await setUp({ mix: "bf16" });
    await quantizeModel(options);
    const name = "blk.0.attn_q.weight";
    expect(read(options.out).file.tensors.find((tensor) => tensor.name === name)?.typeName).toBe("BF16");
    expect(read(options.out).weights(name)[5]).toBeCloseTo(read(source).weights(name)[5] ?? 0, 2);
  });

  it("names the importance matrix in the metadata, and errs less where it counts", async () => {
    const { options, source, folder } = await setUp({ mix: "q2_k" });
    const importance = join(folder, "importance.gguf");
    const sums = Float32Array.from({ length: 256 }, (_, column) => (column % 2 === 0 ? 100 : 1));
    const name = "blk.0.ffn_up.weight";
    const entries = new Map([[name, { sums, counts: Float32Array.of(10) }]]);
    await writeImportance({ path: importance }, { entries, datasets: ["text.txt"], chunks: 3, chunkTokens: 512 });
    await quantizeModel(options);
    await quantizeModel({ ...options, out: join(folder, "weighted.gguf"), importance });
    const weighted = read(join(folder, "weighted.gguf"));
    expect(weighted.file.metadata.get("quantize.imatrix.file")).toBe(importance);
    expect(weighted.file.metadata.get("quantize.imatrix.dataset")).toBe("text.txt");
    expect(weighted.file.metadata.get("quantize.imatrix.entries_count")).toBe(1);
    expect(weighted.file.metadata.get("quantize.imatrix.chunks_count")).toBe(3);
    const original = read(source).weights(name);
    const error = (values: Float32Array): number =>
      values.reduce((sum, value, index) => sum + (index % 2 === 0 ? (value - (original[index] ?? 0)) ** 2 : 0), 0);
    expect(error(weighted.weights(name))).toBeLessThan(error(read(options.out).weights(name)) * 0.9);
  });

  it("says how far it is", async () => {
    const { options } = await setUp();
    const done: number[] = [];
    await quantizeModel({ ...options, onProgress: ({ completedBytes }) => done.push(completedBytes) });
    expect(done).toEqual(done.toSorted((a, b) => a - b));
  });
});

describe("quantizing is refused", () => {
  it("for weights that are quantized already, unless that is allowed", async () => {
    const { options, folder, files } = await setUp({ mix: "q8_0" });
    await quantizeModel(options);
    const again = { ...options, source: options.out, out: join(folder, "again.gguf"), mix: "q4_0" as const };
    await expect(quantizeModel(again)).rejects.toMatchObject({ code: "bad_request", hint: /--allow-requantize/ });
    expect(files()).toEqual(["out.gguf", "tiny.gguf"]);
    await quantizeModel({ ...again, allowRequantize: true });
    expect(files()).toContain("again.gguf");
  });

  it("where the output exists", async () => {
    const { options } = await setUp();
    writeFileSync(options.out, "mine");
    await expect(quantizeModel(options)).rejects.toMatchObject({ code: "conflict" });
    expect(readFileSync(options.out, "utf8")).toBe("mine");
  });

  it("where the disk has too little room, before anything is written", async () => {
    const { options, files } = await setUp({ freeBytes: async () => 1000 });
    await expect(quantizeModel(options)).rejects.toMatchObject({ code: "disk_full", message: /1000 B are free/ });
    expect(files()).toEqual(["tiny.gguf"]);
  });

  it("for weights that are not finite, with the tensor's name, and leaves nothing", async () => {
    const { options, source, files } = await setUp();
    const bytes = readFileSync(source);
    const { file } = read(source);
    const tensor = file.tensors.find(({ name }) => name === "blk.0.ffn_up.weight");
    bytes.writeUInt16LE(0x7e00, file.dataOffset + (tensor?.offset ?? 0) + 100);
    writeFileSync(source, bytes);
    await expect(quantizeModel(options)).rejects.toMatchObject({
      code: "model_malformed",
      message: /ffn_up.*not finite/,
    });
    expect(files()).toEqual(["tiny.gguf"]);
  });

  it("for an importance matrix of another model", async () => {
    const { options, folder } = await setUp();
    const path = join(folder, "importance.gguf");
    const entry = { sums: new Float32Array(64).fill(1), counts: Float32Array.of(1) };
    await writeImportance(
      { path },
      { entries: new Map([["blk.0.attn_q.weight", entry]]), datasets: [], chunks: 1, chunkTokens: 1 },
    );
    await expect(quantizeModel({ ...options, importance: path })).rejects.toMatchObject({
      code: "bad_request",
      message: /64 columns for blk\.0\.attn_q\.weight, which has 256/,
    });
  });

  it("when it is aborted, and leaves nothing", async () => {
    const { options, files } = await setUp({ signal: AbortSignal.abort() });
    await expect(quantizeModel(options)).rejects.toThrow(/abort/i);
    expect(files()).toEqual(["tiny.gguf"]);
  });
});
