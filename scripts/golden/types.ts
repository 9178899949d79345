/**
 * Writes the types that llama-quantize gives the tensors of small models of several kinds, for
 * `src/compress/quantize/choose.test.ts`: `node scripts/golden/types.ts LLAMA_QUANTIZE`.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mixNames } from "../../src/compress/quantize/mixes.ts";
import { writeImportance } from "../../src/compress/imatrix/write.ts";
import { kinds, shorten } from "../../src/compress/quantize/__fixtures__/kinds.ts";
import type { Kind } from "../../src/compress/quantize/__fixtures__/kinds.ts";
import type { GgufContent, GgufTypedValue } from "../../src/formats/gguf/encode.ts";
import { writeGguf } from "../../src/formats/gguf/write.ts";

const [program] = process.argv.slice(2);
if (program === undefined) throw new Error("Name llama-quantize.");
const folder = mkdtempSync(join(tmpdir(), "types-"));
try {
  const all: Record<string, Record<string, string>> = {};
  for (const one of kinds) all[one.name] = await typesOf(one, program);
  const path = new URL("../../src/compress/quantize/__fixtures__/types.json", import.meta.url);
  writeFileSync(path, `${JSON.stringify(all, undefined, 1)}\n`);
} finally {
  rmSync(folder, { recursive: true });
}

async function typesOf(one: Kind, path: string) {
  const source = join(folder, "source.gguf");
  const importance = join(folder, "importance.gguf");
  rmSync(importance, { force: true });
  await writeGguf(source, contentOf(one));
  const blocks = Object.entries(one.shapes).filter(([name, shape]) => name.startsWith("blk.") && shape.length > 1);
  const entries = new Map(
    blocks.map(([name, [k = 1, , experts = 1]]) => [
      name,
      { sums: new Float32Array(k * experts).fill(1), counts: new Float32Array(experts).fill(1) },
    ]),
  );
  await writeImportance({ path: importance }, { entries, datasets: ["none"], chunks: 1, chunkTokens: 1 });
  const types: Record<string, string> = {};
  const inOrder = (found: ReadonlyMap<string, string>): string =>
    shorten(Object.keys(one.shapes).map((name) => found.get(name) ?? "?"));
  for (const mix of mixNames) {
    types[mix] = inOrder(ask(path, [source, mix]));
    if (/^(iq4|q4_0|q5_0)/.test(mix))
      types[`${mix}+imatrix`] = inOrder(ask(path, ["--imatrix", importance, source, mix]));
  }
  return types;
}

/** `[ 1/ 9] blk.0.attn_q.weight - [256, 2, 1, 1], type = f32, size = 0.02 MiB -> 0.01 MiB (q4_K)` */
function ask(path: string, words: readonly string[]): ReadonlyMap<string, string> {
  const { stderr, status } = spawnSync(path, ["--dry-run", ...words], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  const found = stderr.matchAll(/\] +(\S+) +- \[.*?type = +(\S+), size = .*?(?:\((\S+)\))?$/gm);
  return new Map(Array.from(found, ([, name = "", from = "", to = from]) => [name, to.toUpperCase()]));
}

function contentOf({ metadata, shapes }: Kind): GgufContent {
  const { "general.architecture": architecture } = metadata;
  const typed = Object.entries({ ...metadata, ...figures(String(architecture)) }).map(
    ([key, value]): [string, GgufTypedValue] => [
      key,
      typeof value === "string"
        ? { type: "string", value }
        : /epsilon/.test(key)
          ? { type: "float32", value }
          : { type: "uint32", value },
    ],
  );
  return {
    metadata: Object.fromEntries(typed),
    tensors: Object.entries(shapes).map(([name, shape]) => ({
      name,
      shape,
      type: "F32",
      data: new Uint8Array(shape.reduce((product, size) => product * size, 4)),
    })),
  };
}

function figures(architecture: string): Record<string, number> {
  return {
    [`${architecture}.context_length`]: 512,
    [`${architecture}.embedding_length`]: 256,
    [`${architecture}.feed_forward_length`]: 256,
    [`${architecture}.vocab_size`]: 4,
    [`${architecture}.attention.layer_norm_rms_epsilon`]: 1e-5,
    [`${architecture}.attention.layer_norm_epsilon`]: 1e-5,
  };
}
