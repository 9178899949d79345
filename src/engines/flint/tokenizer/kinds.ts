// What a token is for, as bits: a token may be of several kinds.
export const normal = 1;
export const unknown = 2;
export const control = 4;
export const userDefined = 8;
export const byteToken = 16;
export const unused = 32;
/** White space in front of the token, or behind it, belongs to it. */
export const stripLeft = 64;
export const stripRight = 128;

/** Ids of tokens with a role; undefined: the vocabulary has none. */
export interface Roles {
  readonly bos: number | undefined;
  readonly eos: number | undefined;
  readonly sep: number | undefined;
  readonly cls: number | undefined;
  readonly pad: number | undefined;
  readonly unk: number | undefined;
  readonly mask: number | undefined;
  /** Ends of a turn and of a message. */
  readonly eot?: number | undefined;
  readonly eom?: number | undefined;
  /** Of fill-in-the-middle, by role. */
  readonly fill?: Readonly<Partial<Record<FillRole, number>>> | undefined;
}

export type FillRole = "prefix" | "suffix" | "middle" | "pad" | "repository" | "separator";

/** Names of tokens of fill-in-the-middle in vocabularies that do not say which they are. Source: llama.cpp. */
const fillNames: Readonly<Record<FillRole, readonly string[]>> = {
  prefix: [
    "<|fim_prefix|>",
    "<fim-prefix>",
    "<fim_prefix>",
    "<｜fim▁begin｜>",
    "<PRE>",
    "▁<PRE>",
    "<|code_prefix|>",
    "<|prefix|>",
  ],
  suffix: [
    "<|fim_suffix|>",
    "<fim-suffix>",
    "<fim_suffix>",
    "<｜fim▁hole｜>",
    "<SUF>",
    "▁<SUF>",
    "<|code_suffix|>",
    "<|suffix|>",
  ],
  middle: [
    "<|fim_middle|>",
    "<fim-middle>",
    "<fim_middle>",
    "<｜fim▁end｜>",
    "<MID>",
    "▁<MID>",
    "<|code_middle|>",
    "<|middle|>",
  ],
  pad: ["<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"],
  repository: ["<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"],
  separator: ["<|file_sep|>"],
};

/** Names of tokens that end an answer, in vocabularies that call them normal or do not say so. Source: llama.cpp. */
const endNames: readonly string[] = [
  "<|eot_id|>",
  "<|im_end|>",
  "<|end|>",
  "<|return|>",
  "<|call|>",
  "<|flush|>",
  "<|calls|>",
  "<end_of_turn>",
  "<|endoftext|>",
  "</s>",
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
  "<｜end▁of▁sentence｜>",
  "[e~[",
];

/** Marks of the harmony format, which are part of what a model says. */
const harmonyNames: readonly string[] = ["<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"];

/** The token with a name. */
export type FindToken = (name: string) => number | undefined;

/** Makes tokens with well-known names control tokens, and returns those that end an answer. Changes `kinds`. */
export function findEndTokens(find: FindToken, kinds: Uint8Array, roles: Roles): Set<number> {
  const found = new Set<number>();
  const make = (id: number): void => {
    kinds[id] = (kinds[id] ?? 0) | control;
  };
  for (const role of Object.keys(fillNames) as FillRole[]) {
    const given = roles.fill?.[role];
    const named = fillNames[role].map(find).find((id) => id !== undefined);
    if (given === undefined && named !== undefined) make(named);
    const id = given ?? named;
    if (id !== undefined && (role === "pad" || role === "repository" || role === "separator")) found.add(id);
  }
  for (const id of endNames.map(find)) {
    if (id === undefined) continue;
    make(id);
    found.add(id);
  }
  for (const id of harmonyNames.map(find)) if (id !== undefined) kinds[id] = userDefined;
  for (const id of [roles.eos, roles.eot, roles.eom]) if (id !== undefined) found.add(id);
  const has = (name: string): boolean => found.has(find(name) ?? -1);
  const end = find("<|end|>");
  const calls = has("<|call|>") || has("<|calls|>");
  // There `<|end|>` ends a message, and the answer goes on.
  if (end !== undefined && calls && (has("<|return|>") || has("<|flush|>"))) {
    found.delete(end);
    kinds[end] = userDefined;
  }
  const strike = find("</s>");
  // There `</s>` is a tag of HTML.
  if (strike !== undefined && has("<|tool_response>")) {
    found.delete(strike);
    kinds[strike] = normal;
  }
  return found;
}
