"""compressed-tensors, quantized by llm-compressor on the CPU and read back by compressed-tensors."""

from functools import partial
import pathlib
import tempfile

import datasets
import torch
import transformers as hf

import base


def make(name: str, types: str, seed: int, modifier, *, calibrate: bool = False, **saving) -> base.Fixture:
    from llmcompressor import oneshot

    data = dict(dataset=datasets.Dataset.from_list([{"input_ids": ids, "attention_mask": [1] * len(ids)}
                                                    for ids in base.calibration()]),
                num_calibration_samples=64, max_seq_length=48) if calibrate else {}
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        base.save_base(base.uneven(base.build(seed)).to(torch.bfloat16), folder / "plain")
        model = hf.AutoModelForCausalLM.from_pretrained(folder / "plain", dtype=torch.bfloat16)
        oneshot(model=model, tokenizer=str(folder / "plain"), recipe=[modifier], **data)
        folder = folder / "made"
        model.save_pretrained(folder, save_compressed=True, **saving)
        tensors, settings = base.read_folder(folder)
        weights = read_back(base.linears(model), tensors, settings)
    tensors.pop("lm_head.weight", None)
    return base.Fixture(name, version(), model, tensors=tensors, settings=settings, weights=weights, types=types)


def read_back(layers: dict, tensors: dict, settings: dict) -> dict[str, torch.Tensor]:
    """With scales in F32: they are kept in BF16, and products would be rounded to it."""
    from compressed_tensors.compressors.base import BaseCompressor
    from compressed_tensors.quantization import QuantizationScheme

    compressor = BaseCompressor.get_value_from_registry(settings["format"])
    scheme = QuantizationScheme(**settings["config_groups"]["group_0"])
    made = {}
    for layer in layers:
        state = {key.removeprefix(f"{layer}."): value for key, value in tensors.items() if key.startswith(f"{layer}.")}
        state["weight_scale"] = state["weight_scale"].float()
        made[layer] = compressor.decompress(state, scheme)["weight"].float()
    return made


def version() -> str:
    import compressed_tensors
    import llmcompressor
    return f"llmcompressor {llmcompressor.__version__}, compressed-tensors {compressed_tensors.__version__}"


def groups(**weights) -> dict:
    return {"group_0": {"targets": ["Linear"], "weights": weights}}


def all_fixtures() -> list[base.Make]:
    from llmcompressor.modifiers.gptq import GPTQModifier
    from llmcompressor.modifiers.quantization import QuantizationModifier

    def plain(**weights):
        return QuantizationModifier(config_groups=groups(**weights), ignore=["lm_head"])

    def named(scheme: str):
        return QuantizationModifier(scheme=scheme, targets="Linear", ignore=["lm_head"])

    four = dict(num_bits=4, type="int", strategy="group", group_size=32)
    static = GPTQModifier(config_groups=groups(**four, symmetric=True, actorder="static"), ignore=["lm_head"])
    return [
        partial(make, "ct-4-group", "Q4_0", 31, plain(**four, symmetric=True)),
        partial(make, "ct-4-group-asym", "Q4_1", 32, plain(**four, symmetric=False)),
        partial(make, "ct-4-channel", "Q4_0", 33, plain(num_bits=4, type="int", strategy="channel", symmetric=True)),
        partial(make, "ct-4-channel-asym", "Q4_1", 34, plain(num_bits=4, type="int", strategy="channel", symmetric=False)),
        partial(make, "ct-8-group", "Q8_0", 35, plain(num_bits=8, type="int", strategy="group", group_size=32, symmetric=True)),
        partial(make, "ct-4-gptq", "Q4_0", 36, static, calibrate=True),
        partial(make, "ct-w8a8", "Q8_0", 37, named("W8A8")),
        partial(make, "ct-fp8-channel", "F16", 38, named("FP8_DYNAMIC")),
        partial(make, "ct-fp8-tensor", "F16", 39, plain(num_bits=8, type="float", strategy="tensor", symmetric=True)),
        partial(make, "ct-fp8-block", "F16", 40, named("FP8_BLOCK")),
        partial(make, "ct-naive-asym", "F16", 41, plain(num_bits=8, type="int", strategy="channel", symmetric=False),
             quantization_format="naive-quantized"),
    ]
