"""
Writes what transformers computes with the golden model `gemma3` of a prompt with a picture, whose rows see each other both
ways: `src/engines/flint/pictures/__fixtures__/gemma3.json`. The rows are made up; the masks are those of Gemma 3 with
pictures.

    VENV/bin/python scripts/golden/both_ways.py

Made like `models.py`, in a few seconds; the search for its seed takes most of them.
"""

import base64
import json
import pathlib
import sys

import numpy as np
import torch
from transformers.models.gemma3.modeling_gemma3 import create_masks_for_vision_model, get_block_sequence_ids_for_mask

sys.dont_write_bytecode = True

import models
from specs import gemmas

FILE = pathlib.Path(__file__).parents[2] / "src/engines/flint/pictures/__fixtures__/gemma3.json"
# Two pictures, one of them larger than the window of 16.
PICTURES = [(4, 10), (19, 20)]
TOKENS = 44
# The last row of the second picture, and all after it.
FIRST = 38


def encode(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f4").tobytes()).decode()


def main() -> None:
    spec = next(one for one in gemmas() if one.name == "gemma3")
    model, _ = models.goldens(spec)
    generator = np.random.default_rng(11)
    tokens = generator.integers(10, spec.config.vocab_size - 1, TOKENS)
    rows = (np.rint(generator.normal(0, 16, (TOKENS, spec.config.hidden_size))) / 16).astype(np.float32)
    types = torch.zeros(1, TOKENS, dtype=torch.long)
    for start, count in PICTURES:
        types[0, start : start + count] = 1
    with torch.no_grad():
        embeddings = model.get_input_embeddings()(torch.tensor(tokens)[None])
        embeddings = torch.where(types[..., None] == 1, torch.tensor(rows)[None], embeddings)
        masks = create_masks_for_vision_model(
            model.config, embeddings, None, None, torch.arange(TOKENS)[None], get_block_sequence_ids_for_mask(types),
        )
        logits = model(inputs_embeds=embeddings, attention_mask=masks).logits[0].numpy()
        causal = model(inputs_embeds=embeddings).logits[0].numpy()
    print("moved by the masks:", np.abs(logits - causal).max(axis=1).round(2).tolist())
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(json.dumps({
        "model": spec.name, "tokens": tokens.tolist(),
        "pictures": [{"start": start, "rows": encode(rows[start : start + count])} for start, count in PICTURES],
        "firstLogits": FIRST, "logits": encode(logits[FIRST:]),
    }) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
