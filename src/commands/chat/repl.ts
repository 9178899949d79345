/** The chat at the terminal. */
import { join } from "node:path";
import { dataFolder } from "../../config/paths.ts";
import { isAbort, toHearthError } from "../../error.ts";
import { createHistory, type History } from "../../terminal/history.ts";
import { createPrompt, unquote } from "../../terminal/prompt.ts";
import { style } from "../../terminal/style.ts";
import { formatPairs } from "../../terminal/table.ts";
import type { Context } from "../command.ts";
import { answerNotes, answerRates, readAnswer, type Answer } from "./answer.ts";
import type { ChatFlags } from "./flags.ts";
import { seesPictures, startsWithPicture, toContent } from "./pictures.ts";
import { toChatRequest, type Session } from "./session.ts";
import { runSlash } from "./slash.ts";
import { createAnswerWriter } from "./writer.ts";

/** What a slash command may use and change. */
export interface Repl {
  readonly context: Context<ChatFlags>;
  readonly session: Session;
  readonly history: History;
  /** Folder of saved sessions. */
  readonly savedFolder: string;
  readonly write: (text: string) => void;
}

export async function openRepl(context: Context<ChatFlags>, session: Session): Promise<void> {
  const { io, signal, settings } = context;
  const data = settings.data ?? dataFolder();
  const history = createHistory(join(data, "history"));
  let running: AbortController | undefined;
  const prompt = createPrompt({ io, history, signal, onInterrupt: () => running?.abort() });
  const write = (text: string): void => {
    io.stdout.write(text);
  };
  const repl: Repl = { context, session, history, savedFolder: join(data, "sessions"), write };
  write(`${session.model} is ready. ${style(io.stdout, "dim", "/? lists the commands, /bye leaves.")}\n`);
  try {
    for (;;) {
      const text = await prompt.read();
      // After Ctrl-D the cursor still stands behind the prompt.
      if (text === undefined) write("\n");
      if (text === undefined || text.trim() === "/bye") break;
      if (text.trim() === "") continue;
      running = new AbortController();
      await respond(repl, text, AbortSignal.any([signal, running.signal]));
      signal.throwIfAborted();
    }
  } finally {
    prompt.close();
  }
  signal.throwIfAborted();
}

/** What goes wrong with one line does not end the chat. */
async function respond(repl: Repl, text: string, signal: AbortSignal): Promise<void> {
  const { io, status } = repl.context;
  try {
    if (text.trimStart().startsWith("/") && !startsWithPicture(text.trim())) await runSlash(repl, text.trim(), signal);
    else await ask(repl, unquote(text), signal);
  } catch (error) {
    status.clear();
    if (isAbort(error) && signal.aborted) return;
    const { message, hint } = toHearthError(error);
    io.stderr.write(`${style(io.stderr, "red", message)}${hint === "" ? "" : ` ${hint}`}\n`);
  }
}

async function ask({ context, session, write }: Repl, text: string, signal: AbortSignal): Promise<void> {
  const { io } = context;
  const hearth = await context.hearth();
  const answer: Answer = { model: session.model, text: "" };
  const writer = createAnswerWriter({ text: io.stdout, reasoning: session.hideThinking ? undefined : io.stdout });
  const { images } = session;
  const content = toContent(text, {
    images,
    sees: await seesPictures(context, session),
    onPicture: (path) => io.stderr.write(`${style(io.stderr, "dim", `with the picture ${path}`)}\n`),
  });
  session.messages.push({ role: "user", content });
  session.images = [];
  try {
    await readAnswer(hearth.chat(toChatRequest(session, { settings: context.settings, signal })), answer, writer);
  } finally {
    writer.end();
    // What was said before Ctrl-C stays in the conversation; a question that got nothing does not.
    if (answer.text === "" && answer.finishReason === undefined) {
      session.messages.pop();
      session.images = images;
    } else session.messages.push({ role: "assistant", content: answer.text });
  }
  for (const note of answerNotes(answer)) write(`${style(io.stdout, "yellow", note)}\n`);
  if (session.verbose) io.stderr.write(formatPairs(io.stderr, answerRates(answer)));
  write("\n");
}
