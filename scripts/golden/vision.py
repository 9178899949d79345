"""
Writes the golden projectors of flint: tiny encoders of pictures with seeded weights as GGUF, and the rows that
transformers makes with them of one picture, from its pixels and from what its processor made of them.

    python3 -m venv VENV && VENV/bin/pip install torch transformers gguf pillow
    VENV/bin/python scripts/golden/vision.py [NAME ...]

Made with torch 2.15.0, transformers 5.24.0 (the processors that use Pillow) and gguf 0.19.0, in a few seconds.
"""

import base64
import gzip
import json
import math
import pathlib
import sys
import tempfile
import zlib

import gguf
import numpy as np
import torch
from PIL import Image

sys.dont_write_bytecode = True

from vision_models import MODELS, Projector

FOLDER = pathlib.Path(__file__).parents[2] / "src/engines/flint/vision/__fixtures__"
PARTS = {
    "layer_norm1": "ln1", "layer_norm2": "ln2", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.out_proj": "attn_out", "mlp.fc1": "ffn_up", "mlp.fc2": "ffn_down",
    "attention_norm": "ln1", "ffn_norm": "ln2", "attention.q_proj": "attn_q", "attention.k_proj": "attn_k",
    "attention.v_proj": "attn_v", "attention.o_proj": "attn_out", "feed_forward.gate_proj": "ffn_gate",
    "feed_forward.up_proj": "ffn_up", "feed_forward.down_proj": "ffn_down",
}
NAMES = {
    "embeddings.patch_embedding": "v.patch_embd", "embeddings.position_embedding": "v.position_embd",
    "pre_layrnorm": "v.pre_ln", "post_layernorm": "v.post_ln", "patch_conv": "v.patch_embd", "ln_pre": "v.pre_ln",
}


def photo() -> Image.Image:
    """Areas, edges, fine lines and a little noise; wider than high."""
    height, width = 70, 96
    y, x = np.mgrid[0:height, 0:width] / np.array([height, width]).reshape(2, 1, 1)
    red = 255 * x
    green = 127 + 120 * np.sin(9 * x + 14 * y * y)
    blue = np.where((x - 0.6) ** 2 + (y - 0.4) ** 2 < 0.06, 230, 40)
    blue = np.where((np.arange(width) % 5 == 0) & (y > 0.75), 255, blue)
    noise = np.random.default_rng(7).integers(-9, 10, (height, width, 3))
    return Image.fromarray(np.clip(np.stack([red, green, blue], -1) + noise, 0, 255).astype(np.uint8))


