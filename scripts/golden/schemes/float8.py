"""
FP8 as DeepSeek publishes it, blocks of 128 × 128 with `weight_scale_inv`, and E5M2 with one scale a matrix: torch casts, the
format is the one that their model cards document. MXFP4 as gpt-oss publishes it, read back by transformers.
"""

from functools import partial
import torch

import base


def blocks(weight: torch.Tensor, size: tuple[int, int], dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    n, k = weight.shape
    most = torch.finfo(dtype).max
    scales = torch.empty(-(-n // size[0]), -(-k // size[1]))
    codes, left = torch.empty(n, k, dtype=dtype), torch.empty(n, k)
    for row in range(scales.shape[0]):
        for column in range(scales.shape[1]):
            place = (slice(row * size[0], (row + 1) * size[0]), slice(column * size[1], (column + 1) * size[1]))
            part = weight[place].float()
            scales[row, column] = part.abs().max() / most
            codes[place] = (part / scales[row, column]).to(dtype)
            left[place] = codes[place].float() * scales[row, column]
    return codes, scales, left


def make(name: str, seed: int, size: tuple[int, int] | None, dtype: torch.dtype) -> base.Fixture:
    model = base.build(seed, intermediate_size=96)
    tensors, weights = base.float_state(model), {}
    for layer, module in base.linears(model).items():
        codes, scales, left = blocks(module.weight.data, size or (1 << 30, 1 << 30), dtype)
        scale = {"weight_scale_inv": scales} if size else {"weight_scale": scales[0, 0]}
        tensors |= {f"{layer}.weight": codes} | {f"{layer}.{key}": value for key, value in scale.items()}
        weights[layer] = left
    settings = {"quant_method": "fp8", "activation_scheme": "dynamic", "fmt": "e4m3" if size else "e5m2"}
    if size:
        settings["weight_block_size"] = list(size)
    return base.Fixture(name, f"torch {torch.__version__}", model, tensors=tensors, settings=settings, weights=weights,
                        types="F16")


def mxfp4() -> base.Fixture:
    import transformers
    from transformers.integrations.mxfp4 import convert_moe_packed_tensors

    torch.manual_seed(71)
    experts, n, k = 3, 24, 64
    made = {"blocks": torch.randint(0, 256, (experts, n, k // 32, 16), dtype=torch.uint8),
            "scales": torch.randint(118, 125, (experts, n, k // 32), dtype=torch.uint8)}
    layer = "model.layers.0.mlp.experts.gate_up_proj"
    # [experts, k, n]: this is how the function turns them.
    weight = convert_moe_packed_tensors(made["blocks"], made["scales"], dtype=torch.float32)
    weight = weight.transpose(1, 2).reshape(experts * n, k)
    tensors = {f"{layer}_{key}": value for key, value in made.items()}
    return base.Fixture("mxfp4", f"transformers {transformers.__version__}", None, tensors=tensors,
                        settings={"quant_method": "mxfp4"}, weights={layer: weight}, types="MXFP4")


def all_fixtures() -> list[base.Make]:
    return [
        partial(make, "fp8-blocks", 61, (128, 128), torch.float8_e4m3fn),
        partial(make, "fp8-small-blocks", 62, (32, 48), torch.float8_e4m3fn),
        partial(make, "fp8-e5m2", 63, None, torch.float8_e5m2),
        mxfp4,
    ]
