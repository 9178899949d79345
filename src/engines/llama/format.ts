import type { LlamaGrammar } from "node-llama-cpp";
import { HearthError } from "../../error.ts";
import type { OutputFormat } from "../../spec/sampling.ts";
import type { Backend } from "./backend.ts";
import { checkGrammar } from "./grammar/check.ts";
import { jsonObjectGrammar } from "./grammar/gbnf.ts";
import { schemaGrammar } from "./grammar/schema.ts";

const maxGrammarBytes = 64 * 1024;

/** A grammar ready to sample with, and whether its texts are JSON. */
export interface PreparedFormat {
  readonly grammar: LlamaGrammar;
  readonly isJson: boolean;
}

/** Compiled grammars of the last few formats; compiling a large schema again for every request would be waste. */
export interface Formats {
  prepare(format: OutputFormat | undefined): Promise<PreparedFormat | undefined>;
}

const cached = 16;

export function createFormats({ llama }: Pick<Backend, "llama">): Formats {
  const known = new Map<string, PreparedFormat>();
  return {
    async prepare(format) {
      if (!format || format.type === "text") return undefined;
      const text = grammarText(format);
      const found = known.get(text);
      const prepared = found ?? { grammar: await compile(text, format), isJson: format.type !== "gbnf" };
      known.delete(text);
      known.set(text, prepared);
      for (const oldest of known.keys()) {
        if (known.size <= cached) break;
        known.delete(oldest);
      }
      return prepared;
    },
  };

  async function compile(text: string, format: OutputFormat): Promise<LlamaGrammar> {
    try {
      return await llama.createGrammar({ grammar: text });
    } catch (error) {
      const what = format.type === "gbnf" ? "The grammar" : "The schema";
      throw new HearthError("grammar_invalid", `${what} could not be compiled.`, {
        hint:
          format.type === "gbnf"
            ? "It needs a rule named root; no rule may be missing, begin with itself or repeat too often."
            : "Its references may lead back to themselves, or its limits may be too large.",
        cause: error,
      });
    }
  }
}

/** Checked text: native code gets nothing that we do not understand ourselves. */
function grammarText(format: Exclude<OutputFormat, { type: "text" }>): string {
  if (format.type === "json") return jsonObjectGrammar();
  const bytes = format.type === "gbnf" ? Buffer.byteLength(format.grammar) : 0;
  if (bytes > maxGrammarBytes) {
    const message = `The grammar has ${bytes} bytes; at most ${maxGrammarBytes} are possible.`;
    throw new HearthError("grammar_invalid", message);
  }
  const text = format.type === "gbnf" ? format.grammar : schemaGrammar(format.schema);
  checkGrammar(text);
  return text;
}
