"""Tokenizers of some hundred tokens, one of each kind that ONNX models bring as tokenizer.json."""
import json

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

WORDS = (
    "the a of in on at to and is this that photo example text where does cat dog dogs stone train warm sleep sleeps "
    "leaves nine town rome paris anna"
).split()
LETTERS = "abcdefghijklmnopqrstuvwxyz"
MOST_TOKENS = 64


def save(tokenizer, folder, kind, special, **config):
    """`kind`: the class that `tokenizer_config.json` names. Returns what transformers makes of it."""
    names = config.pop("model_input_names", ["input_ids", "attention_mask"])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_input_names=names, **special)
    fast.backend_tokenizer.save(str(folder / "tokenizer.json"))
    words = {"tokenizer_class": kind, "model_max_length": MOST_TOKENS, **special, **config}
    (folder / "tokenizer_config.json").write_text(json.dumps(words))
    return fast


def wordpiece(folder):
    control = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = [*control, *WORDS, *LETTERS, *(f"##{letter}" for letter in LETTERS), ".", ",", "?"]
    vocabulary = {piece: id for id, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    special = dict(pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]")
    names = ["input_ids", "token_type_ids", "attention_mask"]
    return save(tokenizer, folder, "BertTokenizer", special, do_lower_case=True, model_input_names=names)


def byte_letters():
    """Bytes as the letters that stand for them in byte-level BPE."""
    prints = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in prints]
    letters = {byte: chr(byte) for byte in prints} | {byte: chr(256 + at) for at, byte in enumerate(others)}
    return [letters[byte] for byte in range(256)]


def merges_of(words, first, ending=""):
    """Merges that make each word whole, letter by letter."""
    merges = []
    for word in words:
        pieces = [first + word[0], *word[1:-1], word[-1] + ending] if len(word) > 1 else [first + word + ending]
        while len(pieces) > 1:
            pair = (pieces[0], pieces[1])
            if pair not in merges:
                merges.append(pair)
            pieces[:2] = ["".join(pair)]
    return merges


def byte_level(folder, kind, control=(), template=None, **config):
    if kind == "CLIPTokenizer":
        return clip(folder)
    letters = byte_letters()
    merges = [("Ġ", letter) for letter in LETTERS] + merges_of(WORDS, "Ġ")
    pieces = [*letters, *(a + b for a, b in merges), "<|endoftext|>", *control]
    vocabulary = {piece: id for id, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(word, special=True, normalized=False) for word in ["<|endoftext|>", *control]])
    special = dict(bos_token="<|endoftext|>", eos_token="<|endoftext|>", unk_token="<|endoftext|>")
    special |= config.pop("special", {})
    if template:
        config["chat_template"] = template
    return save(tokenizer, folder, kind, special, **config)


def clip(folder):
    letters = [*LETTERS, *".,?", *"0123456789"]
    merges = merges_of(WORDS, "", "</w>")
    control = ["<|startoftext|>", "<|endoftext|>"]
    pieces = [*letters, *(f"{letter}</w>" for letter in letters), *(a + b for a, b in merges), *control]
    vocabulary = {piece: id for id, piece in enumerate(dict.fromkeys(pieces))}
    start, end = (vocabulary[word] for word in control)
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, end_of_word_suffix="</w>", unk_token="<|endoftext|>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"), "removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.RobertaProcessing(
        sep=("<|endoftext|>", end), cls=("<|startoftext|>", start), trim_offsets=False, add_prefix_space=False
    )
    tokenizer.add_special_tokens([AddedToken(word, special=True, normalized=False) for word in control])
    special = dict(bos_token=control[0], eos_token=control[1], unk_token=control[1], pad_token=control[1])
    return save(tokenizer, folder, "CLIPTokenizer", special)


def unigram(folder, kind, languages=()):
    """As SentencePiece cuts: the longest words win."""
    control = ["<s>", "<pad>", "</s>", "<unk>"]
    pieces = [*control, *(f"▁{word}" for word in WORDS), "▁", *LETTERS]
    scores = [(piece, 0.0 if piece in control else -1.0 if len(piece) > 1 else -4.0) for piece in dict.fromkeys(pieces)]
    tokenizer = Tokenizer(models.Unigram(scores, unk_id=3, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=False)
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always", split=False)
    tokenizer.add_special_tokens([AddedToken(word, special=True, normalized=False) for word in [*control, *languages]])
    ids = {word: tokenizer.token_to_id(word) for word in ["</s>", *languages]}
    first = f"{languages[0]} " if languages else ""
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first}$A </s>", pair=f"{first}$A $B </s>", special_tokens=list(ids.items())
    )
    special = dict(bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>")
    return save(tokenizer, folder, kind, special)


def letters(folder):
    """Of models that hear letters: CTC."""
    pieces = ["<pad>", "<s>", "</s>", "<unk>", "|", *LETTERS.upper()]
    tokenizer = Tokenizer(models.WordLevel({piece: id for id, piece in enumerate(pieces)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.CTC(pad_token="<pad>", word_delimiter_token="|")
    tokenizer.add_special_tokens([AddedToken(word, special=True, normalized=False) for word in pieces[:4]])
    special = dict(bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>")
    return save(tokenizer, folder, "Wav2Vec2CTCTokenizer", special, word_delimiter_token="|")
