"""
Writes the golden models of flint: tiny GGUFs with seeded weights, and what transformers computes with them.

    python3 -m venv VENV && VENV/bin/pip install torch transformers gguf
    VENV/bin/python scripts/golden/models.py [NAME ...]
    node scripts/golden/verify.ts [NAME ...]

Without names all are written. `verify.ts` compares them with llama.cpp. Made with torch 2.15.0, transformers 5.24.0 and
gguf 0.19.0, in about two minutes.
"""

import base64
import copy
import gzip
import json
import pathlib
import sys
import tempfile

import numpy as np
import torch

sys.dont_write_bytecode = True

import reference
from export import export
from specs import Spec, all_specs
from weights import fill

FOLDER = pathlib.Path(__file__).parents[2] / "src/engines/flint/__fixtures__/models"
# A continuation counts as clear when no choice was closer than this.
CLEAR_GAP = 0.1
MOST_SEEDS = 400


def build(spec: Spec) -> torch.nn.Module:
    torch.manual_seed(spec.seed)
    config = copy.deepcopy(spec.config)
    config._attn_implementation = "eager"
    model = spec.model(config).eval().float()
    fill(model, spec)
    return model


def encode(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f4").tobytes()).decode()


def generate_goldens(spec: Spec, model) -> list[dict] | None:
    """None: a continuation is not clear."""
    made = []
    for name, tokens in reference.prompts(spec).items():
        context = spec.contexts.get(name, spec.context)
        values = reference.logits(spec, model, tokens, context)
        rows = len(tokens) if name == "short" else 2
        continuation, gap = reference.greedy(spec, model, tokens, context, CLEAR_GAP)
        if gap < CLEAR_GAP or len(set(continuation)) < 6:
            return None
        made.append({
            "name": name, "tokens": tokens, "contextTokens": context, "firstLogits": len(tokens) - rows,
            "logits": encode(values[-rows:]), "greedy": continuation, "greedyGap": round(gap, 4),
        })
    return made


def encoder_goldens(spec: Spec, model) -> list[dict]:
    made = []
    for name, tokens in reference.prompts(spec).items():
        states = reference.hidden(model, tokens)
        golden = {"name": name, "tokens": tokens, "contextTokens": spec.context}
        if name == "short":
            golden["hidden"] = encode(states)
        if spec.kind == "rank":
            golden["score"] = reference.score(model, tokens)
        else:
            golden["embedding"] = encode(reference.pool(spec, states))
        made.append(golden)
    return made


def goldens(spec: Spec) -> tuple[torch.nn.Module, list[dict]]:
    """Tries seeds until the greedy continuations have clear gaps and do not only repeat themselves."""
    for _ in range(MOST_SEEDS):
        model = build(spec)
        if spec.kind != "generate":
            return model, encoder_goldens(spec, model)
        if made := generate_goldens(spec, model):
            return model, made
        spec.seed += 1
    raise ValueError(f"{spec.name}: no seed gave clear continuations")


def write(spec: Spec) -> dict:
    model, made = goldens(spec)
    with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
        export(spec, model, file.name)
        content = pathlib.Path(file.name).read_bytes()
    packed = gzip.compress(content, 9, mtime=0)
    (FOLDER / f"{spec.name}.gguf.gz").write_bytes(packed)
    print(f"{spec.name}: seed {spec.seed}, {len(content)} bytes, packed {len(packed)}", describe(made))
    return {
        "name": spec.name, "architecture": spec.architecture, "kind": spec.kind, "file": f"{spec.name}.gguf.gz",
        "notes": spec.notes, "pooling": spec.pooling, "vocabulary": spec.config.vocab_size,
        "hidden": spec.config.hidden_size, "layers": spec.config.num_hidden_layers, "prompts": made,
    }


def describe(made: list[dict]) -> str:
    if "logits" not in made[0]:
        return ""
    values = np.frombuffer(base64.b64decode(made[0]["logits"]), "<f4")
    return f"deviation {values.std():.2f}, gaps {[golden['greedyGap'] for golden in made]} {made[1]['greedy']}"


def main(names: list[str]) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    index = FOLDER / "index.json"
    entries = {entry["name"]: entry for entry in json.loads(index.read_text())} if index.exists() else {}
    for spec in all_specs():
        if names and spec.name not in names:
            continue
        entries[spec.name] = write(spec)
        ordered = [json.dumps(entries[spec.name], ensure_ascii=False) for spec in all_specs() if spec.name in entries]
        index.write_text("[\n" + ",\n".join(ordered) + "\n]\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1:])
