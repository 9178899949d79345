"""The models of the fixtures: a name, a GGUF architecture, a configuration of Hugging Face transformers."""

from dataclasses import dataclass, field
from typing import Any

import transformers as hf

import vocabulary

VOCABULARY = vocabulary.SIZE
SMALL = dict(vocab_size=VOCABULARY, hidden_size=64, num_hidden_layers=2, intermediate_size=96)
GQA = dict(num_attention_heads=4, num_key_value_heads=2)


@dataclass
class Spec:
    name: str
    architecture: str
    model: type
    config: Any
    vocabulary: vocabulary.Vocabulary
    notes: str = ""
    kind: str = "generate"
    pooling: str | None = None
    # Standard deviation of the token embeddings, and mean of the weights of the last norm. With tied embeddings a small
    # one and a large one keep a token from only asking for itself again.
    embedding: float = 0.5
    output_norm: float = 1.0
    # Tokens of context to load with, per prompt where it matters.
    context: int = 256
    contexts: dict[str, int] = field(default_factory=dict)
    # Keys of the header beyond those that follow from the configuration.
    extra: dict[str, Any] = field(default_factory=dict)
    seed: int = 1


def rope(kind: str, theta=10000.0, **more) -> dict:
    return {"rope_type": kind, "rope_theta": theta, **more}


TIED = dict(embedding=0.2, output_norm=3.0)


def llama(name: str, notes: str, parameters: dict | None = None, **config) -> Spec:
    settings = dict(SMALL, **GQA, max_position_embeddings=256, rms_norm_eps=1e-5)
    settings |= dict(rope_parameters=parameters or rope("default"), **config)
    tied = TIED if config.get("tie_word_embeddings") else {}
    config = hf.LlamaConfig(**settings)
    return Spec(name, "llama", hf.LlamaForCausalLM, config, vocabulary.sentencepiece(), notes, **tied)


def llamas() -> list[Spec]:
    wide = dict(head_dim=32)
    return [
        llama("llama", "Grouped queries, RoPE on neighbouring pairs, untied output."),
        llama("llama-tied", "Tied embeddings, three query heads per key head, bias on queries, keys, values and output.",
              tie_word_embeddings=True, num_attention_heads=6, num_key_value_heads=2, hidden_size=96, intermediate_size=160, attention_bias=True,
              num_hidden_layers=1),
        llama("llama3-rope",
              "`rope_freqs.weight` of Llama 3: frequencies divided by 1 to 8. Heads of 32: wider than hidden / heads.",
              rope("llama3", 500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                   original_max_position_embeddings=64), max_position_embeddings=512, **wide),
        llama("llama-linear", "Linear RoPE scaling, factor 4.", rope("linear", factor=4.0)),
        llama("llama-yarn", "YaRN, factor 4 from 64 tokens. Heads of 32.",
              rope("yarn", factor=4.0, original_max_position_embeddings=64), max_position_embeddings=256, **wide),
        mistral(),
        mixtral(),
        smollm3(),
    ]


def mistral() -> Spec:
    config = hf.MistralConfig(**SMALL, **GQA, max_position_embeddings=256, sliding_window=None, rms_norm_eps=1e-5,
                              rope_parameters=rope("default", 1000000.0))
    return Spec("mistral", "llama", hf.MistralForCausalLM, config, vocabulary.sentencepiece(),
                "The header names a sliding window of 16; the `llama` graph of llama.cpp ignores it, and so do these "
                "numbers: full attention.", extra={"attention.sliding_window": 16})


def mixtral() -> Spec:
    config = hf.MixtralConfig(**{**SMALL, "intermediate_size": 32}, **GQA, max_position_embeddings=256,
                              num_local_experts=4, num_experts_per_tok=2, rms_norm_eps=1e-5, sliding_window=None,
                              rope_parameters=rope("default", 1000000.0))
    return Spec("mixtral", "llama", hf.MixtralForCausalLM, config, vocabulary.sentencepiece(),
                "Four experts, two used, their weights renormalized.")


def smollm3() -> Spec:
    config = hf.SmolLM3Config(**{**SMALL, "num_hidden_layers": 4}, **GQA, max_position_embeddings=256,
                              no_rope_layer_interval=4, rms_norm_eps=1e-6, tie_word_embeddings=True,
                              bos_token_id=286, eos_token_id=287, pad_token_id=None,
                              rope_parameters=rope("default", 50000.0))
    return Spec("smollm3", "smollm3", hf.SmolLM3ForCausalLM, config, vocabulary.bpe("smaug-bpe"),
                "Layer 3, the last, has no RoPE.", **TIED)


