"""Tiny language models as ONNX in the layout of transformers.js, those that see pictures among them.

Used by onnx_tasks.py. The answers beside them are those of transformers' own `generate`, greedy.
"""
import json

import numpy as np
import torch
import transformers
from PIL import Image

import onnx_tiny as tiny
import onnx_tokenizers as tokenizers

WIDTH, LAYERS, HEADS, KV_HEADS = 32, 2, 4, 2
TEXT = dict(
    hidden_size=WIDTH, intermediate_size=48, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
    num_key_value_heads=KV_HEADS, max_position_embeddings=512, attn_implementation="eager",
)
CACHE = [f"{index}.{part}" for index in range(LAYERS) for part in ("key", "value")]
CONTROL = ["<|im_start|>", "<end_of_utterance>", "<image>", "<fake_token_around_image>", "<global-img>"]
CONTROL += [f"<row_{row}_col_{column}>" for row in (1, 2) for column in (1, 2)]
GRID_CONTROL = ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}: "
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}"
    "<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)


class Decoder(torch.nn.Module):
    """A language model whose cache is inputs and outputs."""

    def __init__(self, body, head, embedded):
        super().__init__()
        self.body, self.head, self.name = body, head, "inputs_embeds" if embedded else "input_ids"

    def forward(self, first, attention_mask, position_ids, *past):
        cache = transformers.DynamicCache()
        for layer in range(LAYERS):
            cache.update(past[2 * layer], past[2 * layer + 1], layer)
        count, total = first.shape[1], attention_mask.shape[1]
        places = torch.arange(total)
        hidden = places[None, :] > places[total - count :, None]
        mask = torch.where(hidden, torch.finfo(torch.float32).min, 0.0)[None, None]
        found = self.body(
            **{self.name: first}, attention_mask=mask, position_ids=position_ids, past_key_values=cache, use_cache=True
        )
        kept = [tensor for layer in cache.layers for tensor in (layer.keys, layer.values)]
        return (self.head(found.last_hidden_state), *kept)


