import type { LlamaGrammar } from "node-llama-cpp";
import { HearthError } from "../../error.ts";
import type { OutputFormat } from "../../spec/sampling.ts";
import type { Backend } from "./backend.ts";
import { jsonObjectGrammar } from "./grammar/gbnf.ts";
import { schemaGrammar } from "./grammar/schema.ts";

const maxGrammarBytes = 64 * 1024;
const maxNesting = 64;
const maxRules = 1000;

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

function grammarText(format: Exclude<OutputFormat, { type: "text" }>): string {
  if (format.type === "json") return jsonObjectGrammar();
  if (format.type === "json-schema") return schemaGrammar(format.schema);
  checkGrammar(format.grammar);
  return format.grammar;
}

/** The parser of llama.cpp recurses and repeats; what could exhaust it never gets there. */
function checkGrammar(grammar: string): void {
  const bytes = Buffer.byteLength(grammar);
  if (bytes > maxGrammarBytes) throw tooMuch(`has ${bytes} bytes; at most ${maxGrammarBytes} are possible`);
  const rules = grammar.split("::=").length - 1;
  if (rules > maxRules) throw tooMuch(`has ${rules} rules; at most ${maxRules} are possible`);
  let depth = 0;
  // Literals and character classes are left out; an unclosed one is for the parser to refuse.
  for (const [character] of grammar
    .replaceAll(/"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|#[^\n]*/g, "")
    .matchAll(/[()]/g)) {
    depth += character === "(" ? 1 : -1;
    if (depth > maxNesting) throw tooMuch(`is nested deeper than ${maxNesting} levels`);
  }
}

function tooMuch(what: string): HearthError {
  return new HearthError("grammar_invalid", `The grammar ${what}.`);
}
