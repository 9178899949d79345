"""
Writes the checkpoints of the tests: what transformers saves for the models of `models.py`.

    VENV/bin/pip install torch transformers gguf safetensors sentencepiece
    VENV/bin/python scripts/golden/checkpoints.py

`published.json` has for every model its config.json, and name, type, shape and SHA-256 of each tensor: enough to see that a
folder which we write is the one that transformers writes. A few folders are kept whole, in `NAME.json.gz`: file → base64.
Made with torch 2.15.0, transformers 5.24.0, tokenizers 0.23.3 and sentencepiece 0.2.2.
"""

import base64
import gzip
import hashlib
import json
import pathlib
import sys
import tempfile

import torch
from safetensors import safe_open

sys.dont_write_bytecode = True

import further
import piece_model
from models import FOLDER as MODELS
from models import goldens
from specs import Spec, all_specs
from tokenizer_files import write_tokenizer

FOLDER = pathlib.Path(__file__).parents[2] / "src/formats/checkpoint/__fixtures__"
# Kept whole: type of the weights, and bytes of a shard.
WHOLE = {
    "llama": (torch.bfloat16, "40KB"),
    "gemma3": (torch.float16, None),
    "qwen2moe": (torch.float32, None),
    "bert-cls": (torch.float32, None),
}
TEMPLATE = "{% for message in messages %}<{{ message.role }}>{{ message.content }}{% endfor %}"


def save(spec: Spec, model: torch.nn.Module, folder: pathlib.Path) -> None:
    _, shard = WHOLE.get(spec.name, (None, None))
    model.save_pretrained(folder, **({"max_shard_size": shard} if shard else {}))
    write_tokenizer(spec.vocabulary, folder, TEMPLATE if spec.kind == "generate" else None)
    if spec.pooling in ("mean", "cls"):
        (folder / "1_Pooling").mkdir()
        modes = {"pooling_mode_cls_token": spec.pooling == "cls", "pooling_mode_mean_tokens": spec.pooling == "mean"}
        (folder / "1_Pooling/config.json").write_text(json.dumps({"word_embedding_dimension": 64, **modes}))


def describe(folder: pathlib.Path) -> dict:
    tensors = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            for name in file.keys():
                values = file.get_tensor(name).contiguous()
                digest = hashlib.sha256(values.reshape(-1).view(torch.uint8).numpy().tobytes()).hexdigest()[:16]
                tensors[name] = [str(values.dtype).removeprefix("torch."), list(values.shape), digest]
    return tensors


def pack(folder: pathlib.Path, target: pathlib.Path) -> None:
    files = {
        str(path.relative_to(folder)): base64.b64encode(path.read_bytes()).decode()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    target.write_bytes(gzip.compress(json.dumps(files).encode(), 9, mtime=0))


def check(spec: Spec, made: list[dict]) -> None:
    """The model is the one of the fixtures of flint."""
    index = json.loads((MODELS / "index.json").read_text())
    known = next(entry for entry in index if entry["name"] == spec.name)
    keys = ("logits", "embedding", "score")
    for ours, theirs in zip(made, known["prompts"]):
        for key in keys:
            if key in theirs and isinstance(theirs[key], str) and ours[key] != theirs[key]:
                print(f"{spec.name}: {key} of {theirs['name']} has other bytes than the fixture")


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    published = []
    for spec in all_specs():
        model, made = goldens(spec)
        check(spec, made)
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            model.save_pretrained(folder)
            config = json.loads((folder / "config.json").read_text())
            entry = {"name": spec.name, "config": config, "tensors": describe(folder)}
        if spec.name in WHOLE:
            with tempfile.TemporaryDirectory() as name:
                save(spec, model.to(WHOLE[spec.name][0]), pathlib.Path(name))
                pack(pathlib.Path(name), FOLDER / f"{spec.name}.json.gz")
        published.append(entry)
        print(spec.name, len(entry["tensors"]))
    lines = [json.dumps(entry, ensure_ascii=False) for entry in published]
    (FOLDER / "published.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
    piece_model.write(FOLDER)
    further.write(FOLDER)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
