"""GPTQ, quantized and packed by GPTQModel on the CPU."""

from functools import partial
import os
import pathlib
import tempfile

# It wants two threads, also where there are two cores.
os.environ.setdefault("GPTQMODEL_CPU_WORKERS", "2")

import torch

import base


def quantize(name: str, types: str, *, seed: int, model_settings: dict | None = None, **settings) -> base.Fixture:
    from gptqmodel import BACKEND, GPTQModel, QuantizeConfig

    model = base.uneven(base.build(seed, **(model_settings or {})))
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        base.save_base(model, folder / "plain")
        config = QuantizeConfig(**settings, device="cpu", offload_to_disk=False)
        loaded = GPTQModel.load(str(folder / "plain"), config, trust_remote_code=False)
        texts = [{"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.long)}
                 for ids in base.calibration()]
        loaded.quantize(texts, batch_size=1, backend=BACKEND.TORCH)
        loaded.save(str(folder / "made"))
        tensors, found = base.read_folder(folder / "made")
        again = GPTQModel.load(str(folder / "made"), backend=BACKEND.TORCH, device="cpu")
        weights = {layer: dequantize(module, tensors[f"{layer}.scales"])
                   for layer, module in base.linears(again.model).items()}
    return base.Fixture(name, version(), model, tensors=tensors, settings=found, weights=weights, types=types)


def dequantize(module: torch.nn.Module, scales: torch.Tensor) -> torch.Tensor:
    """In F32: on the CPU it rounds scales to BF16."""
    module.scales = scales.float()
    return module.dequantize_weight().T.float().contiguous()


def version() -> str:
    import gptqmodel
    return f"gptqmodel {gptqmodel.__version__}"


def all_fixtures() -> list[base.Make]:
    common = dict(group_size=32, desc_act=False, sym=True)
    return [
        partial(quantize, "gptq-4-sym", "Q4_0", seed=1, bits=4, **common, model_settings={"tie_word_embeddings": False}),
        partial(quantize, "gptq-4-asym-v2", "Q4_1", seed=2, bits=4, **common | dict(sym=False), format="gptq_v2"),
        partial(quantize, "gptq-4-asym-v1", "Q4_1", seed=3, bits=4, **common | dict(sym=False)),
        partial(quantize, "gptq-4-order", "Q4_0", seed=4, bits=4, **common | dict(desc_act=True), act_group_aware=False,
                model_settings={"intermediate_size": 96}),
        partial(quantize, "gptq-4-order-asym", "Q4_1", seed=5, bits=4, **common | dict(desc_act=True, sym=False),
                act_group_aware=False, format="gptq_v2"),
        partial(quantize, "gptq-4-rows", "Q4_0", seed=6, bits=4, **common | dict(group_size=-1), act_group_aware=False,
                model_settings={"intermediate_size": 96}),
        partial(quantize, "gptq-8-sym", "Q8_0", seed=7, bits=8, **common),
        partial(quantize, "gptq-8-asym", "F16", seed=8, bits=8, **common | dict(sym=False), format="gptq_v2"),
        partial(quantize, "gptq-3-sym", "Q4_0", seed=9, bits=3, **common),
        partial(quantize, "gptq-2-asym", "Q4_0", seed=10, bits=2, **common | dict(sym=False), format="gptq_v2"),
        partial(quantize, "gptq-4-small-groups", "F16", seed=11, bits=4, **common | dict(group_size=16)),
    ]