def qwens() -> list[Spec]:
    qwen2 = hf.Qwen2Config(**SMALL, **GQA, max_position_embeddings=256, rope_parameters=rope("default", 1000000.0),
                           tie_word_embeddings=True, use_sliding_window=False)
    qwen3 = hf.Qwen3Config(**SMALL, **GQA, head_dim=32, max_position_embeddings=256,
                           rope_parameters=rope("default", 1000000.0), tie_word_embeddings=True)
    qwen2moe = hf.Qwen2MoeConfig(**SMALL, **GQA, max_position_embeddings=256, rope_parameters=rope("default"),
                                 num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32,
                                 shared_expert_intermediate_size=64, norm_topk_prob=False, decoder_sparse_step=1)
    qwen3moe = hf.Qwen3MoeConfig(**SMALL, **GQA, head_dim=32, max_position_embeddings=256,
                                 rope_parameters=rope("default"), num_experts=6, num_experts_per_tok=3,
                                 moe_intermediate_size=32, norm_topk_prob=True, decoder_sparse_step=1)
    tokens = vocabulary.bpe("qwen2")
    return [
        Spec("qwen2", "qwen2", hf.Qwen2ForCausalLM, qwen2, tokens,
             "Bias on queries, keys and values; RoPE on halves; tied.", **TIED),
        Spec("qwen3", "qwen3", hf.Qwen3ForCausalLM, qwen3, tokens,
             "Norm of queries and keys per head; heads of 32; tied.", **TIED),
        Spec("qwen2moe", "qwen2moe", hf.Qwen2MoeForCausalLM, qwen2moe, tokens,
             "Four experts, two used, weights not renormalized; a shared expert with a sigmoid gate."),
        Spec("qwen3moe", "qwen3moe", hf.Qwen3MoeForCausalLM, qwen3moe, tokens,
             "Six experts, three used, renormalized; norm of queries and keys per head."),
    ]


def gemmas() -> list[Spec]:
    tokens = vocabulary.sentencepiece(bos=1, eos=2, flags={"add_space_prefix": False})
    shared = dict({**SMALL, "intermediate_size": 64}, num_attention_heads=2, num_key_value_heads=1, head_dim=48,
                  max_position_embeddings=256, rms_norm_eps=1e-6, bos_token_id=1, eos_token_id=2, pad_token_id=0)
    gemma2 = hf.Gemma2Config(**{**shared, "num_hidden_layers": 4}, sliding_window=16, query_pre_attn_scalar=48,
                             attn_logit_softcapping=4.0, final_logit_softcapping=20.0, rope_parameters=rope("default"))
    gemma3 = hf.Gemma3TextConfig(
        **{**shared, "num_hidden_layers": 7, "intermediate_size": 32}, sliding_window=16, query_pre_attn_scalar=48,
        rope_parameters={"full_attention": rope("linear", 1000000.0, factor=4.0), "sliding_attention": rope("default")},
        layer_types=["full_attention" if layer % 6 == 5 else "sliding_attention" for layer in range(7)],
    )
    louder = dict(embedding=0.0625, output_norm=8.0)
    return [
        Spec("gemma2", "gemma2", hf.Gemma2ForCausalLM, gemma2, tokens,
             "Windows of 16 in the even layers, soft caps of scores (4) and logits (20), norms after each half.",
             **louder),
        Spec("gemma3", "gemma3", hf.Gemma3ForCausalLM, gemma3, tokens,
             "Layer 5 of seven is global (base 1e6, linear scaling by 4), the others see 16 tokens (base 1e4, "
             "unscaled).",
             **louder),
    ]


def phis() -> list[Spec]:
    shared = dict(SMALL, **GQA, bos_token_id=1, eos_token_id=2, pad_token_id=0, rms_norm_eps=1e-5)
    phi3 = hf.Phi3Config(**shared, max_position_embeddings=256, original_max_position_embeddings=256,
                         rope_parameters=rope("default"))
    short, long = [1.0, 1.05, 1.1, 1.2, 1.4, 1.7], [1.0, 1.5, 2.5, 4.0, 8.0, 16.0]
    longrope = hf.Phi3Config(
        **shared, max_position_embeddings=2048, original_max_position_embeddings=256, tie_word_embeddings=True,
        rope_parameters=rope("longrope", short_factor=short, long_factor=long, partial_rotary_factor=0.75,
                             original_max_position_embeddings=256),
    )
    return [
        Spec("phi3", "phi3", hf.Phi3ForCausalLM, phi3, vocabulary.sentencepiece(), "Fused qkv, fused gate and up."),
        Spec("phi3-longrope", "phi3", hf.Phi3ForCausalLM, longrope, vocabulary.bpe("dbrx"),
             "RoPE of 12 of 16 dimensions. The factors follow from the context of the whole session, not from the "
             "length of the text: up to 256 tokens `rope_factors_short`, beyond `rope_factors_long`.",
             contexts={"short": 256, "long": 512}, **TIED),
    ]


