/**
 * Our quantizers beside those of llama.cpp, a line of JSON for each type:
 * `node scripts/golden/quantize.ts SOURCE.gguf --llama-quantize PATH [--types q4_0,q4_k_m] [--imatrix FILE]
 * [--allow-requantize] [--threads 2] [--runs 3] [--tokens 8192] [--reference] [--folder DIR]`.
 * Says whether all tensors have the same types, how the root mean square errors compare, the perplexity and with
 * `--reference` the KL divergence from the source of both, and the medians of their times, measured in turn.
 * `--tokens 0`: no perplexity.
 */
import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { evaluateIsolated } from "../../src/compress/isolate.ts";
import { defaultText } from "../../src/compress/evaluate/text.ts";
import { mixNames } from "../../src/compress/quantize/mixes.ts";
import { toFloat32 } from "../../src/engines/flint/weights/codecs/float.ts";
import { readGguf } from "../../src/formats/gguf/read.ts";
import type { GgufFile, GgufTensor } from "../../src/formats/gguf/types.ts";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    "llama-quantize": { type: "string" },
    types: { type: "string", default: mixNames.filter((name) => !/^b?f/.test(name)).join(",") },
    imatrix: { type: "string" },
    "allow-requantize": { type: "boolean", default: false },
    threads: { type: "string", default: "2" },
    runs: { type: "string", default: "1" },
    tokens: { type: "string", default: "8192" },
    reference: { type: "boolean", default: false },
    folder: { type: "string" },
  },
});
const [source] = positionals;
const peer = flags["llama-quantize"];
if (source === undefined || peer === undefined) throw new Error("Name a GGUF file, and llama-quantize.");
const folder = mkdtempSync(join(flags.folder ?? tmpdir(), "quantize-"));
const threads = Number(flags.threads);
/** Weights of a tensor that are looked at. */
const sampled = 2 ** 18;

try {
  for (const type of flags.types.split(",")) console.log(JSON.stringify(await compare(type, source)));
} finally {
  rmSync(folder, { recursive: true });
}

async function compare(type: string, path: string) {
  const ours = join(folder, "ours.gguf");
  const theirs = join(folder, "theirs.gguf");
  const times = { ours: [] as number[], theirs: [] as number[] };
  for (let run = 0; run < Number(flags.runs); run++) {
    for (const file of [ours, theirs]) rmSync(file, { force: true });
    times.ours.push(timed(() => runOurs(type, path, ours)));
    times.theirs.push(timed(() => runTheirs(type, path, theirs)));
  }
  return {
    type,
    ...(await compareFiles(path, ours, theirs)),
    seconds: { ours: median(times.ours), theirs: median(times.theirs) },
    ...(flags.tokens !== "0" && { quality: await compareQuality(path, ours, theirs) }),
  };
}

function runOurs(type: string, path: string, out: string): void {
  const own = ["--type", type, "--out", out, "--threads", String(threads), "--json"];
  const more = flags["allow-requantize"] ? ["--allow-requantize"] : [];
  const importance = flags.imatrix === undefined ? [] : ["--imatrix", flags.imatrix];
  const entry = new URL("../../src/cli.ts", import.meta.url).pathname;
  execFileSync(process.execPath, [entry, "quantize", path, ...own, ...more, ...importance], { stdio: "pipe" });
}

function runTheirs(type: string, path: string, out: string): void {
  const more = flags["allow-requantize"] ? ["--allow-requantize"] : [];
  const importance = flags.imatrix === undefined ? [] : ["--imatrix", flags.imatrix];
  execFileSync(peer ?? "", [...more, ...importance, path, out, type, String(threads)], { stdio: "pipe" });
}

function timed(work: () => void): number {
  const start = performance.now();
  work();
  return Math.round(performance.now() - start) / 1000;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

async function compareFiles(path: string, ours: string, theirs: string) {
  const files = await Promise.all([path, ours, theirs].map(openModel));
  const [original, mine, other] = files as [Model, Model, Model];
  const different: string[] = [];
  const ratios = new Map<string, number[]>();
  for (const tensor of original.file.tensors) {
    const [a, b] = [mine.find(tensor.name), other.find(tensor.name)];
    if (a.typeName !== b.typeName) different.push(`${tensor.name} ${a.typeName} ${b.typeName}`);
    if (a.typeName !== b.typeName || a.typeName === tensor.typeName) continue;
    const weights = original.read(tensor);
    const ratio = rmse(weights, mine.read(a)) / rmse(weights, other.read(b));
    ratios.set(a.typeName, [...(ratios.get(a.typeName) ?? []), ratio]);
  }
  const sizes = { ours: mine.file.fileBytes, theirs: other.file.fileBytes };
  for (const file of files) file.close();
  const errors = Object.fromEntries(
    Array.from(ratios, ([name, all]) => [name, { median: round(median(all)), most: round(Math.max(...all)) }]),
  );
  return { different, errors, sizes };
}

interface Model {
  readonly file: GgufFile;
  find(name: string): GgufTensor;
  read(tensor: GgufTensor): Float32Array;
  close(): void;
}

async function openModel(path: string): Promise<Model> {
  const file = await readGguf(path);
  const descriptor = openSync(path, "r");
  return {
    file,
    find(name) {
      const found = file.tensors.find((tensor) => tensor.name === name);
      if (!found) throw new Error(`${path} lacks ${name}`);
      return found;
    },
    read({ shape, typeName, offset, sizeBytes }) {
      const all = shape.reduce((product, size) => product * size, 1);
      const rows = Math.max(1, Math.floor(Math.min(all, sampled) / (shape[0] ?? 1)));
      const values = new Float32Array(rows * (shape[0] ?? 1));
      const bytes = new Uint8Array((sizeBytes / all) * values.length);
      readSync(descriptor, bytes, 0, bytes.length, file.dataOffset + offset);
      toFloat32(typeName, bytes, values);
      return values;
    },
    close: () => closeSync(descriptor),
  };
}

function rmse(a: Float32Array, b: Float32Array): number {
  return Math.sqrt(a.reduce((sum, value, index) => sum + (value - (b[index] ?? 0)) ** 2, 0) / a.length);
}

async function compareQuality(path: string, ours: string, theirs: string) {
  const measure = async (model: string) => {
    const evaluation = await evaluateIsolated({
      model: { name: model, path: model },
      ...(flags.reference && { reference: { name: path, path } }),
      text: await defaultText(),
      tokens: Number(flags.tokens),
      threads,
      folder,
    });
    const { perplexity, comparison } = evaluation;
    return {
      perplexity: round(perplexity.value),
      divergence: comparison && Number(comparison.divergence.value.toPrecision(4)),
      agreement: comparison && round(comparison.agreement.value),
      reference: comparison && round(comparison.referencePerplexity.value),
    };
  };
  const [mine, other] = [await measure(ours), await measure(theirs)];
  return { ours: mine, theirs: other, ratio: round(mine.perplexity / other.perplexity) };
}

function round(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
