import { basename, join } from "node:path";
import type { Collected } from "../compress/imatrix/collect.ts";
import { readText } from "../compress/evaluate/text.ts";
import { parseCount } from "../config/values.ts";
import { HearthError } from "../error.ts";
import { formatPairs } from "../terminal/table.ts";
import { findModel } from "./compress/model.ts";
import { defineCommand, type Command } from "./command.ts";

export const imatrix: Command = defineCommand({
  name: "imatrix",
  text: "Computes a text with a model and writes an importance matrix: which columns of its matrices count most. `hearth quantize --imatrix` and llama.cpp read it.",
  arguments: [{ name: "MODEL", text: "an installed model, a GGUF file or the folder of a checkpoint", required: true }],
  flags: {
    text: {
      kind: "value",
      value: "FILE",
      text: "a text of the kind that the model is for; 50,000 tokens are good",
      parse: (text) => text,
    },
    out: { kind: "value", value: "FILE", text: "the file to write; default MODEL.imatrix.gguf", parse: (text) => text },
    window: { kind: "value", value: "N", text: "tokens of a piece of the text; default 512", parse: parseCount },
    tokens: { kind: "value", value: "N", text: "tokens of the text at most", parse: parseCount },
  },
  settings: ["threads"],
  examples: [
    "hearth imatrix ./model-f16.gguf --text calibration.txt",
    "hearth quantize ./model-f16.gguf --imatrix model-f16.imatrix.gguf",
  ],
  async run(context) {
    const { args, flags, services, settings, signal, status, io, json } = context;
    if (flags.text === undefined) {
      throw new HearthError("usage", "--text is missing.", { hint: "Name a text of the kind that the model is for." });
    }
    const { window: chunkTokens = 512, tokens = Infinity } = flags;
    const model = await findModel(context, args[0] ?? "");
    const out = flags.out ?? join(".", `${basename(model.name).replace(/\.gguf$/i, "")}.imatrix.gguf`);
    const collected = await services.collectImportance(model.path, {
      name: model.name,
      text: await readText(flags.text),
      chunkTokens,
      chunks: Math.floor(tokens / chunkTokens),
      settings,
      signal,
      onProgress: status.update,
    });
    status.clear();
    await services.writeImportance(out, collected.file, signal);
    if (json) context.writeJson({ path: out, ...facts(collected) });
    else io.stdout.write(formatPairs(io.stdout, lines(out, collected)));
  },
});

function facts({ file, perplexity, tokens, unseen, experts }: Collected) {
  return { tokens, chunks: file.chunks, matrices: file.entries.size, perplexity, unseenExperts: unseen, experts };
}

function lines(path: string, { file, perplexity, tokens, unseen, experts }: Collected) {
  return [
    ["file", path],
    ["text", `${file.datasets.join(", ")}: ${tokens} tokens in ${file.chunks} pieces`],
    ["matrices", String(file.entries.size)],
    ["perplexity", `${perplexity.value.toFixed(3)} ± ${perplexity.error.toFixed(3)}`],
    [
      "unseen",
      unseen === 0 ? undefined : `${unseen} of ${experts} experts of all layers had no token: take a longer text`,
    ],
  ] as const;
}
