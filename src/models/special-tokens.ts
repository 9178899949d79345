import type { GgufNumbers, GgufStrings } from "../formats/gguf/types.ts";

const control = 3;
const userDefined = 4;

/** What stands before a gap that a model shall fill. */
export const fillTokens: readonly string[] = [
  "<|fim_prefix|>",
  "<fim-prefix>",
  "<fim_prefix>",
  "<｜fim▁begin｜>",
  "<PRE>",
  "▁<PRE>",
  "<|code_prefix|>",
  "<|prefix|>",
];

/** llama.cpp takes tokens with these texts for control tokens whatever type the file gives them. */
const alwaysControl: ReadonlySet<string> = new Set([
  "<|eot_id|>",
  "<|im_end|>",
  "<|end|>",
  "<|return|>",
  "<|call|>",
  "<|flush|>",
  "<|calls|>",
  "<end_of_turn>",
  "<|endoftext|>",
  "<|eom_id|>",
  "<EOT>",
  "_<EOT>",
  "[EOT]",
  "[EOS]",
  "<|end_of_text|>",
  "<end_of_utterance>",
  "<eos>",
  "<turn|>",
  "<|tool_response>",
  "<|channel|>",
  "<|message|>",
  "<|start|>",
  "<|constrain|>",
  "</s>",
  ...fillTokens,
  "<fim-suffix>",
  "<fim_suffix>",
  "<|fim_suffix|>",
  "<｜fim▁hole｜>",
  "<SUF>",
  "▁<SUF>",
  "<|code_suffix|>",
  "<|suffix|>",
  "<fim-middle>",
  "<fim_middle>",
  "<|fim_middle|>",
  "<｜fim▁end｜>",
  "<MID>",
  "▁<MID>",
  "<|code_middle|>",
  "<|middle|>",
  "<|fim_pad|>",
  "<fim-pad>",
  "<fim_pad>",
  "<PAD>",
  "[PAD]",
  "<|fim_repo|>",
  "<|repo_name|>",
  "<fim-repo>",
  "<REPO>",
  "<reponame>",
  "<|file_sep|>",
]);

/** Texts of control and user-defined tokens, without single characters and whitespace: those are plain text too. */
export function specialTokens(tokens: GgufStrings | undefined, types: GgufNumbers | undefined): string[] {
  const texts: string[] = [];
  for (const [id, text] of [...(tokens ?? [])].entries()) {
    const type = Number(types?.[id]);
    if (type !== control && type !== userDefined && !alwaysControl.has(text)) continue;
    if (text.trim() !== "" && !isOneCharacter(text)) texts.push(text);
  }
  return texts;
}

function isOneCharacter(text: string): boolean {
  return text.length === String.fromCodePoint(text.codePointAt(0) ?? 0).length;
}
