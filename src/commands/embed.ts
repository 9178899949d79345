import { defineCommand, parseNumber, type Command } from "./command.ts";
import { modelFlag, taskModel, textTaskSettings } from "./tasks/ready.ts";

export const embed: Command = defineCommand({
  name: "embed",
  text: "Turns texts into vectors, one JSON array a line.",
  arguments: [{ name: "TEXT", text: "texts; none: the lines of stdin", rest: true }],
  flags: {
    model: modelFlag("embed"),
    dimensions: { kind: "value", value: "N", text: "keep the first N numbers of each vector", parse: parseNumber },
  },
  settings: textTaskSettings,
  examples: ['hearth embed "a cat" "a dog"', "hearth embed < lines.txt > vectors.jsonl"],
  async run(context) {
    const { args, flags, io, json, signal, writeJson } = context;
    const model = await taskModel(context, "embed", flags.model);
    const hearth = await context.hearth();
    const texts = args.length > 0 ? args : await readLines(io.stdin);
    const { dimensions } = flags;
    const { vectors, tokens } = await hearth.embed({
      model,
      texts,
      signal,
      ...(dimensions !== undefined && { dimensions }),
    });
    if (json) writeJson({ model, vectors: vectors.map((vector) => [...vector]), tokens });
    else for (const vector of vectors) io.stdout.write(`${JSON.stringify([...vector])}\n`);
  },
});

async function readLines(stdin: AsyncIterable<Uint8Array | string>): Promise<string[]> {
  const pieces: Buffer[] = [];
  for await (const piece of stdin) pieces.push(Buffer.from(piece));
  const lines = Buffer.concat(pieces).toString("utf8").split(/\r?\n/);
  return lines.filter((line) => line !== "");
}