def export_decoder(body, head, path, embedded, directions=1):
    count, before = 3, 2
    first = torch.randn(1, count, WIDTH) if embedded else torch.ones(1, count, dtype=torch.int64)
    places = torch.arange(before, before + count)[None]
    places = places[None].expand(3, 1, count).contiguous() if directions == 3 else places
    past = [torch.randn(1, KV_HEADS, before, WIDTH // HEADS) for _ in CACHE]
    name = "inputs_embeds" if embedded else "input_ids"
    ins = [name, "attention_mask", "position_ids", *(f"past_key_values.{one}" for one in CACHE)]
    outs = ["logits", *(f"present.{one}" for one in CACHE)]
    axes = {name: {0: "batch_size", 1: "sequence_length"}, "attention_mask": {0: "batch_size", 1: "total_sequence_length"}}
    axes["position_ids"] = {directions // 2: "batch_size", 1 + directions // 2: "sequence_length"}
    axes["logits"] = {0: "batch_size", 1: "sequence_length"}
    axes |= {f"past_key_values.{one}": {0: "batch_size", 2: "past_sequence_length"} for one in CACHE}
    axes |= {f"present.{one}": {0: "batch_size", 2: "total_sequence_length"} for one in CACHE}
    tiny.trace(Decoder(body, head, embedded), (first, torch.ones(1, before + count, dtype=torch.int64), places, *past), path, (ins, outs), axes)


def export_embeddings(table, path):
    axes = {"input_ids": {0: "batch_size", 1: "sequence_length"}, "inputs_embeds": {0: "batch_size", 1: "sequence_length"}}
    tiny.trace(table, (torch.ones(1, 3, dtype=torch.int64),), path, (["input_ids"], ["inputs_embeds"]), axes)


def save_config(model, folder, **generation):
    (folder / "onnx").mkdir(exist_ok=True)
    config = model.config.to_dict() | {"architectures": [type(model).__name__]}
    (folder / "config.json").write_text(json.dumps(config, default=str))
    (folder / "generation_config.json").write_text(json.dumps({"do_sample": False, **generation}))


def hush(head, tokenizer):
    """Tokens that control are never the best ones: answers do not end early."""
    ids = list(tokenizer.added_tokens_decoder)
    with torch.no_grad():
        head.weight[ids] = 0
        if head.bias is not None:
            head.bias[ids] = 0


def answer(model, ids, count=16, **inputs):
    ids = torch.tensor([ids])
    with torch.no_grad():
        found = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, do_sample=False, **inputs
        )
    return found[0].tolist()[ids.shape[1] :]


def llama(folder):
    tokenizer = tokenizers.byte_level(
        folder, "GPT2Tokenizer", CONTROL[:2], TEMPLATE, special={"eos_token": "<end_of_utterance>"}, model_max_length=512
    )
    config = transformers.LlamaConfig(vocab_size=len(tokenizer) + 3, eos_token_id=tokenizer.eos_token_id, **TEXT)
    model = tiny.coarse(transformers.LlamaForCausalLM(config), 2.0)
    hush(model.lm_head, tokenizer)
    save_config(model, folder, eos_token_id=tokenizer.eos_token_id)
    export_decoder(model.model, model.lm_head, folder / "onnx/model.onnx", embedded=False)
    text = "the cat sleeps on"
    ids = tokenizer(text)["input_ids"]
    return {"text": text, "inputs": ids, "ids": answer(model, ids)}


def shaded(width, height, turn=0):
    y, x = np.mgrid[0:height, 0:width]
    return Image.fromarray(np.stack([x * 255 // width, y * 255 // height, (x * y * 7 + turn) % 256], -1).astype(np.uint8))


def pixels(image):
    return torch.from_numpy(np.asarray(image, dtype=np.float32).transpose(2, 0, 1) / 127.5 - 1)


class SplitVision(torch.nn.Module):
    """Idefics3's encoder of whole parts: none of them is padded here."""

    def __init__(self, model):
        super().__init__()
        self.vision, self.connector = model.model.vision_model, model.model.connector
        embeddings, size = self.vision.embeddings, model.config.vision_config.image_size
        nothing = torch.zeros(1, 3, size, size)
        with torch.no_grad():
            patches = embeddings.patch_embedding(nothing).flatten(2).transpose(1, 2)
            mask = torch.ones(1, size // embeddings.patch_size, size // embeddings.patch_size, dtype=torch.bool)
            # Where its places are rounded to is the model's own affair.
            self.places = embeddings(nothing, mask) - patches

    def forward(self, pixel_values, pixel_attention_mask):
        batch, parts, channels, height, width = pixel_values.shape
        flat = pixel_values.view(batch * parts, channels, height, width)
        flat = flat * pixel_attention_mask.view(batch * parts, 1, height, width).to(flat.dtype)
        patches = self.vision.embeddings.patch_embedding(flat).flatten(2).transpose(1, 2) + self.places
        hidden = self.vision.encoder(inputs_embeds=patches).last_hidden_state
        return self.connector(self.vision.post_layernorm(hidden))


def smolvlm(folder):
    side = 16
    tokenizer = tokenizers.byte_level(
        folder, "GPT2Tokenizer", CONTROL, TEMPLATE, special={"eos_token": "<end_of_utterance>"}, model_max_length=512
    )
    image_id = tokenizer.convert_tokens_to_ids("<image>")
    vision = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=side, patch_size=4)
    config = transformers.Idefics3Config(
        text_config={"model_type": "llama", "vocab_size": len(tokenizer), "pad_token_id": 0, **TEXT}, vision_config=vision,
        image_token_id=image_id, scale_factor=2, pad_token_id=0, tie_word_embeddings=False, attn_implementation="eager",
    )
    config.text_config.eos_token_id = tokenizer.eos_token_id
    model = tiny.coarse(transformers.Idefics3ForConditionalGeneration(config), 2.0)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    hush(model.lm_head, tokenizer)
    save_config(model, folder, eos_token_id=tokenizer.eos_token_id)
    export_decoder(model.model.text_model, model.lm_head, folder / "onnx/decoder_model_merged.onnx", embedded=True)
    export_embeddings(model.get_input_embeddings(), folder / "onnx/embed_tokens.onnx")
    batch = {0: "batch_size", 1: "num_images"}
    tiny.trace(
        SplitVision(model), (torch.randn(1, 3, 3, side, side), torch.ones(1, 3, side, side, dtype=torch.bool)),
        folder / "onnx/vision_encoder.onnx", (["pixel_values", "pixel_attention_mask"], ["image_features"]),
        {"pixel_values": batch, "pixel_attention_mask": batch, "image_features": {0: "num_images"}},
    )
    settings = dict(
        image_processor_type="Idefics3ImageProcessor", processor_class="Idefics3Processor", do_convert_rgb=True,
        do_image_splitting=True, do_normalize=True, do_pad=True, do_rescale=True, do_resize=True, rescale_factor=1 / 255,
        image_mean=[0.5] * 3, image_std=[0.5] * 3, max_image_size={"longest_edge": side}, resample=1,
        size={"longest_edge": 2 * side},
    )
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    (folder / "processor_config.json").write_text(json.dumps({"image_seq_len": 4, "processor_class": "Idefics3Processor"}))
    wide = shaded(2 * side, side)
    other = shaded(2 * side, side, 90)
    wide.save(folder / "picture.png")
    other.save(folder / "other.png")
    rows, fake = "<image>" * 4, "<fake_token_around_image>"
    shown = f"{fake}<row_1_col_1>{rows}{fake}<row_1_col_2>{rows}\n\n{fake}<global-img>{rows}{fake}"
    text = f"<|im_start|>User: {shown}where is the cat<end_of_utterance>\nAssistant:"
    ids = tokenizer(text)["input_ids"]

    def parts(image):
        whole = pixels(image)
        small = torch.nn.functional.interpolate(whole[None], size=(side, side), mode="bilinear", align_corners=False)[0]
        return torch.stack([whole[:, :, :side], whole[:, :, side:], small])[None]

    plain = tokenizer("<|im_start|>User: does the dog sleep<end_of_utterance>\nAssistant:")["input_ids"]
    return {
        "question": "where is the cat", "tokens": len(ids),
        "ids": answer(model, ids, pixel_values=parts(wide)), "other": answer(model, ids, pixel_values=parts(other)),
        "blindQuestion": "does the dog sleep", "blind": answer(model, plain),
    }


class Whole(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, pixel_values):
        found = self.model.get_image_features(
            pixel_values=pixel_values, vision_feature_layer=-2, vision_feature_select_strategy="default"
        )
        return found if isinstance(found, torch.Tensor) else torch.stack(list(found))


def llava(folder):
    side = 32
    tokenizer = tokenizers.byte_level(
        folder, "GPT2Tokenizer", CONTROL[:3], TEMPLATE, special={"eos_token": "<end_of_utterance>"}, model_max_length=512
    )
    image_id = tokenizer.convert_tokens_to_ids("<image>")
    vision = dict(model_type="clip_vision_model", image_size=side, patch_size=8, **tiny.ENCODER)
    config = transformers.LlavaConfig(
        text_config={"model_type": "llama", "vocab_size": len(tokenizer), **TEXT}, vision_config=vision, image_token_index=image_id,
        image_seq_length=16, vision_feature_layer=-2, vision_feature_select_strategy="default", attn_implementation="eager",
    )
    model = tiny.coarse(transformers.LlavaForConditionalGeneration(config), 2.0)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    hush(model.lm_head, tokenizer)
    save_config(model, folder, eos_token_id=tokenizer.eos_token_id)
    export_decoder(model.model.language_model, model.lm_head, folder / "onnx/decoder_model_merged.onnx", embedded=True)
    export_embeddings(model.get_input_embeddings(), folder / "onnx/embed_tokens.onnx")
    tiny.trace(
        Whole(model.model), (torch.randn(1, 3, side, side),), folder / "onnx/vision_encoder.onnx",
        (["pixel_values"], ["image_features"]), {"pixel_values": {0: "batch_size"}, "image_features": {0: "batch_size"}},
    )
    settings = dict(
        image_processor_type="CLIPImageProcessor", processor_class="LlavaProcessor", do_normalize=True, do_rescale=True,
        do_resize=True, do_center_crop=True, rescale_factor=1 / 255, image_mean=[0.5] * 3, image_std=[0.5] * 3,
        size={"shortest_edge": side}, crop_size={"height": side, "width": side}, resample=3,
    )
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    image = shaded(side, side)
    image.save(folder / "picture.png")
    text = f"<|im_start|>User: {'<image>' * 16}what is this<end_of_utterance>\nAssistant:"
    ids = tokenizer(text)["input_ids"]
    return {"question": "what is this", "tokens": len(ids), "ids": answer(model, ids, pixel_values=pixels(image)[None])}


class Grid(torch.nn.Module):
    """Qwen2-VL's encoder of pictures of one size."""

    def __init__(self, vision, grid):
        super().__init__()
        self.vision, self.grid = vision, grid

    def forward(self, pixel_values, grid_thw):
        found = self.vision(pixel_values, grid_thw=self.grid)
        return found + 0 * grid_thw.sum().to(found.dtype)


def qwen2_vl(folder):
    patch, merge, (height, width) = 4, 2, (16, 24)
    tokenizer = tokenizers.byte_level(
        folder, "Qwen2Tokenizer", GRID_CONTROL, TEMPLATE.replace("<image>", "<|vision_start|><|image_pad|><|vision_end|>")
        .replace("<end_of_utterance>", "<|im_end|>"), special={"eos_token": "<|im_end|>"}, model_max_length=512,
    )
    ids_of = {name: tokenizer.convert_tokens_to_ids(name) for name in GRID_CONTROL}
    config = transformers.Qwen2VLConfig(
        text_config={
            "vocab_size": len(tokenizer), "rope_scaling": {"type": "mrope", "mrope_section": [2, 1, 1]},
            "tie_word_embeddings": False, **TEXT,
        },
        vision_config=dict(
            depth=2, embed_dim=16, hidden_size=WIDTH, num_heads=2, mlp_ratio=2, patch_size=patch, spatial_merge_size=merge,
            temporal_patch_size=2,
        ),
        image_token_id=ids_of["<|image_pad|>"], vision_start_token_id=ids_of["<|vision_start|>"],
        vision_end_token_id=ids_of["<|vision_end|>"], video_token_id=ids_of["<|video_pad|>"], attn_implementation="eager",
    )
    model = tiny.coarse(transformers.Qwen2VLForConditionalGeneration(config), 2.0)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    hush(model.lm_head, tokenizer)
    save_config(model, folder, eos_token_id=tokenizer.eos_token_id)
    export_decoder(model.model.language_model, model.lm_head, folder / "onnx/decoder_model_merged.onnx", embedded=True, directions=3)
    export_embeddings(model.get_input_embeddings(), folder / "onnx/embed_tokens.onnx")
    settings = dict(
        image_processor_type="Qwen2VLImageProcessor", processor_class="Qwen2VLProcessor", do_normalize=True, do_rescale=True,
        do_resize=True, rescale_factor=1 / 255, image_mean=[0.5] * 3, image_std=[0.5] * 3, min_pixels=64, max_pixels=4096,
        patch_size=patch, temporal_patch_size=2, merge_size=merge, size={"shortest_edge": 64, "longest_edge": 4096},
    )
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    image = shaded(width, height)
    image.save(folder / "picture.png")
    processor = transformers.Qwen2VLImageProcessor(**{key: value for key, value in settings.items() if key not in ("image_processor_type", "processor_class")})
    found = processor(images=[image], return_tensors="pt")
    grid = found["image_grid_thw"]
    tiny.trace(
        Grid(model.model.visual, grid), (found["pixel_values"], grid), folder / "onnx/vision_encoder.onnx",
        (["pixel_values", "grid_thw"], ["image_features"]), {"grid_thw": {0: "num_images"}},
    )
    rows = (height // patch // merge) * (width // patch // merge)
    text = f"<|im_start|>User: <|vision_start|>{'<|image_pad|>' * rows}<|vision_end|>what is this<|im_end|>\nAssistant:"
    ids = tokenizer(text)["input_ids"]
    return {"question": "what is this", "tokens": len(ids), "ids": answer(model, ids, **found)}


class Patches(torch.nn.Module):
    """The least that an encoder of pictures can be: each patch a row."""

    def __init__(self):
        super().__init__()
        self.project = torch.nn.Conv2d(3, WIDTH, 8, 8)

    def forward(self, pixel_values):
        return torch.tanh(self.project(pixel_values).flatten(2).transpose(1, 2))


def moondream(folder):
    """Moondream's layout: a Phi decoder, and no chat template."""
    side = 32
    tokenizer = tokenizers.byte_level(folder, "CodeGenTokenizer", ["<image>"], model_max_length=512)
    config = transformers.PhiConfig(
        vocab_size=len(tokenizer), partial_rotary_factor=0.5, eos_token_id=tokenizer.eos_token_id,
        **{key: value for key, value in TEXT.items()},
    )
    model = tiny.coarse(transformers.PhiForCausalLM(config), 2.0)
    vision = tiny.coarse(Patches(), 1.0)
    hush(model.lm_head, tokenizer)
    save_config(model, folder, eos_token_id=tokenizer.eos_token_id)
    image_id = tokenizer.convert_tokens_to_ids("<image>")
    whole = {
        "architectures": ["Moondream1ForConditionalGeneration"], "model_type": "moondream1", "image_token_index": image_id,
        "text_config": config.to_dict(),
    }
    (folder / "config.json").write_text(json.dumps(whole, default=str))
    export_decoder(model.model, model.lm_head, folder / "onnx/decoder_model_merged.onnx", embedded=True)
    export_embeddings(model.get_input_embeddings(), folder / "onnx/embed_tokens.onnx")
    tiny.trace(
        vision, (torch.randn(1, 3, side, side),), folder / "onnx/vision_encoder.onnx",
        (["pixel_values"], ["image_features"]), {"pixel_values": {0: "batch_size"}, "image_features": {0: "batch_size"}},
    )
    (folder / "preprocessor_config.json").write_text(json.dumps({
        "image_processor_type": "SiglipImageProcessor", "do_resize": True, "do_rescale": True, "do_normalize": True,
        "rescale_factor": 1 / 255, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "size": {"height": side, "width": side},
        "resample": 3,
    }))
    image = shaded(side, side)
    image.save(folder / "picture.png")
    after = tokenizer("\n\nQuestion: what is this\n\nAnswer:")["input_ids"]
    with torch.no_grad():
        table = model.get_input_embeddings()
        rows = torch.cat([vision(pixels(image)[None]), table(torch.tensor([after]))], dim=1)
        found = model.generate(
            inputs_embeds=rows, attention_mask=torch.ones(rows.shape[:2], dtype=torch.int64), max_new_tokens=16, do_sample=False
        )
    return {"question": "what is this", "tokens": rows.shape[1], "ids": found[0].tolist()}


MAKERS = {"llama": llama, "smolvlm": smolvlm, "llava": llava, "qwen2-vl": qwen2_vl, "moondream": moondream}
