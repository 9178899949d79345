"""Random models of some ten thousand weights, and their export in the layout of transformers.js."""
import json
import pathlib
import shutil
import tempfile

import onnx
import torch
import transformers


def coarse(model, spread=1.0):
    """Weights of few digits: they pack well. Wider spread makes a random model surer of what it says."""
    with torch.no_grad():
        for name, weights in model.named_parameters():
            # Marian's places are computed anew by who reads it.
            if "embed_positions" in name:
                continue
            if weights.dim() > 1:
                weights.mul_(spread * 4)
            elif name.endswith("bias"):
                weights.normal_(0, 0.2)
            weights.copy_((weights * 64).round() / 64)
    return model.eval()


def talkative(model, table, spread=3.0):
    """A random model whose table of tokens weighs as much as its layers says its last token again and again."""
    coarse(model, spread)
    with torch.no_grad():
        table.weight.copy_((table.weight / spread * 64).round() / 64)
    return model


WIDTH = 16
ENCODER = dict(hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)


def bert(kind, vocabulary, spread=1.0, **more):
    config = transformers.BertConfig(vocab_size=vocabulary, max_position_embeddings=64, **ENCODER, **more)
    return coarse(getattr(transformers, kind)(config), spread)


def vit(**more):
    config = transformers.ViTConfig(image_size=32, patch_size=8, **ENCODER, **more)
    return coarse(transformers.ViTForImageClassification(config))


def dpt():
    config = transformers.DPTConfig(
        image_size=32, patch_size=16, **{**ENCODER, "num_hidden_layers": 4}, backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8, use_auxiliary_head=False, is_hybrid=False,
        reassemble_factors=[4, 2, 1, 0.5],
    )
    return coarse(transformers.DPTForDepthEstimation(config))


def segformer(**more):
    config = transformers.SegformerConfig(
        num_encoder_blocks=2, depths=[1, 1], sr_ratios=[2, 1], hidden_sizes=[8, 16], patch_sizes=[7, 3], strides=[4, 2],
        num_attention_heads=[1, 2], mlp_ratios=[2, 2], decoder_hidden_size=16, **more,
    )
    return coarse(transformers.SegformerForSemanticSegmentation(config))


def clip(vocabulary, end):
    text = dict(vocab_size=vocabulary, max_position_embeddings=32, eos_token_id=end, bos_token_id=end - 1, pad_token_id=end, **ENCODER)
    vision = dict(image_size=32, patch_size=8, **ENCODER)
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=12)
    return coarse(transformers.CLIPModel(config))


SEQUENCE = dict(
    d_model=WIDTH, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2,
    encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=64, max_length=64,
)


def marian(vocabulary, tokenizer):
    config = transformers.MarianConfig(
        vocab_size=vocabulary, decoder_start_token_id=tokenizer.pad_token_id, pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id, forced_eos_token_id=None, scale_embedding=True, **SEQUENCE,
    )
    model = transformers.MarianMTModel(config)
    return talkative(model, model.model.shared)


def m2m(vocabulary, tokenizer):
    config = transformers.M2M100Config(
        vocab_size=vocabulary, decoder_start_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id, bos_token_id=tokenizer.bos_token_id, **SEQUENCE,
    )
    model = transformers.M2M100ForConditionalGeneration(config)
    return talkative(model, model.model.shared)


def vit_gpt2(vocabulary, tokenizer):
    vision = transformers.ViTConfig(image_size=32, patch_size=8, **ENCODER)
    text = transformers.GPT2Config(
        vocab_size=vocabulary, n_embd=WIDTH, n_layer=2, n_head=2, n_positions=64, n_inner=32, add_cross_attention=True,
        is_decoder=True, bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
    )
    config = transformers.VisionEncoderDecoderConfig.from_encoder_decoder_configs(vision, text)
    config.decoder_start_token_id = tokenizer.bos_token_id
    config.pad_token_id = config.eos_token_id = tokenizer.eos_token_id
    model = transformers.VisionEncoderDecoderModel(config)
    talkative(model, model.decoder.transformer.wte, 8.0)
    for name in ["decoder_start_token_id", "pad_token_id", "eos_token_id"]:
        setattr(model.generation_config, name, getattr(config, name))
    return model


def wav2vec2(kind="Wav2Vec2ForSequenceClassification", **more):
    config = transformers.Wav2Vec2Config(
        conv_dim=[8, 8, 8], conv_kernel=[10, 8, 8], conv_stride=[5, 8, 8], num_feat_extract_layers=3,
        num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2, classifier_proj_size=8, **ENCODER, **more,
    )
    extractor = transformers.Wav2Vec2FeatureExtractor(sampling_rate=16_000, do_normalize=True, return_attention_mask=False)
    return coarse(getattr(transformers, kind)(config)), extractor


def export(model, folder, task):
    """The files of optimum's exporter in the places where transformers.js looks for them."""
    from optimum.exporters.onnx import main_export

    source, made = (pathlib.Path(tempfile.mkdtemp()) for _ in range(2))
    model.save_pretrained(source)
    main_export(str(source), made, task=task, do_validation=False, no_post_process=False, monolith=False, device="cpu")
    (folder / "onnx").mkdir(exist_ok=True)
    merged = (made / "decoder_model_merged.onnx").exists()
    for file in made.glob("*.onnx"):
        if merged and file.stem in ("decoder_model", "decoder_with_past_model"):
            continue
        write(onnx.load(file), folder / "onnx" / file.name)
    for name in ["config.json", "generation_config.json"]:
        if (made / name).exists():
            shutil.copy(made / name, folder / name)
    for path in (source, made):
        shutil.rmtree(path)


def write(model, path):
    """Without what only a reader of the graph wants to know."""
    for node in model.graph.node:
        node.doc_string = ""
    del model.graph.value_info[:]
    model.doc_string = ""
    onnx.save(model, path)


class Vision(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, pixel_values):
        return self.model.get_image_features(pixel_values=pixel_values)


class Text(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        return self.model.get_text_features(input_ids=input_ids, attention_mask=attention_mask)


def trace(module, inputs, path, names, axes):
    """`names`: of inputs and outputs; `axes`: name → dimensions that are free, with their names."""
    ins, outs = names
    torch.onnx.export(
        module.eval(), inputs, str(path), input_names=ins, output_names=outs, dynamic_axes=axes, opset_version=17,
        dynamo=False, do_constant_folding=True,
    )
    write(onnx.load(path), path)


def export_clip_parts(model, folder):
    ids = torch.ones(2, 7, dtype=torch.int64) * 5
    ids[:, -1] = model.config.text_config.eos_token_id
    batch, sequence = {0: "batch_size"}, {0: "batch_size", 1: "sequence_length"}
    trace(
        Text(model), (ids, torch.ones_like(ids)), folder / "onnx/text_model.onnx",
        (["input_ids", "attention_mask"], ["text_embeds"]),
        {"input_ids": sequence, "attention_mask": sequence, "text_embeds": batch},
    )
    trace(
        Vision(model), (torch.zeros(1, 3, 32, 32),), folder / "onnx/vision_model.onnx", (["pixel_values"], ["image_embeds"]),
        {"pixel_values": batch, "image_embeds": batch},
    )
