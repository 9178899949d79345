/** Multiple choice: the answer that a model holds for the likeliest, for its length. */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import type { Study } from "../../engines/flint/study.ts";
import { HearthError } from "../../error.ts";
import type { Progress } from "../../spec/model.ts";
import type { ChoiceFacts } from "./contract.ts";
import { meanOf } from "./statistics.ts";

export interface Question {
  readonly question: string;
  readonly choices: readonly string[];
  /** Which of the choices is right, from 0. */
  readonly answer: number;
}

const line = z.object({
  question: z.string().min(1),
  choices: z.array(z.string().min(1)).min(2),
  /** A place, the text of a choice, or a letter from A on. */
  answer: z.union([z.number().int().min(0), z.string()]),
});

/** One question a line. Throws `bad_request` with the line. */
export async function readQuestions(path: string): Promise<Question[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw new HearthError("bad_request", `${path} cannot be read.`, {
      hint: "Give the path of a JSONL file.",
      cause: error,
    });
  }
  const questions = text
    .split("\n")
    .flatMap((row, index) => (row.trim() === "" ? [] : [parseQuestion(row, `${path}:${index + 1}`)]));
  if (questions.length > 0) return questions;
  throw new HearthError("bad_request", `${path} has no questions.`, { hint: form });
}

const form =
  'A line is {"question": "…", "choices": ["…", "…"], "answer": 0}; the answer may be the text of a choice too.';

function parseQuestion(row: string, place: string): Question {
  let parsed: z.infer<typeof line>;
  try {
    parsed = line.parse(JSON.parse(row));
  } catch (error) {
    throw new HearthError("bad_request", `${place} is no question.`, { hint: form, cause: error });
  }
  const { question, choices } = parsed;
  const answer = placeOf(parsed.answer, choices);
  if (answer >= 0 && answer < choices.length) return { question, choices, answer };
  throw new HearthError(
    "bad_request",
    `${place}: the answer "${parsed.answer}" is none of the ${choices.length} choices.`,
    {
      hint: form,
    },
  );
}

function placeOf(answer: number | string, choices: readonly string[]): number {
  if (typeof answer === "number") return answer;
  const text = choices.indexOf(answer);
  return text >= 0 || !/^[A-Z]$/i.test(answer) ? text : answer.toUpperCase().charCodeAt(0) - 65;
}

interface Answering {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** The sum of the logprobs of a choice's tokens after the question, for each of its bytes in UTF-8. */
export async function answerAll(
  study: Study,
  { name, list }: { readonly name: string; readonly list: readonly Question[] },
  { signal, onProgress }: Answering,
): Promise<ChoiceFacts> {
  const right: number[] = [];
  for (const [index, { question, choices, answer }] of list.entries()) {
    const likelihoods: number[] = [];
    for (const choice of choices) likelihoods.push(await likelihoodOf(study, { question, choice }, signal));
    right.push(likelihoods.indexOf(Math.max(...likelihoods)) === answer ? 1 : 0);
    onProgress?.({ phase: "measure", label: name, completedBytes: index + 1, totalBytes: list.length });
  }
  return { name, questions: list.length, accuracy: meanOf(right) };
}

interface Pair {
  readonly question: string;
  readonly choice: string;
}

async function likelihoodOf(
  study: Study,
  { question, choice }: Pair,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { tokenizer, contextTokens } = study;
  const { addBos, bos } = tokenizer;
  const encode = (text: string): number[] => [
    ...(addBos && bos !== undefined ? [bos] : []),
    ...tokenizer.encode(text, { special: false, start: true }),
  ];
  const spaced = /\s$/.test(question) || /^\s/.test(choice) ? question + choice : `${question} ${choice}`;
  const before = encode(question);
  const tokens = encode(spaced);
  // Where question and choice meet, tokens may differ from those of the question alone.
  const shared = before.findIndex((token, index) => token !== tokens[index]);
  const first = Math.max(1, shared < 0 ? before.length : shared);
  if (tokens.length > contextTokens) {
    throw new HearthError(
      "bad_request",
      `A question with its choice has ${tokens.length} tokens; ${contextTokens} are the most.`,
      {
        hint: "Shorten it, or give a larger --window.",
      },
    );
  }
  const { logprobs } = await study.score({ tokens, from: first }, signal);
  return logprobs.reduce((sum, logprob) => sum + logprob, 0) / Math.max(1, Buffer.byteLength(choice));
}
