"""The tiny llama that all schemes quantize, and what is kept of each result."""

import base64
import gzip
import json
import pathlib
from collections.abc import Callable

import numpy as np
import safetensors.torch
import torch
import transformers as hf

FOLDER = pathlib.Path(__file__).parents[3] / "src/formats/checkpoint/schemes/__fixtures__"
VOCABULARY = 64
TOKENS = [5, 9, 17, 33, 61, 12, 40, 41, 7, 19]
# Rows of each matrix that are kept whole; the product with a vector tells about the others.
ROWS = [9]
# What of its configuration a model needs.
FIGURES = (
    "vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads head_dim hidden_act "
    "max_position_embeddings rms_norm_eps rope_parameters tie_word_embeddings attention_bias mlp_bias model_type "
    "bos_token_id eos_token_id pad_token_id").split()
# The last tokens' logits are kept.
LOGITS = 3


def config(**more) -> hf.LlamaConfig:
    return hf.LlamaConfig(**dict(
        vocab_size=VOCABULARY, hidden_size=64, intermediate_size=64, num_hidden_layers=1, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=128, rms_norm_eps=1e-5, tie_word_embeddings=True,
        bos_token_id=0, eos_token_id=1, pad_token_id=1) | more)


def build(seed: int = 1, **more) -> hf.LlamaForCausalLM:
    """Seeded weights in F16, as large as those of real models for their width."""
    torch.manual_seed(seed)
    model = hf.LlamaForCausalLM(config(**more)).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" in name:
                weight.copy_(1 + 0.2 * torch.randn_like(weight))
            else:
                weight.copy_(torch.randn_like(weight) * weight.shape[1] ** -0.5)
            # Few different values: the file is packed.
            if "embed" in name or "lm_head" in name:
                weight.copy_(torch.round(weight * 32) / 8)
    return model.to(torch.float16)


def linears(model: torch.nn.Module) -> dict[str, torch.nn.Module]:
    return {name: module for name, module in model.named_modules() if name.endswith("_proj")}


def calibration(count: int = 64, length: int = 48) -> list[list[int]]:
    generator = np.random.default_rng(7)
    return generator.integers(2, VOCABULARY, (count, length)).tolist()


def uneven(model: torch.nn.Module) -> torch.nn.Module:
    """Inputs of very different size, so that the order of the activations is not that of the columns."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "layernorm" in name:
                weight.copy_(torch.exp(0.5 * torch.randn_like(weight, dtype=torch.float32)).half())
    return model


def logits(settings: dict, tensors: dict[str, torch.Tensor], weights: dict[str, torch.Tensor]) -> np.ndarray:
    """Of the model with these matrices, and the other tensors as they are in the checkpoint, in F32."""
    model = hf.LlamaForCausalLM(hf.LlamaConfig(**settings)).float().eval()
    state = {key: value.float() for key, value in floats(tensors).items()}
    state |= {f"{name}.weight": weight.float() for name, weight in weights.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
    with torch.no_grad():
        return model(torch.tensor([TOKENS])).logits[0, -LOGITS:].numpy()


def floats(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    wanted = ("norm.weight", "layernorm.weight", "embed_tokens.weight", "lm_head.weight")
    return {key: value for key, value in tensors.items() if key.endswith(wanted)}


def float_state(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """What is not quantized, the embeddings once."""
    return {key: value for key, value in floats(model.state_dict()).items() if key != "lm_head.weight"}


def encode(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f4").tobytes()).decode()


def vector(width: int) -> np.ndarray:
    return np.cos(np.arange(width, dtype=np.float64))


def goldens(weights: dict[str, torch.Tensor]) -> dict[str, dict]:
    made = {}
    for name, weight in weights.items():
        matrix = weight.double().numpy()
        rows = [row for row in ROWS if row < len(matrix)]
        made[name] = {"n": matrix.shape[0], "k": matrix.shape[1], "rows": rows, "values": encode(matrix[rows]),
                      "product": encode(matrix @ vector(matrix.shape[1]))}
    return made


class Fixture:
    """One checkpoint: its tensors, its configuration and what the tool makes of it."""

    def __init__(self, name: str, tool: str, model, *, tensors: dict, settings: dict, weights: dict, types: dict | str):
        FOLDER.mkdir(parents=True, exist_ok=True)
        content = safetensors.torch.save({key: value.contiguous() for key, value in tensors.items()})
        (FOLDER / f"{name}.safetensors.gz").write_bytes(gzip.compress(content, 9, mtime=0))
        self.entry = {"name": name, "tool": tool, "settings": settings, "type": types, "matrices": goldens(weights)}
        if model is not None:
            plain = {key: value for key, value in model.config.to_dict().items() if key in FIGURES}
            plain["architectures"] = ["LlamaForCausalLM"]
            self.entry |= {"config": plain, "tokens": TOKENS, "logits": encode(logits(plain, tensors, weights))}
        print(name, len(content), "bytes")


Make = Callable[[], Fixture]


def write_index(fixture: Fixture) -> None:
    index = FOLDER / "index.json"
    known = {entry["name"]: entry for entry in json.loads(index.read_text())} if index.exists() else {}
    known[fixture.entry["name"]] = fixture.entry
    lines = [json.dumps(known[name], default=str) for name in sorted(known)]
    index.write_text("[\n" + ",\n".join(lines) + "\n]\n")


def read_folder(folder: pathlib.Path) -> tuple[dict, dict]:
    """Tensors and the settings of the quantization of a saved checkpoint."""
    tensors = {}
    for file in sorted(folder.glob("*.safetensors")):
        tensors |= safetensors.torch.load_file(file)
    settings = json.loads((folder / "config.json").read_text())["quantization_config"]
    settings.pop("meta", None)
    return tensors, settings


def save_base(model: torch.nn.Module, folder: pathlib.Path) -> None:
    """As transformers saves it, with the smallest tokenizer that tools accept."""
    model.save_pretrained(folder)
    import tokenizers
    words = {"<s>": 0, "</s>": 1} | {chr(0x21 + index): index + 2 for index in range(VOCABULARY - 2)}
    made = tokenizers.Tokenizer(tokenizers.models.BPE(words, []))
    hf.PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="</s>").save_pretrained(folder)