def fill(model: torch.nn.Module, seed: int) -> None:
    """Small integers times a power of two: exact in F16, and they compress well. Each tensor has its own source."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
            parameter.copy_(torch.from_numpy(values(generator, name, tuple(parameter.shape))))


def values(generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    norm = "norm" in name or "ln_q" in name
    if norm and name.endswith("weight"):
        # Gemma's own norm multiplies by 1 + weight.
        return ((0 if "soft_emb" in name else 1) + generator.integers(-6, 7, shape) / 16).astype(np.float32)
    if len(shape) == 1:
        return (generator.integers(-8, 9, shape) / 32).astype(np.float32)
    inputs = shape[0] if "mm_input_projection" in name else math.prod(shape[1:])
    deviation = 0.7 if "position" in name else 1.2 / math.sqrt(inputs)
    scale = 2.0 ** math.floor(math.log2(deviation / 1.6))
    return (np.clip(np.rint(generator.normal(0, deviation / scale, shape)), -12, 12) * scale).astype(np.float32)


def tensor_name(name: str) -> str:
    base, _, kind = name.rpartition(".")
    if ".layers." in name:
        layer, part = name.split(".layers.")[1].split(".", 1)
        return f"v.blk.{layer}.{PARTS[part.rpartition('.')[0]]}.{kind}"
    if name.endswith("class_embedding"):
        return "v.class_embd"
    for part, target in NAMES.items():
        if base.endswith(part):
            return f"{target}.{kind}"
    raise ValueError(f"no GGUF name for {name}")


def tensors(projector: Projector, model: torch.nn.Module):
    if projector.tensors is not None:
        yield from projector.tensors(model)
        return
    for name, tensor in model.state_dict().items():
        if (renamed := projector.names.get(name)) is not None:
            yield renamed, tensor + 1 if "soft_emb" in name else tensor
        elif name.startswith(("vision_model.", "vision_tower.")) and not projector.leaves_out(name):
            rotated = projector.type == "pixtral" and name.endswith(("q_proj.weight", "k_proj.weight"))
            heads = model.config.vision_config.num_attention_heads
            yield tensor_name(name), permuted(tensor, heads) if rotated else tensor


def permuted(tensor: torch.Tensor, heads: int) -> torch.Tensor:
    """Rows of each head from halves to neighbouring pairs, as llama.cpp rotates them."""
    size = tensor.shape[0] // heads
    return tensor.reshape(heads, 2, size // 2, -1).swapaxes(1, 2).reshape(tensor.shape)


def export(projector: Projector, model: torch.nn.Module, path: str) -> None:
    vision = projector.figures(model.config.vision_config)
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_type("mmproj")
    writer.add_clip_has_vision_encoder(True)
    writer.add_clip_projector_type(projector.type)
    writer.add_vision_projection_dim(model.config.text_config.hidden_size)
    writer.add_vision_image_size(vision.image_size)
    writer.add_vision_patch_size(vision.patch_size)
    writer.add_vision_embedding_length(vision.hidden_size)
    writer.add_vision_feed_forward_length(vision.intermediate_size)
    writer.add_vision_block_count(vision.num_hidden_layers)
    writer.add_vision_head_count(vision.num_attention_heads)
    writer.add_vision_attention_layernorm_eps(getattr(vision, "layer_norm_eps", 1e-5))
    writer.add_vision_image_mean(list(projector.processor.image_mean))
    writer.add_vision_image_std(list(projector.processor.image_std))
    projector.write_header(writer)
    for name, tensor in tensors(projector, model):
        array = np.ascontiguousarray(tensor.detach().numpy().astype(np.float32))
        half = array.ndim > 1 and projector.half and "position" not in name
        writer.add_tensor(name, array.astype(np.float16) if half else array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def encode(array: np.ndarray, kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(array, dtype=kind).tobytes()).decode()


def write(projector: Projector, picture: Image.Image) -> dict:
    torch.manual_seed(0)
    model = projector.build().eval().float()
    fill(model, projector.seed)
    with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
        export(projector, model, file.name)
        content = pathlib.Path(file.name).read_bytes()
    packed = gzip.compress(content, 9, mtime=0)
    (FOLDER / f"{projector.name}.gguf.gz").write_bytes(packed)
    pixels = projector.pixels(picture)
    with torch.no_grad():
        rows = projector.rows(model, pixels).numpy()
    mean, std = (np.array(each).reshape(1, 3, 1, 1) for each in (projector.processor.image_mean, projector.processor.image_std))
    levels = np.rint((pixels.numpy() * std + mean) * 255).transpose(0, 2, 3, 1)
    tiles, count, width = rows.shape
    print(f"{projector.name}: {len(content)} bytes, packed {len(packed)}, {tiles} tiles of {count} rows, deviation {rows.std():.2f}")
    return {
        "name": projector.name, "type": projector.type, "file": f"{projector.name}.gguf.gz", "width": width,
        "count": count, "texts": projector.texts,
        "tiles": [{"width": tile.shape[1], "height": tile.shape[0], "data": encode(tile, "u1")} for tile in levels],
        "rows": [encode(tile, "<f4") for tile in rows],
    }


def main(names: list[str]) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    picture = photo()
    picture.save(FOLDER / "photo.png", optimize=True)
    index = FOLDER / "index.json"
    known = json.loads(index.read_text())["projectors"] if index.exists() else []
    entries = {entry["name"]: entry for entry in known}
    for projector in MODELS:
        if not names or projector.name in names:
            entries[projector.name] = write(projector, picture)
    ordered = [json.dumps(entries[one.name]) for one in MODELS if one.name in entries]
    pixels = {"width": picture.width, "height": picture.height, "data": encode(np.asarray(picture), "u1")}
    index.write_text(f'{{"picture": {json.dumps(pixels)},\n"projectors": [\n' + ",\n".join(ordered) + "\n]}\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1:])
