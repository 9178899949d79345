import type { Tool } from "../../spec/message.ts";
import { createCallCounter, newCallId } from "./calls.ts";
import type { OutputEvent, OutputStage } from "./event.ts";
import { toolPatterns } from "./formats.ts";
import type { ToolFormat } from "./formats.ts";
import { createHarmonyStage } from "./harmony.ts";
import { readCalls } from "./json.ts";
import type { KnownTools } from "./pattern.ts";
import { createReasoningStage } from "./reasoning.ts";
import type { ReasoningTags } from "./reasoning.ts";
import { ToolStage } from "./tools.ts";

export interface OutputParserOptions {
  /** Absent: the model does not think, and its text is not searched for thoughts. */
  readonly reasoning?:
    | { readonly tags: readonly ReasoningTags[]; readonly inside?: ReasoningTags | undefined }
    | undefined;
  /** Absent: the request has no tools, and the text is not searched for calls. */
  readonly tools?: readonly Tool[] | undefined;
  readonly format: ToolFormat;
  /** The whole answer is one call that the grammar enforced. */
  readonly forced?: boolean;
  /** For tests; default: `call_` and random letters. */
  readonly newId?: () => string;
}

export interface OutputParser extends OutputStage {
  /** False: text passes through unchanged. */
  readonly active: boolean;
  /** Calls found so far. */
  readonly calls: number;
}

/** Splits the text of a model into answer, reasoning and tool calls as it arrives. */
export function createOutputParser(options: OutputParserOptions): OutputParser {
  const { reasoning, tools, format } = options;
  const counter = createCallCounter(options.newId ?? newCallId);
  const known = tools && knownTools(tools);
  let stage: OutputStage = passing;
  if (options.forced && known) {
    stage = createForcedStage(known, (calls) => counter.events(calls));
  } else if (format === "harmony" && (reasoning || known)) {
    stage = createHarmonyStage({ tools: known, counter });
  } else {
    if (known) {
      const patterns = toolPatterns[format === "harmony" ? "json" : format];
      stage = new ToolStage({ patterns, tools: known, counter });
    }
    if (reasoning) stage = createReasoningStage({ ...reasoning, next: stage });
  }
  return {
    active: stage !== passing,
    get calls() {
      return counter.count;
    },
    push: (text) => stage.push(text),
    end: () => stage.end(),
  };
}

const passing: OutputStage = {
  push: (text) => (text === "" ? [] : [{ type: "text-delta", text }]),
  end: () => [],
};

function knownTools(tools: readonly Tool[]): KnownTools {
  const byName = new Map(tools.map((tool) => [tool.name, tool]));
  return {
    has: (name) => byName.has(name),
    isText(name, argument) {
      const properties = byName.get(name)?.parameters["properties"] as Record<string, { type?: unknown }> | undefined;
      return properties !== undefined && Object.hasOwn(properties, argument) && properties[argument]?.type === "string";
    },
  };
}

/** A call that was enforced is all there is. One that was cut off is no call, and nothing else either. */
function createForcedStage(
  tools: KnownTools,
  toEvents: (calls: NonNullable<ReturnType<typeof readCalls>>) => OutputEvent[],
): OutputStage {
  let text = "";
  return {
    push(piece) {
      text += piece;
      return [];
    },
    end() {
      const calls = readCalls(text.trim());
      return calls?.every(({ name }) => tools.has(name)) ? toEvents(calls) : [];
    },
  };
}
