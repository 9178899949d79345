"""Tiny vocabularies of 288 tokens that llama.cpp accepts, one per tokenizer family."""

from dataclasses import dataclass, field

SIZE = 288
NORMAL, UNKNOWN, CONTROL, UNUSED, BYTE = 1, 2, 3, 5, 6

WORDS = "the of and to in is you that it was for on are as with his they at be this have from one had by".split()


@dataclass
class Vocabulary:
    """What `tokenizer.ggml.*` says. `ordinary` are the ids that prompts are drawn from."""

    model: str
    pre: str
    tokens: list[str]
    types: list[int]
    scores: list[float] | None = None
    merges: list[str] | None = None
    special: dict[str, int] = field(default_factory=dict)
    flags: dict[str, bool] = field(default_factory=dict)
    ordinary: range = range(0)


def sentencepiece(pre="default", bos=1, eos=2, flags=None) -> Vocabulary:
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    types = [UNKNOWN, CONTROL, CONTROL] + [BYTE] * 256
    first = len(tokens)
    tokens += "▁ e t a o i n s h r d l u ▁t th ▁th ▁the he in ▁i ▁in an ▁a nd ▁an ▁and er re on".split()
    types += [NORMAL] * (SIZE - first)
    scores = [0.0] * first + [-float(index) for index in range(SIZE - first)]
    return Vocabulary(
        "llama", pre, tokens, types, scores=scores,
        special={"bos": bos, "eos": eos, "unk": 0},
        flags={"add_bos_token": True, "add_eos_token": False, **(flags or {})},
        ordinary=range(3, SIZE),
    )


def byte_letters() -> list[str]:
    """GPT-2 writes every byte as a printable letter: itself where it prints, else the next one from U+0100."""
    prints = {*range(33, 127), *range(161, 173), *range(174, 256)}
    letters, extra = [], 0
    for byte in range(256):
        letters.append(chr(byte) if byte in prints else chr(256 + extra))
        extra += byte not in prints
    return letters


def bpe(pre: str, add_bos=False) -> Vocabulary:
    tokens = byte_letters()
    merges = []
    for word in WORDS:
        text = "Ġ"
        for letter in word:
            if len(tokens) < SIZE - 2 and text + letter not in tokens:
                merges.append(f"{text} {letter}")
                tokens.append(text + letter)
            text += letter
    control = ["<|endoftext|>", "<|im_end|>"]
    types = [NORMAL] * len(tokens) + [CONTROL] * 2
    end = len(tokens)
    return Vocabulary(
        "gpt2", pre, tokens + control, types, merges=merges,
        special={"bos": end, "eos": end + 1},
        flags={"add_bos_token": add_bos},
        ordinary=range(0, end),
    )


def modern_bpe() -> Vocabulary:
    """BPE of an encoder: a text stands between [CLS] and [SEP]."""
    vocabulary = bpe("modern-bert")
    first = SIZE - 5
    # The merges that made the last tokens have to go with them.
    dropped = set(vocabulary.tokens[first:])
    vocabulary.merges = [merge for merge in vocabulary.merges or [] if merge.replace(" ", "") not in dropped]
    vocabulary.tokens = vocabulary.tokens[:first] + ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
    vocabulary.types = [NORMAL] * first + [CONTROL] * 5
    vocabulary.special = {
        "bos": first + 1, "cls": first + 1, "eos": first + 2, "sep": first + 2,
        "unk": first, "pad": first + 3, "mask": first + 4,
    }
    vocabulary.flags = {"add_bos_token": True, "add_eos_token": True, "add_sep_token": True}
    vocabulary.ordinary = range(0, first)
    return vocabulary


def wordpiece() -> Vocabulary:
    """GGUF writes the start of a word as U+2581 and pieces inside words without the `##`."""
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    characters = [chr(code) for code in [*range(97, 123), *range(48, 58)]]
    tokens += [f"▁{c}" for c in characters] + characters
    tokens += [f"▁{chr(code)}" for code in range(33, 127) if not chr(code).isalnum()]
    tokens += [f"▁{word}" for word in WORDS if len(word) > 1]
    first = len(tokens)
    tokens += [f"[unused{index}]" for index in range(SIZE - first)]
    types = [CONTROL, UNKNOWN, CONTROL, CONTROL, CONTROL] + [NORMAL] * (first - 5) + [UNUSED] * (SIZE - first)
    return Vocabulary(
        "bert", "jina-v2-en", tokens, types,
        special={"pad": 0, "unk": 1, "bos": 2, "cls": 2, "eos": 3, "sep": 3, "mask": 4},
        ordinary=range(5, first),
    )
