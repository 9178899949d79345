import { createCard } from "../compress/card/card.ts";
import { cardLines } from "../compress/card/lines.ts";
import { readQuestions } from "../compress/evaluate/choices.ts";
import { defaultText, readText } from "../compress/evaluate/text.ts";
import { parseCount } from "../config/values.ts";
import { style } from "../terminal/style.ts";
import { formatPairs } from "../terminal/table.ts";
import { findModel } from "./compress/model.ts";
import { defineCommand, type Command } from "./command.ts";

export const evaluate: Command = defineCommand({
  name: "eval",
  text: "Measures how good a model is: perplexity of a text, how far its probabilities are from another model's, right answers to questions, speed and memory.",
  arguments: [{ name: "MODEL", text: "an installed model, a GGUF file or the folder of a checkpoint", required: true }],
  flags: {
    reference: {
      kind: "value",
      value: "MODEL",
      text: "compare with this one, as a rule the one that it was made from",
      parse: (text) => text,
    },
    text: {
      kind: "value",
      value: "FILE",
      text: "the text; default English prose and code of 64 KB",
      parse: (text) => text,
    },
    choices: {
      kind: "value",
      value: "FILE",
      text: 'questions to choose answers to, one a line: {"question", "choices", "answer"}',
      parse: (text) => text,
    },
    window: {
      kind: "value",
      value: "N",
      text: "tokens of a window, whose second half is scored; default 512",
      parse: parseCount,
    },
    tokens: { kind: "value", value: "N", text: "tokens of the text at most", parse: parseCount },
    card: { kind: "switch", text: "write a quality card and its page beside the model" },
  },
  settings: ["threads"],
  examples: [
    "hearth eval ./model-q4_k_m.gguf --reference ./model-f16.gguf",
    "hearth eval tinyllama --text essay.txt --choices questions.jsonl --json",
  ],
  async run(context) {
    const { args, flags, services, settings, signal, status, io } = context;
    const model = await findModel(context, args[0] ?? "");
    const evaluation = await services.evaluate({
      model,
      reference: flags.reference === undefined ? undefined : await findModel(context, flags.reference),
      text: flags.text === undefined ? await defaultText() : await readText(flags.text),
      questions:
        flags.choices === undefined ? undefined : { name: flags.choices, list: await readQuestions(flags.choices) },
      windowTokens: flags.window,
      tokens: flags.tokens,
      settings,
      signal,
      onProgress: status.update,
    });
    status.clear();
    const card = createCard(evaluation);
    const paths = flags.card ? await services.writeCard(model.path, card) : [];
    if (context.json) return context.writeJson(card);
    io.stdout.write(formatPairs(io.stdout, cardLines(card)));
    if (paths.length > 0) io.stdout.write(`${style(io.stdout, "dim", paths.join("\n"))}\n`);
  },
});
