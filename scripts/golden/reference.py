"""What the models say: logits, greedy tokens, embeddings and scores, computed by transformers in F32."""

import numpy as np
import torch

from specs import Spec

GREEDY = 16
LENGTHS = {"short": 12, "long": 40}


def prompts(spec: Spec) -> dict[str, list[int]]:
    """Random tokens; what begins and ends a text stands where the tokenizer would put it."""
    generator = np.random.default_rng([spec.seed, 99])
    vocabulary = spec.vocabulary
    made = {}
    for name, length in LENGTHS.items():
        tokens = [int(vocabulary.ordinary[index]) for index in generator.integers(0, len(vocabulary.ordinary), length)]
        if spec.kind != "generate" or vocabulary.flags.get("add_bos_token"):
            tokens[0] = vocabulary.special["bos"]
        if spec.kind != "generate":
            tokens[-1] = vocabulary.special["eos"]
        if spec.kind == "rank":
            tokens[length // 3] = vocabulary.special["eos"]
            tokens[length // 3 + 1] = vocabulary.special["sep"]
        made[name] = tokens
    return made


def logits(spec: Spec, model: torch.nn.Module, tokens: list[int], context: int) -> np.ndarray:
    choose_factors(spec, model, context)
    with torch.no_grad():
        return model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0].float().numpy()


def choose_factors(spec: Spec, model: torch.nn.Module, context: int) -> None:
    """transformers picks the LongRoPE factors by the length of the text, llama.cpp by that of the context."""
    parameters = getattr(model.config, "rope_parameters", None) or {}
    if parameters.get("rope_type") == "longrope":
        chosen = "long_factor" if context > parameters["original_max_position_embeddings"] else "short_factor"
        original = dict(spec.config.rope_parameters)
        model.model.rotary_emb.config.rope_parameters = original | {
            "short_factor": original[chosen], "long_factor": original[chosen],
        }
        model.model.rotary_emb.__init__(model.model.rotary_emb.config)


def greedy(spec: Spec, model, tokens: list[int], context: int, clear: float) -> tuple[list[int], float]:
    """
    The continuation, and the smallest distance between the best and the second-best logit on the way. Ends early
    once that is below `clear`.
    """
    made, gap = list(tokens), float("inf")
    while len(made) < len(tokens) + GREEDY and gap >= clear:
        last = logits(spec, model, made, context)[-1]
        second, best = np.partition(last, -2)[-2:]
        gap = min(gap, float(best - second))
        made.append(int(last.argmax()))
    return made[len(tokens):], gap


def hidden(model: torch.nn.Module, tokens: list[int]) -> np.ndarray:
    """Output of the last layer, after its norm: [token, dimension]."""
    body = getattr(model, "bert", model)
    with torch.no_grad():
        return body(input_ids=torch.tensor([tokens])).last_hidden_state[0].float().numpy()


def score(model: torch.nn.Module, tokens: list[int]) -> float:
    with torch.no_grad():
        return float(model(input_ids=torch.tensor([tokens])).logits[0, 0])


def pool(spec: Spec, states: np.ndarray) -> np.ndarray:
    return states.mean(axis=0) if spec.pooling == "mean" else states[0]
