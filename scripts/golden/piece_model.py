"""Two small tokenizer.model of SentencePiece, BPE and unigram, and the tokens that its library makes of hard texts."""

import base64
import io
import json
import pathlib

import sentencepiece

CORPUS = [
    "the quick brown fox jumps over the lazy dog and the dog sleeps; THE QUICK brown Fox",
    "it's what they'll do, isn't it? don't say I'm wrong, we've been there 12 345 6789 times",
    "Привет мир, ещё раз привет; naïve café résumé Zürich; 日本語 日本 中文 你好",
    "hello hello world world newer newest lower lowest wider widest 2024 2025 100 1000",
]
TEXTS = ["hello world", "The quick  brown fox", "naïve café — 日本語 😀", " newest\tlower\n", "<s> is no token", "12345 times"]


def train(kind: str) -> bytes:
    target = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS * 4), model_writer=target, model_type=kind, vocab_size=420 if kind == "bpe" else 120,
        byte_fallback=kind == "bpe", character_coverage=1.0, normalization_rule_name="identity",
        remove_extra_whitespaces=kind != "bpe", user_defined_symbols=["<tool>"] if kind == "bpe" else [],
        hard_vocab_limit=False, minloglevel=2,
    )
    return target.getvalue()


def write(folder: pathlib.Path) -> None:
    made = []
    for kind in ("bpe", "unigram"):
        model = train(kind)
        processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        tokens = [processor.encode(text) for text in TEXTS]
        made.append({"kind": kind, "model": base64.b64encode(model).decode(), "texts": TEXTS, "tokens": tokens})
    (folder / "pieces.json").write_text(json.dumps(made, ensure_ascii=False) + "\n")
