"""Makes src/engines/flint/tokenizer/__fixtures__/golden.json: tiny tokenizers of every kind, and what Hugging Face's
library makes of hard texts with them. Needs `pip install tokenizers` (0.23.3 made the file that is kept)."""

import json
import random
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "src/engines/flint/tokenizer/__fixtures__/golden.json"

CORPUS = [
    "the quick brown fox jumps over the lazy dog and the dog sleeps; THE QUICK brown Fox",
    "it's what they'll do, isn't it? don't say I'm wrong, we've been there 12 345 6789 times",
    "for (let i = 0; i < 10; i++) { console.log(i); }\n\treturn x + 1;\n\n    pass\r\n",
    "Привет мир, ещё раз привет; naïve café résumé Zürich; 日本語 日本 中文 你好; हिन्दी नमस्ते",
    "hello hello world world newer newest lower lowest wider widest 2024 2025 100 1000",
]

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
GPT4O = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)
DEEPSEEK = (
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
AYA = r"\d{1,3}(?=(?:\d{3})*\b)"
THOUSANDS = r"(?=(\d{3})+(?!\d))"


def byte_level(steps, normalizer=None, ignore_merges=False, **options):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    level = pre_tokenizers.ByteLevel(add_prefix_space=options.get("prefix", False), use_regex=not steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*steps, level]) if steps else level
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=310,
        special_tokens=["<|end|>", "<|start|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def isolated(pattern):
    return pre_tokenizers.Split(Regex(pattern), "isolated")


def plain(normalizer, pre_tokenizer=None, byte_fallback=True, fuse=True):
    """Byte pairs over characters with U+2581, as SentencePiece has them."""
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)] if byte_fallback else []
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=fuse, byte_fallback=byte_fallback))
    tokenizer.normalizer = normalizer
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    trainer = trainers.BpeTrainer(vocab_size=360, special_tokens=["<unk>", "<s>", "</s>", *bytes_], show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    data = json.loads(tokenizer.to_str())
    data["added_tokens"] = data["added_tokens"][:3]
    tokenizer = Tokenizer.from_str(json.dumps(data))
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


def unigram(normalizer, pre_tokenizer, byte_fallback=False):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    trainer = trainers.UnigramTrainer(
        vocab_size=220, special_tokens=["<unk>", "</s>"], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    if byte_fallback:
        data = json.loads(tokenizer.to_str())
        data["model"]["vocab"] += [[f"<0x{byte:02X}>", -20.0] for byte in range(256)]
        data["model"]["byte_fallback"] = True
        tokenizer = Tokenizer.from_str(json.dumps(data))
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return tokenizer


def wordpiece(normalizer, pre_tokenizer):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=12))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    trainer = trainers.WordPieceTrainer(
        vocab_size=220, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


def with_added(tokenizer):
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True), AddedToken("<|tool|>", rstrip=True)])
    tokenizer.add_tokens(
        [
            AddedToken("fox", single_word=True),
            AddedToken("  "),
            AddedToken("<tag>", lstrip=True, rstrip=True),
            AddedToken("Zürich", normalized=True),
            AddedToken("<|", normalized=False),
        ]
    )
    return tokenizer


