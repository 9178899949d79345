"""bitsandbytes, quantized, saved and dequantized on the CPU."""

from functools import partial
import pathlib
import tempfile

import bitsandbytes
import torch
import transformers as hf

import base


def make(name: str, types: str, seed: int, **settings) -> base.Fixture:
    model = base.build(seed)
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        base.save_base(model, folder / "plain")
        config = hf.BitsAndBytesConfig(**settings)
        loaded = hf.AutoModelForCausalLM.from_pretrained(
            folder / "plain", quantization_config=config, device_map="cpu", dtype=torch.float16)
        loaded.save_pretrained(folder / "made")
        tensors, found = base.read_folder(folder / "made")
        weights = {layer: dequantize(module) for layer, module in base.linears(loaded).items()}
    return base.Fixture(name, f"bitsandbytes {bitsandbytes.__version__}", model, tensors=tensors, settings=found,
                        weights=weights, types=types)


def dequantize(module: torch.nn.Module) -> torch.Tensor:
    weight = module.weight
    if (state := getattr(weight, "quant_state", None)) is not None:
        state.dtype = torch.float32
        return bitsandbytes.functional.dequantize_4bit(weight.data, state).float()
    scales = module.state.SCB if module.state.SCB is not None else weight.SCB
    return bitsandbytes.functional.int8_vectorwise_dequant(weight.data, scales).float()


def all_fixtures() -> list[base.Make]:
    four = dict(load_in_4bit=True, bnb_4bit_compute_dtype=torch.float32)
    return [
        partial(make, "bnb-nf4", "F16", 51, **four, bnb_4bit_quant_type="nf4"),
        partial(make, "bnb-nf4-nested", "F16", 52, **four, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True),
        partial(make, "bnb-fp4", "F16", 53, **four, bnb_4bit_quant_type="fp4"),
        partial(make, "bnb-int8", "Q8_0", 54, load_in_8bit=True),
    ]
