import { convert as convertModel, convertTypes } from "../compress/convert/convert.ts";
import { parseOneOf, parseText } from "../config/values.ts";
import { HearthError } from "../error.ts";
import { formatBytes } from "../util/format.ts";
import { defineCommand, type Command } from "./command.ts";

export const convert: Command = defineCommand({
  name: "convert",
  text: "Makes a GGUF file of a SafeTensors checkpoint, or a checkpoint of a GGUF file. Metadata, tokenizer and chat template come with it.",
  arguments: [{ name: "SOURCE", text: "the folder of a checkpoint, or a GGUF file", required: true }],
  flags: {
    out: { kind: "value", value: "PATH", text: "the file or folder to make", parse: parseText },
    type: {
      kind: "value",
      value: convertTypes.join("|"),
      text: "type of the weights; default: keep",
      parse: parseOneOf(convertTypes),
    },
  },
  examples: [
    "hearth convert ./SmolLM2-135M --out smollm2.gguf --type f16",
    "hearth convert smollm2.gguf --out ./smollm2",
  ],
  async run({ args, flags, signal, status, io, json, writeJson }) {
    const [source = ""] = args;
    const { out, type } = flags;
    if (out === undefined) {
      throw new HearthError("usage", "--out is missing.", {
        hint: "Name the file or folder to make: --out model.gguf.",
      });
    }
    const report = await convertModel({ source, out, type, signal, onProgress: status.update });
    status.clear();
    for (const note of report.notes) status.note(note);
    if (json) writeJson(report);
    else
      io.stdout.write(
        `${report.path}: ${report.architecture}, ${report.tensors} tensors, ${formatBytes(report.sizeBytes)}.\n`,
      );
  },
});