S = pre_tokenizers.Sequence
blank = normalizers.Replace(" ", "▁")
CASES = {
    "gpt2": lambda: byte_level([]),
    "gpt2 with a space before": lambda: byte_level([], prefix=True),
    "llama3": lambda: byte_level([isolated(LLAMA3)], ignore_merges=True),
    "qwen": lambda: byte_level([isolated(LLAMA3.replace("{1,3}", ""))], normalizers.NFC()),
    "gpt4o": lambda: byte_level([pre_tokenizers.Split(Regex(GPT4O), "removed", invert=True)]),
    "cl100k": lambda: byte_level([isolated(CL100K)]),
    "deepseek": lambda: byte_level(
        [isolated(r"\p{N}{1,3}"), isolated("[一-龥぀-ゟ゠-ヿ]+"), isolated(DEEPSEEK)], normalizers.Sequence([])
    ),
    "aya": lambda: byte_level([isolated(AYA), isolated(GPT4O)]),
    "superbpe": lambda: byte_level([isolated(r"\p{N}+"), isolated(THOUSANDS)]),
    "digits alone": lambda: byte_level([pre_tokenizers.Digits(individual_digits=True), isolated(LLAMA3)]),
    "digits together": lambda: byte_level(
        [pre_tokenizers.Digits(), pre_tokenizers.Punctuation("merged_with_next")], normalizers.NFKC()
    ),
    "llama2": lambda: plain(normalizers.Sequence([normalizers.Prepend("▁"), blank])),
    "gemma": lambda: plain(blank, pre_tokenizers.Split(" ", "merged_with_previous")),
    "mistral": lambda: plain(
        normalizers.Sequence([]), pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    ),
    "plain without bytes": lambda: plain(blank, byte_fallback=False),
    "plain without bytes or fusing": lambda: plain(blank, byte_fallback=False, fuse=False),
    "unigram": lambda: unigram(normalizers.NFKC(), S([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])),
    "unigram with bytes": lambda: unigram(
        normalizers.Sequence([normalizers.Nmt(), normalizers.NFKD(), normalizers.Replace(Regex(" {2,}"), " ")]),
        pre_tokenizers.Metaspace(prepend_scheme="always", split=True),
        byte_fallback=True,
    ),
    "bert": lambda: wordpiece(normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()),
    "bert with cases": lambda: wordpiece(
        normalizers.BertNormalizer(lowercase=False, handle_chinese_chars=False),
        S([pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation("contiguous")]),
    ),
    "accents": lambda: wordpiece(
        normalizers.Sequence(
            [normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase(), normalizers.Strip()]
        ),
        S([pre_tokenizers.CharDelimiterSplit(" "), pre_tokenizers.Split("-", "merged_with_previous")]),
    ),
    "added tokens": lambda: with_added(byte_level([isolated(LLAMA3)], normalizers.NFC())),
    "added tokens of plain text": lambda: with_added(plain(normalizers.Sequence([normalizers.Prepend("▁"), blank]))),
}

PARTS = [
    "the", " quick", "Fox", " fox", "foxes", "hello", " world", "it's", "THEY'LL", "don'T", " I'm", "'s", "'ſ", "Привет", "мир",
    "ещё", "naïve", "cafe\u0301", "Zürich", "Zu\u0308rich", "日本語", "你好", "हिन्दी", "नमस्ते", "ΟΔΟΣ", "İ", "ﬁ", "ﷺ", "½", "²", "Ⅻ", "１２３",
    "1", "12", "123", "1234", "12345", "1234567", "12345a", "3.14", " ", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", " \n", "\u00a0",
    "\u3000", "\u2028", ".", ",", "!", "...", "--", "-", "_", "(", ")", "</", ">", "#", "$", "+", "=", "/", "//", "'", '"', "’", "。", "、",
    "😀", "👨‍👩‍👧", "🇩🇪", "❤️", "\u200d", "\u200b", "\ufeff", "\u0301", "\x00", "\x07", "\x7f", "\ufffd", "<|end|>", "<|start|>", " <|end|> ",
    "<s>", "</s>", "<unk>", "<mask>", " <mask> ", "<|tool|>", "<|tool|> ", "<tag>", " <tag> ", "<|", "[MASK]", "[SEP]", "▁", "▁the",
    "for (let i = 0; i < 10; i++) {", "\n\treturn x + 1;", "extraordinarily",
]


def make_texts(count):
    chooser = random.Random(7)
    return ["".join(chooser.choice(PARTS) for _ in range(chooser.randint(1, 8))) for _ in range(count)]


def main():
    texts = make_texts(60)
    cases = []
    for name, make in CASES.items():
        tokenizer = make()
        data = json.loads(tokenizer.to_str())
        data.pop("truncation", None)
        data.pop("padding", None)
        results = []
        for special in [True, False]:
            tokenizer.encode_special_tokens = not special
            results.append([tokenizer.encode(text, add_special_tokens=False).ids for text in texts])
        cases.append({"name": name, "tokenizer": data, "special": results[0], "plain": results[1]})
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps({"texts": texts, "cases": cases}, ensure_ascii=False, separators=(",", ":")) + "\n")


main()
