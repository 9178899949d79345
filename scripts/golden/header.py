"""The metadata of a GGUF, as far as it follows from the configuration of a model."""

import gguf
import numpy as np

from specs import Spec

POOLING = {"mean": gguf.PoolingType.MEAN, "cls": gguf.PoolingType.CLS, "rank": gguf.PoolingType.RANK}


def write_header(writer: gguf.GGUFWriter, spec: Spec) -> None:
    config = spec.config
    # llama.cpp expects the special tokens of Phi 3 where a name says so.
    writer.add_name("golden")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_vocab_size(config.vocab_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    if (heads := getattr(config, "num_key_value_heads", None)) is not None:
        writer.add_head_count_kv(heads)
    write_norms(writer, config)
    write_rope(writer, spec)
    write_attention(writer, spec)
    write_experts(writer, config)
    for key, value in spec.extra.items():
        writer.add_uint32(f"{spec.architecture}.{key}", value)


def write_norms(writer, config) -> None:
    if (epsilon := getattr(config, "rms_norm_eps", None)) is not None:
        writer.add_layer_norm_rms_eps(epsilon)
    epsilon = getattr(config, "layer_norm_eps", getattr(config, "norm_eps", None))
    if epsilon is not None:
        writer.add_layer_norm_eps(epsilon)


def head_size(config) -> int:
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def write_rope(writer, spec: Spec) -> None:
    config = spec.config
    parameters = getattr(config, "rope_parameters", None)
    if parameters is None:
        return
    full = parameters.get("full_attention", parameters)
    size = head_size(config)
    writer.add_rope_dimension_count(int(size * full.get("partial_rotary_factor", 1.0)))
    writer.add_rope_freq_base(full["rope_theta"])
    if local := parameters.get("sliding_attention"):
        writer.add_rope_freq_base_swa(local["rope_theta"])
    match full["rope_type"]:
        case "linear":
            writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
            writer.add_rope_scaling_factor(full["factor"])
        case "yarn":
            writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
            writer.add_rope_scaling_factor(full["factor"])
            writer.add_rope_scaling_orig_ctx_len(full["original_max_position_embeddings"])
        case "longrope":
            original = full["original_max_position_embeddings"]
            scale = config.max_position_embeddings / original
            writer.add_rope_scaling_orig_ctx_len(original)
            writer.add_rope_scaling_attn_factors(float(np.sqrt(1 + np.log(scale) / np.log(original))))


def write_attention(writer, spec: Spec) -> None:
    config = spec.config
    size = head_size(config)
    if size != config.hidden_size // config.num_attention_heads or spec.architecture.startswith(("gemma", "qwen3")):
        writer.add_key_length(size)
        writer.add_value_length(size)
    if spec.architecture.startswith("gemma"):
        writer.add_sliding_window(config.sliding_window)
    if spec.architecture == "gemma2":
        writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
        writer.add_final_logit_softcapping(config.final_logit_softcapping)
    if spec.architecture.startswith("granite"):
        writer.add_attention_scale(config.attention_multiplier)
        writer.add_embedding_scale(config.embedding_multiplier)
        writer.add_residual_scale(config.residual_multiplier)
        writer.add_logit_scale(config.logits_scaling)
    if spec.architecture == "stablelm":
        writer.add_parallel_residual(config.use_parallel_residual)
    if spec.architecture == "phi3":
        writer.add_sliding_window(0)
    if spec.architecture == "modern-bert":
        writer.add_sliding_window(config.local_attention)
        writer.add_sliding_window_pattern(3)
        writer.add_rope_scaling_type(gguf.RopeScalingType.NONE)
    if spec.pooling is not None:
        writer.add_causal_attention(False)
        writer.add_pooling_type(POOLING[spec.pooling])


def write_experts(writer, config) -> None:
    count = getattr(config, "num_local_experts", getattr(config, "num_experts", None))
    if not count:
        return
    writer.add_expert_count(count)
    writer.add_expert_used_count(config.num_experts_per_tok)
    if (length := getattr(config, "moe_intermediate_size", None)) is not None:
        writer.add_expert_feed_forward_length(length)
    if (length := getattr(config, "shared_expert_intermediate_size", None)) is not None:
        writer.add_expert_shared_feed_forward_length(length)
