/**
 * A language model says which label a text has: by how likely it is to write that text when it is asked for one of a label
 * (the noisy channel of arXiv 2108.04106). A small model knows that far better than which label to answer with.
 */
import { renderChat } from "../../../chat/render.ts";
import { modelAt } from "../../../engines/flint/local.ts";
import { createModelText } from "../../../engines/flint/text.ts";
import { createGgufTokenizer } from "../../../engines/flint/tokenizer/gguf.ts";
import { HearthError } from "../../../error.ts";
import { describeGguf } from "../../../models/describe.ts";
import type { Progress } from "../../../spec/model.ts";
import { withModel } from "../../compute.ts";
import type { NamedModel } from "../../evaluate/evaluate.ts";
import { measured } from "../../progress.ts";
import { softmaxInto } from "./softmax.ts";

export interface LabelOptions {
  readonly teacher: NamedModel;
  readonly texts: readonly string[];
  readonly labels: readonly string[];
  /** The wish for a text, with the label in place of {}. */
  readonly ask: string;
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** For each text the probabilities of the labels. */
export type Labelled = readonly Float32Array[];

/** All tokens of a wish and a text, and the first of the text. */
interface Written {
  readonly tokens: readonly number[];
  readonly from: number;
}

/**
 * By the rule of Bayes, with labels that are equally likely before the text is seen. Throws `bad_request` for a text that is
 * longer than what the teacher reads, before anything is computed.
 */
export async function labelTexts(options: LabelOptions): Promise<Labelled> {
  const { teacher, texts, labels, threads, signal, onProgress } = options;
  const written = await writeAll(options);
  const contextTokens = Math.max(...written.flat().map(({ tokens }) => tokens.length));
  const load = { name: teacher.name, contextTokens, threads, signal, onProgress };
  const whole = { name: teacher.name, text: texts.join("\n") };
  return await withModel(teacher.path, load, async (study) => {
    const found: Float32Array[] = [];
    for (const [index, candidates] of written.entries()) {
      const scores: number[] = [];
      for (const candidate of candidates) {
        const { logprobs } = await study.score(candidate, signal);
        scores.push(logprobs.reduce((sum, logprob) => sum + logprob, 0));
      }
      const probabilities = new Float32Array(labels.length);
      softmaxInto(scores, probabilities);
      found.push(probabilities);
      onProgress?.(measured(whole, (index + 1) / texts.length));
    }
    return found;
  });
}

/** Each text as the answer to the wish for each label. */
async function writeAll({ teacher, texts, labels, ask }: LabelOptions): Promise<readonly (readonly Written[])[]> {
  const header = await modelAt(teacher.path, { name: teacher.name }).readHeader();
  const info = describeGguf(header);
  const model = createModelText(createGgufTokenizer(header.metadata), info);
  const wishes = labels.map((label) => {
    const content = ask.replaceAll("{}", () => label);
    const { parts } = renderChat({ info, messages: [{ role: "user", content }], answerNow: true, think: false });
    return { parts, before: model.promptTokens(parts) };
  });
  const most = info.trainContextTokens || Infinity;
  return texts.map((text, index) =>
    wishes.map(({ parts, before }) => {
      const tokens = model.promptTokens([...parts, { text, special: false }]);
      if (tokens.length > most) throw tooLong({ name: teacher.name, index, tokens: tokens.length, most });
      // Where wish and text meet, tokens may differ from those of the wish alone.
      const shared = before.findIndex((token, at) => token !== tokens[at]);
      return { tokens, from: Math.max(1, shared < 0 ? before.length : shared) };
    }),
  );
}

interface Long {
  readonly name: string;
  readonly index: number;
  readonly tokens: number;
  readonly most: number;
}

function tooLong({ name, index, tokens, most }: Long): HearthError {
  return new HearthError(
    "bad_request",
    `Text ${index + 1} without a label has ${tokens} tokens; ${name} reads ${most}.`,
    {
      hint: "Shorten it, give it a label, or take another teacher.",
    },
  );
}
