"""
compressed-tensors with `weight_g_idx`, as versions up to 0.9 write it: columns in the order of the model, groups in that of the
activations. Quantized, packed and read back by the functions of 0.9.
"""

from functools import partial
import torch

import base

GROUP = 32


def make(name: str, types: str, seed: int) -> base.Fixture:
    from compressed_tensors.compressors.quantized_compressors.pack_quantized import pack_to_int32
    from compressed_tensors.quantization import QuantizationArgs
    from compressed_tensors.quantization.lifecycle.forward import dequantize, quantize
    from compressed_tensors.quantization.utils import calculate_qparams

    args = QuantizationArgs(num_bits=4, type="int", strategy="group", group_size=GROUP, symmetric=True, actorder="group")
    model = base.build(seed).to(torch.bfloat16)
    tensors, weights = base.float_state(model), {}
    for layer, module in base.linears(model).items():
        weight = module.weight.data
        g_idx = torch.arange(weight.shape[1], dtype=torch.int32)[torch.randperm(weight.shape[1])] // GROUP
        groups = weight[:, torch.argsort(g_idx, stable=True)].reshape(weight.shape[0], -1, GROUP)
        scale, zero = calculate_qparams(groups.amin(2), groups.amax(2), args)
        codes = quantize(weight, scale, zero, args, dtype=torch.int8, g_idx=g_idx)
        tensors |= {f"{layer}.weight_packed": pack_to_int32(codes, 4), f"{layer}.weight_scale": scale,
                    f"{layer}.weight_shape": torch.tensor(weight.shape), f"{layer}.weight_g_idx": g_idx}
        weights[layer] = dequantize(codes, scale.float(), zero, args, g_idx=g_idx).float()
    settings = {"quant_method": "compressed-tensors", "format": "pack-quantized", "ignore": ["lm_head"],
                "config_groups": {"group_0": {"targets": ["Linear"], "weights": args.model_dump(mode="json")}}}
    return base.Fixture(name, version(), model, tensors=tensors, settings=settings, weights=weights, types=types)


def version() -> str:
    import compressed_tensors
    return f"compressed-tensors {compressed_tensors.__version__}"


def all_fixtures() -> list[base.Make]:
    return [partial(make, "ct-order", "Q4_0", 36)]
