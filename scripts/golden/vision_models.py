"""The tiny models of `vision.py`: what is special about each family."""

import dataclasses
import types
from typing import Any, Callable

import torch
from transformers import (
    CLIPVisionConfig, Gemma3Config, Gemma3TextConfig, Idefics3Config, LlamaConfig, LlavaConfig, Mistral3Config,
    PixtralVisionConfig, Qwen2_5_VLConfig, Qwen2VLConfig, SiglipVisionConfig,
)
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil
from transformers.models.gemma3.modeling_gemma3 import Gemma3Model
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.idefics3.modeling_idefics3 import Idefics3Model
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
from transformers.models.llava.modeling_llava import LlavaModel
from transformers.models.mistral3.modeling_mistral3 import Mistral3Model
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VLModel
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.qwen2_vl.modeling_qwen2_vl import Qwen2VLModel
from transformers.models.pixtral.image_processing_pil_pixtral import PixtralImageProcessorPil

WIDTH = 64


@dataclasses.dataclass
class Projector:
    name: str
    type: str
    build: Callable[[], torch.nn.Module]
    processor: Any
    write_header: Callable[[Any], None]
    # Tensors outside the encoder: names of transformers and of GGUF.
    names: dict[str, str]
    # Rows [tiles][count][WIDTH] of pixels [tiles][3][height][width].
    rows: Callable[[torch.nn.Module, torch.Tensor], torch.Tensor]
    # What stands around the tiles, one more than there are tiles.
    texts: list[str]
    seed: int = 1
    half: bool = True
    leaves_out: Callable[[str], bool] = lambda name: False
    # Where names are not all: pairs of a name of GGUF and a tensor.
    tensors: Callable[[torch.nn.Module], Any] | None = None
    # The configuration of the encoder with the names that most have.
    figures: Callable[[Any], Any] = lambda vision: vision

    def pixels(self, picture) -> torch.Tensor:
        pixels = self.processor(picture, return_tensors="pt")["pixel_values"]
        return pixels.reshape(-1, *pixels.shape[-3:])


def text_config(kind=LlamaConfig, **more):
    return kind(
        vocab_size=32, hidden_size=WIDTH, intermediate_size=32, num_hidden_layers=1, num_attention_heads=4,
        num_key_value_heads=4, **more,
    )


def idefics3(**more) -> Idefics3Model:
    vision = dict(
        hidden_size=48, intermediate_size=80, num_hidden_layers=2, num_attention_heads=4, image_size=32, patch_size=8,
        hidden_act="gelu_pytorch_tanh",
    )
    config = Idefics3Config(vision_config=vision, text_config=text_config().to_dict(), scale_factor=2, image_token_id=5)
    config._attn_implementation = "eager"
    return Idefics3Model(config)


def write_idefics3(writer) -> None:
    writer.add_vision_projector_scale_factor(2)
    writer.add_vision_preproc_image_size(64)
    writer.add_vision_use_gelu(True)


def llava() -> LlavaModel:
    vision = CLIPVisionConfig(
        hidden_size=48, intermediate_size=80, num_hidden_layers=3, num_attention_heads=4, image_size=28, patch_size=7,
    )
    config = LlavaConfig(vision_config=vision, text_config=text_config(), vision_feature_layer=-2)
    config._attn_implementation = "eager"
    return LlavaModel(config)


def pixtral(merge: int | None = None):
    vision = PixtralVisionConfig(
        hidden_size=48, intermediate_size=80, num_hidden_layers=2, num_attention_heads=4, image_size=64, patch_size=8,
        rope_parameters={"rope_theta": 10000.0, "rope_type": "default"}, hidden_act="silu",
    )
    if merge is None:
        config = LlavaConfig(
            vision_config=vision, text_config=text_config(), vision_feature_layer=-1,
            vision_feature_select_strategy="full",
        )
    else:
        text = text_config(rms_norm_eps=1e-5)
        config = Mistral3Config(vision_config=vision, text_config=text, spatial_merge_size=merge, vision_feature_layer=-1)
    config._attn_implementation = "eager"
    return LlavaModel(config) if merge is None else Mistral3Model(config)


def write_pixtral(writer) -> None:
    writer.add_vision_use_silu(True)


def write_mistral3(writer) -> None:
    writer.add_vision_use_silu(True)
    writer.add_vision_spatial_merge_size(2)


