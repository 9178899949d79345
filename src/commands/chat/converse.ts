/** `hearth` and `hearth run`: one answer when there is a prompt, a chat when a person sits at the terminal. */
import { HearthError } from "../../error.ts";
import { readAll } from "../../terminal/io.ts";
import { formatPairs } from "../../terminal/table.ts";
import type { Context } from "../command.ts";
import { answerNotes, answerRates, readAnswer, type Answer } from "./answer.ts";
import type { ChatFlags } from "./flags.ts";
import { ensureModel, loadModel } from "./model.ts";
import { toSampling } from "./parameters.ts";
import { seesPictures, toContent } from "./pictures.ts";
import { openRepl } from "./repl.ts";
import { toChatRequest, toLoadOptions, type Session } from "./session.ts";
import { createAnswerWriter } from "./writer.ts";

export async function converse(context: Context<ChatFlags>, name: string, words: readonly string[]): Promise<void> {
  const { io, json, flags } = context;
  const prompt = await readPrompt(context, words);
  if (json && prompt === undefined) {
    throw new HearthError("usage", "--json needs a prompt.", { hint: 'For example: hearth run MODEL "Hello" --json' });
  }
  const session = createSession(context, name);
  const installed = await ensureModel(context, name);
  await loadModel(context, installed.name, toLoadOptions(session));
  session.model = installed.name;
  if (prompt === undefined) {
    await openRepl(context, session);
  } else if (prompt.trim() === "" && flags.image.length === 0) {
    context.status.note(`${installed.name} is here and loads; nothing was asked.`);
  } else {
    const sees = await seesPictures(context, session);
    session.messages.push({ role: "user", content: toContent(prompt, { images: session.images, sees }) });
    await (json ? answerJson(context, session) : answerOnce(context, session));
  }
  if (io.stdin.isTTY !== true) io.stdin.pause();
}

/** The words of the command line; `-` among them, or no words at all, stands for what is piped in. */
async function readPrompt(context: Context<ChatFlags>, words: readonly string[]): Promise<string | undefined> {
  const { io, signal } = context;
  const piped = words.includes("-") || (words.length === 0 && !(io.stdin.isTTY === true && io.stdout.isTTY === true));
  if (!piped) return words.length === 0 ? undefined : words.join(" ");
  const text = await readAll(io.stdin, signal);
  const asked = words.filter((word) => word !== "-").join(" ");
  return asked === "" ? text : `${asked}\n\n${text}`;
}

function createSession({ flags }: Context<ChatFlags>, model: string): Session {
  return {
    model,
    system: flags.system,
    messages: [],
    parameters: { sampling: toSampling(flags), maxTokens: flags["max-tokens"], stop: flags.stop },
    format: flags.format,
    think: flags.think,
    hideThinking: flags.hidethinking,
    verbose: flags.verbose,
    adapters: flags.adapter,
    images: flags.image,
    projector: flags.projector,
  };
}

/** Only the answer goes to stdout. */
async function answerOnce(context: Context<ChatFlags>, session: Session): Promise<void> {
  const { io, status } = context;
  const hearth = await context.hearth();
  const answer: Answer = { model: session.model, text: "" };
  const writer = createAnswerWriter({ text: io.stdout, reasoning: session.hideThinking ? undefined : io.stderr });
  try {
    await readAnswer(hearth.chat(toChatRequest(session, context)), answer, writer);
  } finally {
    writer.end();
  }
  for (const note of answerNotes(answer)) status.note(note);
  if (session.verbose) io.stderr.write(formatPairs(io.stderr, answerRates(answer)));
}

async function answerJson(context: Context<ChatFlags>, session: Session): Promise<void> {
  const hearth = await context.hearth();
  const answer: Answer = { model: session.model, text: "" };
  await readAnswer(hearth.chat(toChatRequest(session, context)), answer, { onText() {}, onReasoning() {} });
  context.writeJson(answer);
  if (session.verbose) context.io.stderr.write(formatPairs(context.io.stderr, answerRates(answer)));
}
