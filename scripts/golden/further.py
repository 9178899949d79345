"""
Checkpoints of families that the golden models of flint leave out: whole folders, and the numbers of transformers for one text.
Classes that are not part of transformers are llamas under other names: their folders are made by renaming.
"""

import base64
import copy
import gzip
import json
import pathlib
import tempfile

import numpy as np
import torch
import transformers as hf
from safetensors.torch import load_file, save_file

import vocabulary
from tokenizer_files import write_tokenizer

SIZES = dict(vocab_size=vocabulary.SIZE, hidden_size=16, num_hidden_layers=2, intermediate_size=24, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=64, bos_token_id=286, eos_token_id=287, pad_token_id=None)
TOKENS = [72, 17, 250, 3, 99, 140, 5, 201]


def fill(model: torch.nn.Module) -> torch.nn.Module:
    """Small integers times a power of two, which any type holds."""
    generator = np.random.default_rng(11)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = 1 / 8 if parameter.dim() > 1 else 1 / 16
            values = generator.integers(-6, 7, tuple(parameter.shape)) * scale
            if "norm" in name.lower() and name.endswith("weight") and not isinstance(model, hf.GemmaPreTrainedModel):
                values = values + 1
            parameter.copy_(torch.from_numpy(values))
    return model.eval().float()


def llama() -> torch.nn.Module:
    return fill(hf.LlamaForCausalLM(hf.LlamaConfig(**SIZES, rms_norm_eps=1e-5)))


def save_half(model: torch.nn.Module, folder: pathlib.Path) -> None:
    """The weights are exact in F16."""
    copy.deepcopy(model).half().save_pretrained(folder)


def renamed(names: dict[str, str], config: dict, change=lambda state: state):
    """A llama whose tensors have other names."""
    def make(folder: pathlib.Path) -> torch.nn.Module:
        model = llama()
        save_half(model, folder)
        state = change(load_file(folder / "model.safetensors"))
        for old, new in names.items():
            state = {name.replace(old, new): tensor for name, tensor in state.items()}
        save_file(state, folder / "model.safetensors", {"format": "pt"})
        known = json.loads((folder / "config.json").read_text())
        known |= config
        (folder / "config.json").write_text(json.dumps({key: value for key, value in known.items() if value != "gone"}))
        return model
    return make


def joined(state: dict) -> dict:
    """One matrix for each group of heads after the other: its queries, its key, its value."""
    heads, groups, width = 4, 2, 4
    for layer in range(2):
        part = {name: state.pop(f"model.layers.{layer}.self_attn.{name}_proj.weight") for name in "qkv"}
        queries = part["q"].reshape(groups, heads // groups, width, -1)
        keys, values = (part[name].reshape(groups, 1, width, -1) for name in "kv")
        rows = torch.cat([queries, keys, values], dim=1).reshape((heads + 2 * groups) * width, -1)
        state[f"model.layers.{layer}.attention.wqkv.weight"] = rows.contiguous()
    return state


def saved(make):
    def save(folder: pathlib.Path) -> torch.nn.Module:
        model = fill(make())
        save_half(model, folder)
        return model
    return save


INTERNLM2 = {"embed_tokens": "tok_embeddings", "lm_head": "output", "self_attn.o_proj": "attention.wo",
             "mlp.gate_proj": "feed_forward.w1", "mlp.up_proj": "feed_forward.w3", "mlp.down_proj": "feed_forward.w2",
             "input_layernorm": "attention_norm", "post_attention_layernorm": "ffn_norm"}
EXAONE = {"model.embed_tokens": "transformer.wte", "model.norm": "transformer.ln_f", "model.layers": "transformer.h",
          "self_attn.o_proj": "attn.attention.out_proj", "self_attn": "attn.attention", "mlp.gate_proj": "mlp.c_fc_0",
          "mlp.up_proj": "mlp.c_fc_1", "mlp.down_proj": "mlp.c_proj", "input_layernorm": "ln_1",
          "post_attention_layernorm": "ln_2"}
EXAONE_CONFIG = {"architectures": ["ExaoneForCausalLM"], "num_layers": 2, "num_hidden_layers": "gone",
                 "layer_norm_epsilon": 1e-5, "rms_norm_eps": "gone", "activation_function": "silu", "hidden_act": "gone"}

MODELS = {
    "internlm2": renamed(INTERNLM2, {"architectures": ["InternLM2ForCausalLM"]}, joined),
    "exaone": renamed(EXAONE, EXAONE_CONFIG),
    "xverse": renamed({}, {"architectures": ["XverseForCausalLM"]}),
    "gemma": saved(lambda: hf.GemmaForCausalLM(hf.GemmaConfig(**SIZES, head_dim=8, rms_norm_eps=1e-6))),
    "ernie4_5": saved(lambda: hf.Ernie4_5ForCausalLM(hf.Ernie4_5Config(**SIZES, head_dim=4, tie_word_embeddings=True))),
    "granitemoe shared": saved(lambda: hf.GraniteMoeSharedForCausalLM(hf.GraniteMoeSharedConfig(
        **SIZES, num_local_experts=3, num_experts_per_tok=2, shared_intermediate_size=12, logits_scaling=2.0))),
    "xlm-roberta": saved(lambda: hf.XLMRobertaModel(hf.XLMRobertaConfig(
        **{**SIZES, "max_position_embeddings": 66, "pad_token_id": 1, "type_vocab_size": 1}), add_pooling_layer=False)),
    "roberta rank": saved(lambda: hf.RobertaForSequenceClassification(hf.RobertaConfig(
        **{**SIZES, "max_position_embeddings": 66, "pad_token_id": 1, "type_vocab_size": 1, "num_labels": 1}))),
}


def values_of(model: torch.nn.Module) -> np.ndarray:
    tokens = torch.tensor([TOKENS])
    with torch.no_grad():
        if isinstance(model, hf.XLMRobertaModel | hf.RobertaForSequenceClassification):
            result = model(input_ids=tokens, attention_mask=torch.ones_like(tokens))
            return (result.logits if hasattr(result, "logits") else result.last_hidden_state[0]).float().numpy()
        return model(input_ids=tokens, use_cache=False).logits[0].float().numpy()


def write(target: pathlib.Path) -> None:
    made = []
    for name, make in MODELS.items():
        with tempfile.TemporaryDirectory() as path:
            folder = pathlib.Path(path)
            model = make(folder)
            tokens = vocabulary.sentencepiece() if name == "gemma" else vocabulary.bpe("gpt-2")
            write_tokenizer(tokens, folder, None)
            weights = base64.b64encode((folder / "model.safetensors").read_bytes()).decode()
            texts = {file.name: file.read_text() for file in sorted(folder.glob("*.json"))}
            values = np.ascontiguousarray(values_of(model), dtype="<f4")
            made.append({"name": name, "texts": texts, "weights": weights, "tokens": TOKENS, "width": values.shape[-1],
                         "values": base64.b64encode(values.tobytes()).decode()})
    (target / "further.json.gz").write_bytes(gzip.compress(json.dumps(made).encode(), 9, mtime=0))
