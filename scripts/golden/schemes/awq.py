"""
AWQ. The codes are those of plain rounding; the words are packed by the classes of AutoAWQ, whose own kernels and
calibration need a GPU, and read back by its own functions.
"""

from functools import partial
import importlib.util
import pathlib
import sys
import types

import torch

import base

BITS, GROUP = 4, 32


def load(source: pathlib.Path, path: str):
    """One module of AutoAWQ without the package, which imports kernels."""
    for name in ("awq", "awq.utils", "awq.utils.module", "awq.utils.utils"):
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["awq.utils.utils"].get_best_device = lambda: "cpu"
    sys.modules["awq.utils.module"].try_import = lambda name: (None, "no kernels")
    packing = importlib.util.spec_from_file_location("awq.utils.packing_utils", source / "awq/utils/packing_utils.py")
    if "awq.utils.packing_utils" not in sys.modules:
        module = importlib.util.module_from_spec(packing)
        sys.modules["awq.utils.packing_utils"] = module
        packing.loader.exec_module(module)
    spec = importlib.util.spec_from_file_location(path.replace("/", "."), source / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rounded(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Scales and zero points of groups by their extremes, and the weights that they leave: what AutoAWQ does."""
    groups = weight.float().reshape(-1, GROUP)
    most, least = groups.amax(1, keepdim=True), groups.amin(1, keepdim=True)
    scales = ((most - least).clamp(min=1e-5) / 15).half().float()
    zeros = (-torch.round(least / scales)).clamp(0, 15)
    left = (torch.clamp(torch.round(groups / scales) + zeros, 0, 15) - zeros) * scales
    n = weight.shape[0]
    return left.reshape(weight.shape), scales.reshape(n, -1).half(), zeros.reshape(n, -1)


def make(name: str, source: pathlib.Path, kind: str, seed: int) -> base.Fixture:
    model = base.build(seed)
    gemm = kind == "gemm"
    packer = load(source, f"awq/modules/linear/{kind}.py")
    packer = packer.WQLinear_GEMM if gemm else packer.WQLinear_GEMV
    tensors, weights = base.float_state(model), {}
    for layer, module in base.linears(model).items():
        left, scales, zeros = rounded(module.weight.data)
        module.weight.data = left.half()
        packed = packer.from_linear(module, BITS, GROUP, scales=scales.T.contiguous() if gemm else scales,
                                    zeros=zeros.T.contiguous() if gemm else zeros)
        tensors |= {f"{layer}.{key}": value for key, value in packed.state_dict().items()}
        weights[layer] = left if not gemm else unpack(packed)
    settings = {"quant_method": "awq", "bits": BITS, "group_size": GROUP, "zero_point": True, "version": kind,
                "modules_to_not_convert": None}
    return base.Fixture(name, "AutoAWQ 0.2.9", model, tensors=tensors, settings=settings, weights=weights, types="Q4_1")


def unpack(packed) -> torch.Tensor:
    dequantize = sys.modules["awq.utils.packing_utils"].dequantize_gemm
    return dequantize(packed.qweight, packed.qzeros, packed.scales.float(), BITS, GROUP).T.contiguous()


def all_fixtures(source: pathlib.Path) -> list[base.Make]:
    return [partial(make, "awq-gemm", source, "gemm", 21),
            partial(make, "awq-gemv", source, "gemv", 22)]
