/** A tiny model to prune, and what a text might have told about it. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../../../../test/make-checkpoint.ts";
import { modelBytes, tinyLlama } from "../../../../test/make-model.ts";
import type { TinyLlamaOptions } from "../../../../test/make-model.ts";
import { openInline } from "../../../engines/flint/inline.ts";
import { parseGguf } from "../../../formats/gguf/parse.ts";
import type { GgufContent } from "../../../formats/gguf/encode.ts";
import type { GgufFile } from "../../../formats/gguf/types.ts";
import type { Activations } from "../contract.ts";

export const layers = 6;

export function tinyContent(options: TinyLlamaOptions = {}): GgufContent {
  return tinyLlama({ layers, seed: 7, ...options });
}

export function writeTiny(content: GgufContent = tinyContent()): string {
  const path = join(temporaryFolder(), "tiny.gguf");
  writeFileSync(path, modelBytes(content));
  return path;
}

/** A copy in which the columns of a matrix are zero: what enters there has no effect. */
export function silence(content: GgufContent, name: string, columns: (column: number) => boolean): GgufContent {
  const tensors = content.tensors.map((tensor) => {
    if (tensor.name !== name || typeof tensor.data === "function") return tensor;
    const data = tensor.data.slice();
    const weights = new Float32Array(data.buffer);
    const [k = 1] = tensor.shape;
    for (let i = 0; i < weights.length; i++) if (columns(i % k)) weights[i] = 0;
    return { ...tensor, data };
  });
  return { ...content, tensors };
}

export interface Silent {
  /** Columns that nothing enters. */
  readonly column?: (name: string, column: number) => boolean;
  readonly cosines?: readonly number[];
}

/** As if each column had been 1, but for the silent ones. */
export function fakeActivations(content: GgufContent, { column = () => false, cosines }: Silent = {}): Activations {
  const matrices = content.tensors.filter(({ name, shape }) => name.startsWith("blk.") && shape.length === 2);
  const entries = new Map(
    matrices.map(({ name, shape: [k = 1] }) => [
      name,
      {
        sums: Float32Array.from({ length: k }, (_, index) => (column(name, index) ? 0 : 100)),
        counts: Float32Array.of(100),
      },
    ]),
  );
  return {
    file: { entries, datasets: ["text.txt"], chunks: 1, chunkTokens: 100 },
    cosines: cosines ?? Array.from({ length: layers }, (_, layer) => 0.5 + layer / 100),
  };
}

interface ReadModel {
  readonly file: GgufFile;
  readonly data: (name: string) => Uint8Array<ArrayBuffer>;
  readonly floats: (name: string) => Float32Array;
}

export function readModel(path: string): ReadModel {
  const bytes = new Uint8Array(readFileSync(path));
  const file = parseGguf(bytes, { name: path });
  const data = (name: string): Uint8Array<ArrayBuffer> => {
    const tensor = file.tensors.find((each) => each.name === name);
    if (!tensor) throw new RangeError(`no tensor ${name}`);
    const start = file.dataOffset + tensor.offset;
    return bytes.slice(start, start + tensor.sizeBytes);
  };
  return { file, data, floats: (name) => new Float32Array(data(name).buffer) };
}

const tokens = [1, 300, 301, 302, 290, 280, 270, 310, 320];

export function logitsOf(bytes: Uint8Array<ArrayBuffer>): Float32Array[] {
  return openInline(bytes, { contextTokens: 64 }).step({ tokens });
}
