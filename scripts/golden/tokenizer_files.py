"""The tiny vocabularies of `vocabulary.py` as files of Hugging Face: tokenizer.json, tokenizer_config.json and the like."""

import pathlib

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from vocabulary import BYTE, CONTROL, NORMAL, UNKNOWN, Vocabulary

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PATTERNS = {
    "qwen2": LLAMA3.replace("{1,3}", ""),
    "stablelm2": LLAMA3.replace("{1,3}", ""),
    "dbrx": LLAMA3,
    "smaug-bpe": LLAMA3,
}


def write_tokenizer(vocabulary: Vocabulary, folder: pathlib.Path, template: str | None) -> None:
    makers = {"llama": sentencepiece, "gpt2": byte_level, "bert": wordpiece}
    tokenizer = makers[vocabulary.model](vocabulary)
    names = {"unk": "unk_token", "bos": "bos_token", "eos": "eos_token", "pad": "pad_token"}
    names |= {"cls": "cls_token", "sep": "sep_token", "mask": "mask_token"}
    roles = {names[role]: spell(vocabulary, token) for role, token in vocabulary.special.items()}
    if vocabulary.model == "bert":
        roles = {name: text for name, text in roles.items() if name not in ("bos_token", "eos_token")}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **roles)
    fast.chat_template = template
    fast.save_pretrained(folder)


def spell(vocabulary: Vocabulary, token: int) -> str:
    """A token of GGUF as Hugging Face writes it."""
    text = vocabulary.tokens[token]
    if vocabulary.model != "bert" or vocabulary.types[token] != NORMAL:
        return text
    return text[1:] if text.startswith("▁") else f"##{text}"


def finish(tokenizer: Tokenizer, vocabulary: Vocabulary) -> Tokenizer:
    special = [index for index, kind in enumerate(vocabulary.types) if kind in (CONTROL, UNKNOWN)]
    tokenizer.add_special_tokens([AddedToken(spell(vocabulary, index), normalized=False, special=True) for index in special])
    before, after = [], []
    if vocabulary.flags.get("add_bos_token") or vocabulary.model == "bert":
        before = [spell(vocabulary, vocabulary.special["bos"])]
    if vocabulary.flags.get("add_eos_token") or vocabulary.model == "bert":
        after = [spell(vocabulary, vocabulary.special["eos"])]
    if before or after:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=[*before, "$A", *after],
            special_tokens=[(text, tokenizer.token_to_id(text)) for text in before + after],
        )
    return tokenizer


def sentencepiece(vocabulary: Vocabulary) -> Tokenizer:
    ids = {text: index for index, text in enumerate(vocabulary.tokens)}
    normal = [text for text, kind in zip(vocabulary.tokens, vocabulary.types) if kind == NORMAL]
    # All ways to make a token of two others, the better token first, as the converter of transformers lists them.
    merges = [(text[:cut], text[cut:]) for text in normal for cut in range(1, len(text))]
    merges = [(left, right) for left, right in merges if left in ids and right in ids]
    tokenizer = Tokenizer(models.BPE(ids, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    blank = normalizers.Replace(" ", "▁")
    if vocabulary.flags.get("add_space_prefix", True):
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), blank])
    else:
        tokenizer.normalizer = blank
        tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    assert BYTE in vocabulary.types
    return finish(tokenizer, vocabulary)


def byte_level(vocabulary: Vocabulary) -> Tokenizer:
    ids = {text: index for index, (text, kind) in enumerate(zip(vocabulary.tokens, vocabulary.types)) if kind == NORMAL}
    merges = [tuple(merge.split(" ")) for merge in vocabulary.merges]
    tokenizer = Tokenizer(models.BPE(ids, merges))
    pattern = PATTERNS.get(vocabulary.pre)
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern is None)
    if pattern:
        split = pre_tokenizers.Split(Regex(pattern), "isolated")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, level])
    elif vocabulary.pre == "refact":
        digits = pre_tokenizers.Digits(individual_digits=True)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, level])
    else:
        tokenizer.pre_tokenizer = level
    tokenizer.decoder = decoders.ByteLevel()
    return finish(tokenizer, vocabulary)


def wordpiece(vocabulary: Vocabulary) -> Tokenizer:
    ids = {spell(vocabulary, index): index for index in range(len(vocabulary.tokens))}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return finish(tokenizer, vocabulary)