def pixtral_rows(model, pixels: torch.Tensor) -> torch.Tensor:
    sizes = torch.tensor([pixels.shape[-2:]])
    return torch.cat(list(model.get_image_features(pixels, image_sizes=sizes).pooler_output))[None]


def pixtral_projector(name: str, merge: int | None, more: dict[str, str], write) -> Projector:
    side = 8 * (merge or 1)
    return Projector(
        name=name,
        type="pixtral",
        build=lambda: pixtral(merge),
        processor=PixtralImageProcessorPil(size={"longest_edge": 64}, patch_size={"height": side, "width": side}),
        write_header=write,
        names={
            f"multi_modal_projector.linear_{part}.{kind}": f"mm.{part}.{kind}"
            for part in (1, 2) for kind in ("weight", "bias")
        } | more,
        rows=pixtral_rows,
        texts=["", "[IMG_END]"],
    )


def gemma3() -> Gemma3Model:
    vision = SiglipVisionConfig(
        hidden_size=48, intermediate_size=80, num_hidden_layers=2, num_attention_heads=4, image_size=32, patch_size=4,
        vision_use_head=False,
    )
    text = text_config(Gemma3TextConfig, head_dim=16)
    config = Gemma3Config(vision_config=vision, text_config=text, mm_tokens_per_image=4)
    config._attn_implementation = "eager"
    return Gemma3Model(config)


def idefics3_projector(name: str, half: bool) -> Projector:
    mark = "<fake_token_around_image>"
    return Projector(
        name=name,
        half=half,
        type="idefics3",
        build=idefics3,
        processor=Idefics3ImageProcessorPil(size={"longest_edge": 64}, max_image_size={"longest_edge": 32}),
        write_header=write_idefics3,
        names={"connector.modality_projection.proj.weight": "mm.model.fc.weight"},
        rows=lambda model, pixels: torch.cat(model.get_image_features(pixels[None]).pooler_output).reshape(
            len(pixels), -1, WIDTH
        ),
        texts=[
            f"{mark}<row_1_col_1>", f"{mark}<row_1_col_2>", f"\n{mark}<row_2_col_1>", f"{mark}<row_2_col_2>",
            f"\n\n{mark}<global-img>", mark,
        ],
    )


