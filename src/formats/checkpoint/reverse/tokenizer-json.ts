/** `tokenizer.json` from a vocabulary of GGUF. */
import type { Json } from "../json.ts";
import { preTokenizerOf } from "../tokenizer/pre-tokenizer.ts";
import { tokenTypes } from "../tokenizer/table.ts";
import type { Source } from "./vocabulary.ts";

/** The content of tokenizer.json, or why there is none. */
export function makeTokenizer(source: Source): Json | string {
  const parts = {
    gpt2: bytePairs,
    llama: sentencePiece,
    t5: unigram,
    bert: wordPiece,
  } as const;
  if (!Object.hasOwn(parts, source.model)) return `the vocabulary is of the kind "${source.model}"`;
  const made = parts[source.model as keyof typeof parts](source);
  if (typeof made === "string") return made;
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: addedTokens(source),
    ...made,
    post_processor: around(source),
  };
}

function isAdded(type: number | undefined): boolean {
  return type === tokenTypes.control || type === tokenTypes.userDefined || type === tokenTypes.unknown;
}

function addedTokens({ tokens, types }: Source): readonly Json[] {
  return tokens.flatMap((content, id) =>
    isAdded(types[id])
      ? [
          {
            id,
            content,
            single_word: false,
            lstrip: false,
            rstrip: false,
            normalized: false,
            special: types[id] !== tokenTypes.userDefined,
          },
        ]
      : [],
  );
}

/** Unused tokens only fill the table of embeddings up. */
function vocabOf({ tokens, types }: Source, withAdded: boolean): Readonly<Record<string, number>> {
  const entries = tokens.flatMap((text, id): [string, number][] => {
    const type = types[id];
    if (type === tokenTypes.unused && /^\[PAD\d+\]$/.test(text)) return [];
    return isAdded(type) && !withAdded ? [] : [[text, id]];
  });
  return Object.fromEntries(entries);
}

function bytePairs(source: Source): Json | string {
  const cut = preTokenizerOf(source.pre);
  if (!cut) return `texts are cut in the way "${source.pre}", which has no words here`;
  if (!source.merges) return "the file has no merges";
  return {
    normalizer: null,
    pre_tokenizer: cut.preTokenizer,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: cut.ignoreMerges,
      vocab: vocabOf(source, false),
      merges: source.merges.map((merge) => merge.split(" ")),
    },
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
  };
}

const blank = "\u2581";

function sentencePiece(source: Source): Json {
  const before = source.flag("add_space_prefix") ?? true;
  const replace = { type: "Replace", pattern: { String: " " }, content: blank };
  const steps = [...(before ? [{ type: "Prepend", prepend: blank }] : []), replace];
  return {
    normalizer: { type: "Sequence", normalizers: steps },
    pre_tokenizer: null,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: source.tokens[source.role("unknown") ?? 0],
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: vocabOf(source, true),
      merges: mergesOfScores(source),
    },
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: blank }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        ...(before ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : []),
      ],
    },
  };
}

/** All ways to make a token of two others, the token with the higher score first. */
function mergesOfScores({ tokens, types, scores }: Source): readonly (readonly [string, string])[] {
  const ids = new Map(tokens.map((text, id) => [text, id] as const));
  const isPart = (text: string): boolean => {
    const id = ids.get(text);
    return id !== undefined && types[id] !== tokenTypes.byte && !isAdded(types[id]);
  };
  const merges: { readonly pair: readonly [string, string]; readonly score: number }[] = [];
  for (const [id, text] of tokens.entries()) {
    if (types[id] !== tokenTypes.normal) continue;
    for (let cut = 1; cut < text.length; cut++) {
      const pair = [text.slice(0, cut), text.slice(cut)] as const;
      if (isPart(pair[0]) && isPart(pair[1])) merges.push({ pair, score: scores[id] ?? 0 });
    }
  }
  return merges.toSorted((a, b) => b.score - a.score).map(({ pair }) => pair);
}

function unigram(source: Source): Json | string {
  const { tokens, scores, charsmap, role, flag } = source;
  const unknown = role("unknown");
  if (unknown === undefined) return "the file does not say which token is unknown";
  const map = charsmap && [{ type: "Precompiled", precompiled_charsmap: Buffer.from(charsmap).toString("base64") }];
  const merge = [
    { type: "Strip", strip_left: true, strip_right: true },
    { type: "Replace", pattern: { Regex: " {2,}" }, content: " " },
  ];
  const steps = [...(map ?? []), ...(flag("remove_extra_whitespaces") ? merge : [])];
  const scheme = (flag("add_space_prefix") ?? true) ? "always" : "never";
  const metaspace = { type: "Metaspace", replacement: blank, prepend_scheme: scheme, split: true };
  return {
    normalizer: steps.length === 0 ? null : { type: "Sequence", normalizers: steps },
    pre_tokenizer: metaspace,
    model: {
      type: "Unigram",
      unk_id: unknown,
      vocab: tokens.map((text, id) => [text, scores[id] ?? 0]),
      byte_fallback: false,
    },
    decoder: metaspace,
  };
}

function wordPiece(source: Source): Json {
  const { tokens, types, role, flag } = source;
  const spell = (text: string, id: number): string => {
    if (types[id] !== tokenTypes.normal || /^\[.*\]$/su.test(text)) return text;
    return text.startsWith(blank) ? text.slice(blank.length) : `##${text}`;
  };
  return {
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: flag("normalizer.strip_accents") ?? null,
      lowercase: flag("normalizer.lowercase") ?? true,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    model: {
      type: "WordPiece",
      unk_token: tokens[role("unknown") ?? 100],
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(tokens.map((text, id) => [spell(text, id), id])),
    },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
  };
}

/** Tokens around a text. */
function around({ model, tokens, role, addBos, addEos }: Source): Json | null {
  const isWordPiece = model === "bert";
  const first = isWordPiece ? (role("cls") ?? role("bos")) : addBos ? role("bos") : undefined;
  const last = isWordPiece ? role("seperator") : addEos ? role("eos") : undefined;
  const name = (id: number): string => tokens[id] ?? "";
  const ids = [first, last].filter((id) => id !== undefined);
  if (ids.length === 0) return null;
  const token = (id: number | undefined, type: number) =>
    id === undefined ? [] : [{ SpecialToken: { id: name(id), type_id: type } }];
  const single = [...token(first, 0), { Sequence: { id: "A", type_id: 0 } }, ...token(last, 0)];
  return {
    type: "TemplateProcessing",
    single,
    pair: [...single, { Sequence: { id: "B", type_id: 1 } }, ...token(last, 1)],
    special_tokens: Object.fromEntries(ids.map((id) => [name(id), { id: name(id), ids: [id], tokens: [name(id)] }])),
  };
}