def granites() -> list[Spec]:
    scales = dict(embedding_multiplier=3.0, attention_multiplier=0.2, residual_multiplier=0.6, logits_scaling=2.0)
    shared = dict(SMALL, **GQA, max_position_embeddings=256, rms_norm_eps=1e-5, bos_token_id=286, eos_token_id=287,
                  rope_parameters=rope("default"), tie_word_embeddings=True, **scales)
    tokens = vocabulary.bpe("refact")
    moe = dict(shared, intermediate_size=64, num_local_experts=4, num_experts_per_tok=2)
    return [
        Spec("granite", "granite", hf.GraniteForCausalLM, hf.GraniteConfig(**shared), tokens,
             "Multipliers: embedding 3, attention 0.2, residual 0.6, logits divided by 2.",
             embedding=0.1, output_norm=10.0),
        Spec("granitemoe", "granitemoe", hf.GraniteMoeForCausalLM, hf.GraniteMoeConfig(**moe), tokens,
             "As granite, with four experts, two used.", embedding=0.1,
             output_norm=10.0),
    ]


def others() -> list[Spec]:
    olmo2 = hf.Olmo2Config(**SMALL, **GQA, max_position_embeddings=256, rope_parameters=rope("default", 500000.0))
    stablelm = dict(SMALL, **GQA, max_position_embeddings=256, layer_norm_eps=1e-5, use_qkv_bias=True,
                    rope_parameters=rope("default", partial_rotary_factor=0.25))
    parallel = {**stablelm, "use_qkv_bias": False, "use_parallel_residual": True, "qk_layernorm": True}
    return [
        Spec("olmo2", "olmo2", hf.Olmo2ForCausalLM, olmo2, vocabulary.bpe("dbrx"),
             "Norms only after attention and feed-forward; norm of whole queries and keys."),
        Spec("stablelm", "stablelm", hf.StableLmForCausalLM, hf.StableLmConfig(**stablelm), vocabulary.bpe("stablelm2"),
             "LayerNorm with bias, RoPE of 4 of 16 dimensions, bias on queries, keys and values."),
        Spec("stablelm-parallel", "stablelm", hf.StableLmForCausalLM, hf.StableLmConfig(**parallel),
             vocabulary.bpe("stablelm2"),
             "Attention and feed-forward read the same norm; LayerNorm per query and key head."),
    ]


def encoders() -> list[Spec]:
    shared = {**SMALL, "num_hidden_layers": 2, "num_attention_heads": 4}
    bert = dict(shared, max_position_embeddings=64, type_vocab_size=2, layer_norm_eps=1e-12)
    nomic = hf.NomicBertConfig(**shared, max_position_embeddings=256, rope_parameters=rope("default", 1000.0))
    modern = hf.ModernBertConfig(
        **{**shared, "num_hidden_layers": 4}, max_position_embeddings=256, local_attention=16, norm_eps=1e-5,
        layer_types=["sliding_attention" if layer % 3 else "full_attention" for layer in range(4)],
        rope_parameters={"full_attention": rope("default", 160000.0), "sliding_attention": rope("default")},
        bos_token_id=284, cls_token_id=284, eos_token_id=285, sep_token_id=285, pad_token_id=286,
    )
    words = vocabulary.wordpiece()
    types = "All tokens have type 0, as in llama.cpp. "
    gelu = "GELU by the error function; llama.cpp takes the tanh form from a table of half floats. "
    embed = dict(kind="embed", embedding=1.0, context=64)
    return [
        Spec("bert-mean", "bert", hf.BertModel, hf.BertConfig(**bert), words, types + gelu, pooling="mean", **embed),
        Spec("bert-cls", "bert", hf.BertModel, hf.BertConfig(**bert), words, types + gelu, pooling="cls", seed=2,
             **embed),
        Spec("nomic-bert", "nomic-bert", hf.NomicBertModel, nomic, words, types + "RoPE on halves, SwiGLU, no bias.",
             pooling="mean", **embed),
        Spec("modern-bert", "modern-bert", hf.ModernBertModel, modern, vocabulary.modern_bpe(),
             gelu + "Layers 0 and 3 are global, 1 and 2 see 8 tokens to each side. Layer 0 has no norm before "
             "attention.",
             pooling="cls", **embed),
        Spec("bert-rank", "bert", hf.BertForSequenceClassification, hf.BertConfig(**bert, num_labels=1), words,
             types + gelu + "The score is the logit of tanh(cls) times cls.output, before any sigmoid.",
             pooling="rank", **{**embed, "kind": "rank"}, seed=3),
    ]


def all_specs() -> list[Spec]:
    return llamas() + qwens() + gemmas() + phis() + granites() + others() + encoders()
