import type { Output } from "../../terminal/io.ts";
import { plain, style } from "../../terminal/style.ts";
import type { AnswerSink } from "./answer.ts";

export interface AnswerWriter extends AnswerSink {
  /** Ends the last line. */
  end(): void;
}

export interface AnswerStreams {
  readonly text: Output;
  /** Where reasoning goes; undefined: nowhere. */
  readonly reasoning: Output | undefined;
}

/** Writes an answer as it comes: text as it is, reasoning dimmed, one line end at the end of each. */
export function createAnswerWriter({ text, reasoning }: AnswerStreams): AnswerWriter {
  let open: "text" | "reasoning" | undefined;
  let last = "";
  const begin = (part: "text" | "reasoning"): void => {
    if (open !== undefined && open !== part) finish();
    open = part;
  };
  const finish = (): void => {
    const stream = open === "reasoning" ? reasoning : text;
    if (open !== undefined && !last.endsWith("\n")) stream?.write("\n");
    open = undefined;
  };
  return {
    onText(chunk) {
      if (chunk === "") return;
      begin("text");
      last = chunk;
      text.write(text.isTTY === true ? plain(chunk) : chunk);
    },
    onReasoning(chunk) {
      if (chunk === "" || !reasoning) return;
      begin("reasoning");
      last = chunk;
      reasoning.write(style(reasoning, "dim", reasoning.isTTY === true ? plain(chunk) : chunk));
    },
    end: finish,
  };
}
