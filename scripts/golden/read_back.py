"""Loads the folders that `folders.ts` has made with transformers and compares its numbers with the golden ones."""

import base64
import json
import pathlib
import sys

import numpy as np
import torch
import transformers as hf

INDEX = pathlib.Path(__file__).parents[2] / "src/engines/flint/__fixtures__/models/index.json"


def decode(text: str, width: int) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f4").reshape(-1, width)


def distance(entry: dict, folder: pathlib.Path) -> float:
    """Greatest distance for the short text, relative to the greatest number."""
    config = json.loads((folder / "config.json").read_text())
    model = getattr(hf, config["architectures"][0])
    model = model.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    prompt = entry["prompts"][0]
    with torch.no_grad():
        result = model(input_ids=torch.tensor([prompt["tokens"]]))
    if entry["kind"] == "embed":
        ours, golden = result.last_hidden_state[0].numpy(), decode(prompt["hidden"], entry["hidden"])
    elif entry["kind"] == "rank":
        ours, golden = result.logits[0].numpy(), np.array([prompt["score"]])
    else:
        ours = result.logits[0].float().numpy()[prompt["firstLogits"]:]
        golden = decode(prompt["logits"], entry["vocabulary"])
    return float(np.abs(golden - ours).max() / np.abs(golden).max())


if __name__ == "__main__":
    hf.logging.set_verbosity_error()
    torch.set_num_threads(1)
    for entry in json.loads(INDEX.read_text()):
        print(entry["name"], distance(entry, pathlib.Path(sys.argv[1]) / entry["name"]))
