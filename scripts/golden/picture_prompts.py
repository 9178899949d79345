"""
Writes what transformers computes of prompts with pictures, whose rows are made up, with weights of golden models:
`src/engines/flint/pictures/__fixtures__/*.json`.

- gemma3: the rows of a picture see each other both ways.
- qwen2vl: the weights of `qwen2`, with places in three directions (M-RoPE).

    VENV/bin/python scripts/golden/picture_prompts.py

Made like `models.py`, in a few seconds; the search for the seeds of the models takes most of them.
"""

import base64
import json
import pathlib
import sys

import numpy as np
import torch
import transformers as hf
from transformers.models.gemma3.modeling_gemma3 import create_masks_for_vision_model, get_block_sequence_ids_for_mask

sys.dont_write_bytecode = True

import models
from specs import all_specs, rope

FOLDER = pathlib.Path(__file__).parents[2] / "src/engines/flint/pictures/__fixtures__"
# Start, lines and columns of two pictures; one of them is larger than the window of Gemma's golden model, 16 tokens.
PICTURES = [(4, 2, 5), (19, 5, 4)]
TOKENS = 44
# The last row of the second picture, and all after it.
FIRST = 38


def encode(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f4").tobytes()).decode()


def gemma3(model, embeddings: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
    groups = get_block_sequence_ids_for_mask(types)
    places = torch.arange(TOKENS)[None]
    masks = create_masks_for_vision_model(model.config, embeddings, None, None, places, groups)
    return model(inputs_embeds=embeddings, attention_mask=masks).logits


def qwen2vl(model, embeddings: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
    known = model.config
    same = ("vocab_size", "hidden_size", "num_hidden_layers", "intermediate_size", "num_attention_heads",
            "num_key_value_heads", "max_position_embeddings", "rms_norm_eps", "tie_word_embeddings")
    parameters = rope("default", known.rope_parameters["rope_theta"], mrope_section=[2, 3, 3])
    text = {name: getattr(known, name) for name in same} | {"rope_parameters": parameters}
    vision = dict(depth=1, embed_dim=16, hidden_size=known.hidden_size, num_heads=2, spatial_merge_size=2)
    config = hf.Qwen2VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=known.tie_word_embeddings)
    config._attn_implementation = config.text_config._attn_implementation = "eager"
    seeing = hf.Qwen2VLForConditionalGeneration(config).eval().float()
    state = {name.replace("model.", "model.language_model.", 1): tensor for name, tensor in model.state_dict().items()}
    missing, unexpected = seeing.load_state_dict(state, strict=False)
    assert not unexpected and all(".visual." in name for name in missing), (missing, unexpected)
    grids = torch.tensor([[1, 2 * lines, 2 * columns] for _, lines, columns in PICTURES])
    ids = torch.zeros(1, TOKENS, dtype=torch.long)
    places, _ = seeing.model.get_rope_index(ids, types.int(), image_grid_thw=grids)
    return seeing(inputs_embeds=embeddings, position_ids=places).logits


def write(name: str, source: str, compute) -> None:
    spec = next(one for one in all_specs() if one.name == source)
    model, _ = models.goldens(spec)
    generator = np.random.default_rng(11)
    tokens = generator.integers(10, spec.config.vocab_size - 1, TOKENS)
    rows = (np.rint(generator.normal(0, 16, (TOKENS, spec.config.hidden_size))) / 16).astype(np.float32)
    types = torch.zeros(1, TOKENS, dtype=torch.long)
    for start, lines, columns in PICTURES:
        types[0, start : start + lines * columns] = 1
    with torch.no_grad():
        embeddings = model.get_input_embeddings()(torch.tensor(tokens)[None])
        embeddings = torch.where(types[..., None] == 1, torch.tensor(rows)[None], embeddings)
        logits = compute(model, embeddings, types)[0].numpy()
        plain = model(inputs_embeds=embeddings).logits[0].numpy()
    moved = np.abs(logits - plain).max(axis=1)
    print(f"{name}: moved by {moved[: PICTURES[0][0]].max():.2f} before the pictures, {moved[FIRST:].min():.2f} after")
    (FOLDER / f"{name}.json").write_text(json.dumps({
        "model": source, "tokens": tokens.tolist(),
        "pictures": [
            {"start": start, "columns": columns, "rows": encode(rows[start : start + lines * columns])}
            for start, lines, columns in PICTURES
        ],
        "firstLogits": FIRST, "logits": encode(logits[FIRST:]),
    }) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    write("gemma3", "gemma3", gemma3)
    write("qwen2vl", "qwen2", qwen2vl)
