import { formatGrammar } from "../../../formats/grammar/format.ts";
import type { OutputFormat } from "../../../spec/sampling.ts";
import type { GrammarMask } from "./grammar/mask.ts";
import { compileGrammar } from "./grammar/mask.ts";
import type { GrammarVocabulary, VocabularyTrie } from "./grammar/trie.ts";
import { createVocabularyTrie } from "./grammar/trie.ts";

/** The formats that answers of one model can be held to. */
export interface Formats {
  /**
   * A mask for one answer; undefined where the text is free. Throws `grammar_invalid` for what cannot be enforced,
   * naming the keyword or the offset.
   */
  open(format: OutputFormat | undefined): GrammarMask | undefined;
}

/** Compiled grammars that are kept: programs ask for the same format again and again. */
const cached = 16;

/** Does nothing with the vocabulary before the first format is asked for. */
export function createFormats(vocabulary: GrammarVocabulary): Formats {
  const known = new Map<string, { open(): GrammarMask }>();
  let trie: VocabularyTrie | undefined;
  return {
    open(format) {
      if (!format || format.type === "text") return undefined;
      const { text, grammar } = formatGrammar(format);
      const compiled = known.get(text) ?? compileGrammar(grammar, (trie ??= createVocabularyTrie(vocabulary)));
      known.delete(text);
      known.set(text, compiled);
      for (const oldest of known.keys()) {
        if (known.size <= cached) break;
        known.delete(oldest);
      }
      return compiled.open();
    },
  };
}
