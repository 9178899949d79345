/** A language model says which label a text has: how likely each label is as the answer to a question. */
import { renderChat } from "../../../chat/render.ts";
import { modelAt } from "../../../engines/flint/local.ts";
import { createModelText } from "../../../engines/flint/text.ts";
import { createGgufTokenizer } from "../../../engines/flint/tokenizer/gguf.ts";
import { HearthError } from "../../../error.ts";
import { describeGguf } from "../../../models/describe.ts";
import type { Progress } from "../../../spec/model.ts";
import { withModel } from "../../compute.ts";
import type { NamedModel } from "../../evaluate/evaluate.ts";
import { softmaxInto } from "./softmax.ts";

export interface LabelOptions {
  readonly teacher: NamedModel;
  readonly texts: readonly string[];
  readonly labels: readonly string[];
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** For each text the probabilities of the labels. */
export type Labelled = readonly Float32Array[];

/** Answers to one question: all tokens, and the first of the answer. */
interface Answer {
  readonly tokens: readonly number[];
  readonly from: number;
}

/** In place of a text: what the model answers then, it answers without looking (arXiv 2102.09690). */
const nothing = "N/A";

/**
 * A label is as likely as the text makes it likelier than no text does, so that long and rare labels lose nothing. Throws
 * `bad_request` for a text that is longer than what the teacher reads.
 */
export async function labelTexts(options: LabelOptions): Promise<Labelled> {
  const { teacher, texts, labels, threads, signal, onProgress } = options;
  const ask = await openQuestions(teacher, labels);
  const [blank = [], ...questions] = [nothing, ...texts].map(ask);
  const contextTokens = Math.max(...[blank, ...questions].flat().map(({ tokens }) => tokens.length));
  return await withModel(teacher.path, { name: teacher.name, contextTokens, threads, signal, onProgress }, async (study) => {
    const likelihoods = async (answers: readonly Answer[]): Promise<number[]> => {
      const sums: number[] = [];
      for (const answer of answers) {
        const { logprobs } = await study.score(answer, signal);
        sums.push(logprobs.reduce((sum, logprob) => sum + logprob, 0));
      }
      return sums;
    };
    const prior = await likelihoods(blank);
    const found: Float32Array[] = [];
    for (const [index, question] of questions.entries()) {
      const scores = (await likelihoods(question)).map((score, label) => score - (prior[label] ?? 0));
      const probabilities = new Float32Array(labels.length);
      softmaxInto(scores, probabilities);
      found.push(probabilities);
      const done = { completedBytes: index + 1, totalBytes: texts.length };
      onProgress?.({ phase: "measure", label: teacher.name, ...done });
    }
    return found;
  });
}

async function openQuestions(
  { name, path }: NamedModel,
  labels: readonly string[],
): Promise<(text: string, index: number) => readonly Answer[]> {
  const header = await modelAt(path, { name }).readHeader();
  const info = describeGguf(header);
  const { promptTokens } = createModelText(createGgufTokenizer(header.metadata), info);
  return (text, index) => {
    const content = questionOf(text, labels);
    const { parts } = renderChat({ info, messages: [{ role: "user", content }], answerNow: true, think: false });
    const before = promptTokens(parts);
    return labels.map((label) => {
      const tokens = promptTokens([...parts, { text: label, special: false }]);
      if (tokens.length > info.trainContextTokens) throw tooLong({ name, index, tokens: tokens.length, most: info.trainContextTokens });
      // Where question and answer meet, tokens may differ from those of the question alone.
      const shared = before.findIndex((token, at) => token !== tokens[at]);
      return { tokens, from: Math.max(1, shared < 0 ? before.length : shared) };
    });
  };
}

function questionOf(text: string, labels: readonly string[]): string {
  const choice = `${labels.slice(0, -1).join(", ")} or ${labels.at(-1) ?? ""}`;
  return `Text: ${text}\n\nWhat is this text about: ${choice}? Answer with one of these words and nothing else.`;
}

interface Long {
  readonly name: string;
  readonly index: number;
  readonly tokens: number;
  readonly most: number;
}

function tooLong({ name, index, tokens, most }: Long): HearthError {
  return new HearthError("bad_request", `Text ${index} with the question has ${tokens} tokens; ${name} reads ${most}.`, {
    hint: "Shorten the text, give it a label, or take another teacher.",
  });
}