class Qwen(Projector):
    """Patches of a picture of any proportions, of two frames that are the same."""

    def pixels(self, picture) -> torch.Tensor:
        made = self.processor(picture, return_tensors="pt")
        _, lines, columns = made["image_grid_thw"][0].tolist()
        size, merge = self.processor.patch_size, self.processor.merge_size
        shape = (lines // merge, columns // merge, merge, merge, 3, 2, size, size)
        patches = made["pixel_values"].reshape(shape)[:, :, :, :, :, 0]
        return patches.permute(4, 0, 2, 5, 1, 3, 6).reshape(1, 3, lines * size, columns * size)

    def encode(self, model: torch.nn.Module, pixels: torch.Tensor) -> torch.Tensor:
        size, merge = self.processor.patch_size, self.processor.merge_size
        patches, lines, columns = self.processor.patchify(pixels[0].numpy(), size, merge, 2)
        grid = torch.tensor([[1, lines, columns]])
        return torch.cat(list(model.get_image_features(torch.tensor(patches), grid).pooler_output))[None]


QWEN = dict(depth=3, num_heads=4, patch_size=8, spatial_merge_size=2)


def qwen2vl() -> Qwen2VLModel:
    vision = dict(QWEN, embed_dim=48, hidden_size=WIDTH, mlp_ratio=2)
    text = text_config().to_dict() | {"rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3]}}
    config = Qwen2VLConfig(vision_config=vision, text_config=text)
    config._attn_implementation = "eager"
    return Qwen2VLModel(config)


def qwen25vl() -> Qwen2_5_VLModel:
    vision = dict(QWEN, hidden_size=48, out_hidden_size=WIDTH, intermediate_size=80, window_size=48,
                  fullatt_block_indexes=[1])
    text = text_config().to_dict() | {"rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3]}}
    config = Qwen2_5_VLConfig(vision_config=vision, text_config=text)
    config._attn_implementation = "eager"
    return Qwen2_5_VLModel(config)


QWEN_PARTS = {
    "norm1": "ln1", "norm2": "ln2", "attn.proj": "attn_out", "mlp.fc1": "ffn_up", "mlp.fc2": "ffn_down",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}


def qwen_tensors(model: torch.nn.Module):
    for name, tensor in model.visual.state_dict().items():
        base, _, kind = name.rpartition(".")
        if base == "patch_embed.proj":
            yield "v.patch_embd.weight", tensor[:, :, 0]
            yield "v.patch_embd.weight.1", tensor[:, :, 1]
        elif base.startswith("merger."):
            yield f"{base.replace('merger.ln_q', 'v.post_ln').replace('merger.mlp', 'mm')}.{kind}", tensor
        elif base.endswith("attn.qkv"):
            layer = base.split(".")[1]
            for part, piece in zip("qkv", tensor.chunk(3)):
                yield f"v.blk.{layer}.attn_{part}.{kind}", piece
        elif base.startswith("blocks."):
            _, layer, part = base.split(".", 2)
            yield f"v.blk.{layer}.{QWEN_PARTS[part]}.{kind}", tensor


def qwen_figures(vision):
    """Llama.cpp's converter takes the width of the language model for that of the feed-forward parts of Qwen2-VL."""
    embedding = getattr(vision, "embed_dim", vision.hidden_size)
    feed_forward = getattr(vision, "intermediate_size", vision.hidden_size)
    return types.SimpleNamespace(
        image_size=560, patch_size=vision.patch_size, hidden_size=embedding, intermediate_size=feed_forward,
        num_hidden_layers=vision.depth, num_attention_heads=vision.num_heads, layer_norm_eps=1e-6,
    )


def write_qwen25vl(writer) -> None:
    writer.add_vision_use_silu(True)
    writer.add_vision_n_wa_pattern(2)
    writer.add_vision_window_size(48)


def qwen_projector(name: str, kind: str, build, write) -> Projector:
    projector = Qwen(
        name=name, type=kind, build=build, write_header=write, names={}, rows=lambda model, pixels: projector.encode(model, pixels),
        processor=Qwen2VLImageProcessorPil(patch_size=8, size={"shortest_edge": 1024, "longest_edge": 96 * 96}),
        texts=["<|vision_start|>", "<|vision_end|>"], tensors=qwen_tensors, figures=qwen_figures,
    )
    return projector


MODELS = [
    idefics3_projector("idefics3", half=True),
    idefics3_projector("idefics3-f32", half=False),
    Projector(
        name="llava",
        type="mlp",
        build=llava,
        processor=LlavaImageProcessorPil(
            do_pad=True, size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28},
        ),
        write_header=lambda writer: None,
        names={
            f"multi_modal_projector.linear_{part}.{kind}": f"mm.{index}.{kind}"
            for part, index in ((1, 0), (2, 2)) for kind in ("weight", "bias")
        },
        rows=lambda model, pixels: torch.stack(list(model.get_image_features(pixels).pooler_output)),
        texts=["", ""],
        leaves_out=lambda name: "post_layernorm" in name or "position_ids" in name,
    ),
    Projector(
        name="gemma3",
        type="gemma3",
        build=gemma3,
        processor=Gemma3ImageProcessorPil(size={"height": 32, "width": 32}),
        write_header=lambda writer: writer.add_vision_use_gelu(True),
        names={
            "multi_modal_projector.mm_input_projection_weight": "mm.input_projection.weight",
            "multi_modal_projector.mm_soft_emb_norm.weight": "mm.soft_emb_norm.weight",
        },
        rows=lambda model, pixels: model.get_image_features(pixels).pooler_output,
        texts=["\n\n<start_of_image>", "<end_of_image>\n\n"],
    ),
    qwen_projector("qwen2vl", "qwen2vl_merger", qwen2vl, lambda writer: writer.add_vision_max_pixels(96 * 96)),
    qwen_projector("qwen2.5vl", "qwen2.5vl_merger", qwen25vl, write_qwen25vl),
    pixtral_projector("pixtral", None, {}, write_pixtral),
    pixtral_projector("mistral3", 2, {
        "multi_modal_projector.norm.weight": "mm.input_norm.weight",
        "multi_modal_projector.patch_merger.merging_layer.weight": "mm.patch_merger.weight",
    }, write_mistral3),
]
