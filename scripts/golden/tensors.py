"""The tensors of a model of transformers, with the names and the order of rows that llama.cpp expects."""

import gguf
import torch

from header import head_size
from specs import Spec

# RoPE on neighbouring pairs, where transformers rotates halves.
PERMUTED = {"llama", "smollm3", "granite", "granitemoe"}


def tensors(spec: Spec, model: torch.nn.Module):
    architecture = next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == spec.architecture)
    names = gguf.get_tensor_name_map(architecture, spec.config.num_hidden_layers)
    tied = getattr(spec.config, "tie_word_embeddings", False)
    for name, tensor in converted(spec, model.state_dict()):
        if name == "lm_head.weight" and tied:
            continue
        found = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if found is None:
            raise ValueError(f"{spec.name}: no GGUF name for {name}")
        yield found, tensor
    yield from extra_tensors(spec)


def converted(spec: Spec, state: dict):
    """Tensors as llama.cpp wants them, still under names of transformers, or of checkpoints where these differ."""
    norms: dict[str, list] = {}
    for name, tensor in state.items():
        base = name.rpartition(".")[0]
        if spec.architecture in PERMUTED and base.endswith(("q_proj", "k_proj")):
            yield name, permuted(tensor, head_count(spec, base))
        elif spec.architecture.startswith("gemma") and name.endswith("norm.weight"):
            yield name, tensor + 1
        elif name.endswith("experts.gate_up_proj"):
            layer = base.partition(".mlp")[0].partition(".block_sparse_moe")[0]
            gate, up = tensor.chunk(2, dim=-2)
            yield f"{layer}.mlp.experts.gate_proj.weight", gate
            yield f"{layer}.mlp.experts.up_proj.weight", up
        elif name.endswith("experts.down_proj"):
            yield name.replace("block_sparse_moe", "mlp") + ".weight", tensor
        elif name.endswith("moe.router.weight"):
            yield name.replace("router", "gate"), tensor
        elif ".norms." in name:
            key = base.split(".norms.")[0]
            norms.setdefault(key, []).append(tensor)
            if len(norms[key]) == head_count(spec, key):
                yield f"{key}.weight", torch.stack(norms[key])
        elif spec.pooling is None:
            yield name, tensor
        elif ".self_attn.q_proj" in name:
            parts = [state[name.replace("q_proj", part)] for part in ("q_proj", "k_proj", "v_proj")]
            yield f"encoder.{base.removesuffix('.self_attn.q_proj')}.attn.Wqkv.weight", torch.cat(parts)
        elif ".self_attn.k_proj" not in name and ".self_attn.v_proj" not in name:
            yield from encoder_tensor(spec, name, tensor)


def encoder_tensor(spec: Spec, name: str, tensor: torch.Tensor):
    name = name.removeprefix("bert.").removeprefix("model.")
    if spec.kind != "rank" and name.startswith("pooler"):
        return
    # The converter of llama.cpp drops the pooler of bert; the graph has a place for it.
    name = name.replace("classifier.", "classifier.out_proj.").replace("pooler.dense", "classifier.dense")
    if spec.architecture == "nomic-bert":
        # Its original checkpoints, and so its GGUFs, have one matrix for queries, keys and values.
        name = name.replace("layers.", "encoder.layers.").replace("post_attention_layernorm", "norm1")
        name = name.replace("post_mlp_layernorm", "norm2").replace("self_attn.o_proj", "attn.out_proj")
        name = name.replace("mlp.gate_proj", "mlp.fc12").replace("mlp.up_proj", "mlp.fc11").replace("down_proj", "fc2")
    yield name, tensor


def head_count(spec: Spec, name: str) -> int:
    return spec.config.num_attention_heads if ".q_" in name else spec.config.num_key_value_heads


def permuted(tensor: torch.Tensor, heads: int) -> torch.Tensor:
    """Rows of each head from halves to neighbouring pairs."""
    size = tensor.shape[0] // heads
    return tensor.reshape(heads, 2, size // 2, *tensor.shape[1:]).swapaxes(1, 2).reshape(tensor.shape)


def extra_tensors(spec: Spec):
    parameters = getattr(spec.config, "rope_parameters", None) or {}
    if parameters.get("rope_type") == "llama3":
        yield "rope_freqs.weight", llama3_factors(parameters, head_size(spec.config))
    if parameters.get("rope_type") == "longrope":
        yield "rope_factors_long.weight", torch.tensor(parameters["long_factor"])
        yield "rope_factors_short.weight", torch.tensor(parameters["short_factor"])


def llama3_factors(parameters: dict, size: int) -> torch.Tensor:
    """What to divide each frequency by: 1 for short waves, the whole factor for long ones, a blend between."""
    frequencies = parameters["rope_theta"] ** -(torch.arange(0, size, 2, dtype=torch.float64) / size)
    turns = parameters["original_max_position_embeddings"] * frequencies / (2 * torch.pi)
    low, high = parameters["low_freq_factor"], parameters["high_freq_factor"]
    share = ((turns - low) / (high - low)).clamp(0, 1)
    return 1 / ((1 - share) / parameters["factor"] + share)
