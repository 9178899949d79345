import { HearthError } from "../../error.ts";
import type { OutputFormat } from "../../spec/sampling.ts";
import { checkGrammar } from "./check.ts";
import { jsonObjectGrammar } from "./gbnf.ts";
import type { Grammar } from "./parse.ts";
import { regexGrammar } from "./regex.ts";
import { schemaGrammar } from "./schema.ts";

const maxGrammarBytes = 64 * 1024;

export interface FormatGrammar {
  /** GBNF with a rule named root. */
  readonly text: string;
  /** The same, parsed and checked. */
  readonly grammar: Grammar;
}

/**
 * The grammar of a format; no engine gets one that we do not understand ourselves. Throws `grammar_invalid` for what
 * cannot be enforced, naming the keyword or the offset.
 */
export function formatGrammar(format: Exclude<OutputFormat, { type: "text" }>): FormatGrammar {
  const text = grammarText(format);
  return { text, grammar: checkGrammar(text) };
}

function grammarText(format: Exclude<OutputFormat, { type: "text" }>): string {
  switch (format.type) {
    case "json":
      return jsonObjectGrammar();
    case "json-schema":
      return schemaGrammar(format.schema);
    case "regex":
      checkSize("regular expression", format.pattern);
      return regexGrammar(format.pattern);
    case "gbnf":
      checkSize("grammar", format.grammar);
      return format.grammar;
  }
}

function checkSize(what: string, text: string): void {
  const bytes = new TextEncoder().encode(text).length;
  if (bytes <= maxGrammarBytes) return;
  const message = `The ${what} has ${bytes} bytes; at most ${maxGrammarBytes} are possible.`;
  throw new HearthError("grammar_invalid", message);
}
