"""Seeded weights that are small integers times a power of two: exact in F16 and BF16, and they compress well."""

import math
import zlib

import numpy as np
import torch

from specs import Spec

# Standard deviation of the product of a matrix and a vector of unit variance, by a part of the tensor's name.
GAINS = [
    ("lm_head", 4.0),
    ("q_proj", 1.4),
    ("k_proj", 1.4),
    ("qkv", 1.4),
    ("Wqkv", 1.4),
    ("query", 1.4),
    ("key", 1.4),
    ("router", 2.0),
    ("mlp.gate.weight", 2.0),
    ("shared_expert_gate", 1.0),
    ("down_proj", 1.6),
    ("mlp.Wo", 1.6),
]


def fill(model: torch.nn.Module, spec: Spec) -> None:
    """Sets every parameter, each from a random source of its own."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            generator = np.random.default_rng([spec.seed, zlib.crc32(name.encode())])
            parameter.copy_(torch.from_numpy(values(generator, spec, name, tuple(parameter.shape))))


def values(generator, spec: Spec, name: str, shape: tuple[int, ...]) -> np.ndarray:
    embedding = spec.embedding
    if is_norm(name) and name.endswith("weight"):
        mean = spec.output_norm if name == "model.norm.weight" else 1.0
        # gemma multiplies by 1 + weight.
        stored = mean - 1 if spec.architecture.startswith("gemma") else mean
        return (stored + generator.integers(-6, 7, shape) / 16).astype(np.float32)
    if len(shape) == 1:
        return (generator.integers(-8, 9, shape) / 32).astype(np.float32)
    if "embed" in name:
        return grid(generator, shape, embedding / 2 if "position" in name or "type" in name else embedding)
    gain = next((gain for part, gain in GAINS if part in name), 1.0)
    return grid(generator, shape, gain / math.sqrt(shape[-1]))


def is_norm(name: str) -> bool:
    return "norm" in name.lower()


def grid(generator, shape: tuple[int, ...], deviation: float) -> np.ndarray:
    scale = 2.0 ** math.floor(math.log2(deviation / 1.6))
    whole = np.clip(np.rint(generator.normal(0, deviation / scale, shape)), -12, 12)
    return (whole * scale).astype(np.float32)
