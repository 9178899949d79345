import type { LlamaGrammar } from "node-llama-cpp";
import { HearthError } from "../../error.ts";
import { formatGrammar } from "../../formats/grammar/format.ts";
import type { OutputFormat } from "../../spec/sampling.ts";
import type { Backend } from "./backend.ts";

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
      const { text } = formatGrammar(format);
      const found = known.get(text);
      const prepared = found ?? { grammar: await compile(text, format), isJson: isJson(format) };
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
      const what = isJson(format) ? "The schema" : "The grammar";
      throw new HearthError("grammar_invalid", `${what} could not be compiled.`, {
        hint: isJson(format)
          ? "Its references may lead back to themselves, or its limits may be too large."
          : "It needs a rule named root; no rule may be missing, begin with itself or repeat too often.",
        cause: error,
      });
    }
  }
}

function isJson({ type }: OutputFormat): boolean {
  return type === "json" || type === "json-schema";
}
