"""Tiny random models of the usual architectures as ONNX, with what torch makes of the same inputs.

Usage: python scripts/golden/onnx_tasks.py [NAME ...]

Writes src/engines/onnx/__fixtures__/tasks/NAME.zip: the folder of a model in the layout that transformers.js reads, with
`golden.json` beside it. Needs torch 2.15, transformers 4.57, optimum-onnx 0.1, onnx, onnxruntime, pillow,
sentencepiece and soundfile.
"""
import io
import json
import pathlib
import shutil
import sys
import tempfile
import zipfile

import numpy as np
import soundfile
import torch
from PIL import Image

import onnx_chat
import onnx_tiny as tiny
import onnx_tokenizers as tokenizers

TARGET = pathlib.Path(__file__).resolve().parents[2] / "src/engines/onnx/__fixtures__/tasks"
LABELS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


def numbers(values):
    return [round(float(value), 7) for value in np.asarray(values).reshape(-1)]


def softmax(logits):
    return torch.softmax(logits, dim=-1)


def picture(width=48, height=36):
    """A ball on a ground whose colour changes from left to right."""
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([x * 255 // width, y * 255 // height, np.full_like(x, 90)], axis=-1).astype(np.uint8)
    pixels[(x - width / 2) ** 2 + (y - height / 2) ** 2 < (height / 4) ** 2] = [200, 30, 40]
    return Image.fromarray(pixels)


def square(side):
    return picture(side, side)


def save_picture(folder, image):
    image.save(folder / "picture.png")


def sound(seconds=1.0, rate=16_000):
    time = np.arange(int(seconds * rate)) / rate
    return (0.4 * np.sin(2 * np.pi * 440 * time) + 0.2 * np.sin(2 * np.pi * 1320 * time * time)).astype(np.float32)


def normalized(image, mean=0.5, std=0.5):
    pixels = np.asarray(image.convert("RGB"), dtype=np.float32) / 255
    return torch.from_numpy(((pixels - mean) / std).transpose(2, 0, 1)[None])


def image_config(side, kind="ViTImageProcessor", **more):
    """Pictures of the tests have the size of the model, so that no two ways to resize are compared."""
    return {
        "image_processor_type": kind, "do_resize": True, "do_rescale": True, "rescale_factor": 1 / 255,
        "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 2,
        "size": {"height": side, "width": side}, **more,
    }


def rerank(folder):
    tokenizer = tokenizers.wordpiece(folder)
    model = tiny.bert("BertForSequenceClassification", len(tokenizer), num_labels=1)
    tiny.export(model, folder, "text-classification")
    query = "where does the cat sleep"
    documents = ["the cat sleeps on the warm stone", "a train leaves at nine", "dogs"]
    with torch.no_grad():
        logits = [model(**tokenizer(query, text, return_tensors="pt")).logits[0, 0] for text in documents]
    return {"query": query, "documents": documents, "scores": numbers(torch.sigmoid(torch.stack(logits)))}


def tokens(folder):
    tokenizer = tokenizers.wordpiece(folder)
    labels = {"id2label": dict(enumerate(LABELS)), "label2id": {label: id for id, label in enumerate(LABELS)}}
    model = tiny.bert("BertForTokenClassification", len(tokenizer), spread=3.0, **labels)
    tiny.export(model, folder, "token-classification")
    texts = ["anna sleeps in the warm town of rome", "the train to paris leaves anna at nine"]
    from transformers import pipeline
    run = pipeline("token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="simple", device="cpu")
    found = [
        [{"label": one["entity_group"], "score": float(one["score"]), "start": one["start"], "end": one["end"]} for one in run(text)]
        for text in texts
    ]
    return {"texts": texts, "entities": found}


def zero_shot_text(folder):
    tokenizer = tokenizers.wordpiece(folder)
    names = ["contradiction", "neutral", "entailment"]
    model = tiny.bert(
        "BertForSequenceClassification", len(tokenizer), num_labels=3, spread=2.0,
        id2label=dict(enumerate(names)), label2id={name: id for id, name in enumerate(names)},
    )
    tiny.export(model, folder, "text-classification")
    from transformers import pipeline
    run = pipeline("zero-shot-classification", model=model, tokenizer=tokenizer, device="cpu")
    text, labels = "the train leaves at nine", ["train", "cat", "stone"]
    found = run(text, labels)
    several = run(text, labels, hypothesis_template="the text is of {}")
    return {
        "text": text, "labels": labels,
        "plain": dict(zip(found["labels"], numbers(found["scores"]))),
        "hypothesis": dict(zip(several["labels"], numbers(several["scores"]))),
    }


def depth(folder):
    model = tiny.dpt()
    tiny.export(model, folder, "depth-estimation")
    config = image_config(32, "DPTImageProcessor", keep_aspect_ratio=False, ensure_multiple_of=1)
    (folder / "preprocessor_config.json").write_text(json.dumps(config))
    image = square(32)
    save_picture(folder, image)
    with torch.no_grad():
        found = model(normalized(image)).predicted_depth[0]
    return {"shape": list(found.shape), "depth": numbers(found)}


def classify_image(folder):
    names = ["cat", "dog", "stone", "train"]
    model = tiny.vit(id2label=dict(enumerate(names)), label2id={name: id for id, name in enumerate(names)})
    tiny.export(model, folder, "image-classification")
    (folder / "preprocessor_config.json").write_text(json.dumps(image_config(32)))
    image = square(32)
    save_picture(folder, image)
    with torch.no_grad():
        scores = softmax(model(normalized(image)).logits[0])
    return {"scores": dict(zip(names, numbers(scores)))}


def segment(folder):
    names = ["wall", "sky", "tree"]
    model = tiny.segformer(id2label=dict(enumerate(names)), label2id={name: id for id, name in enumerate(names)})
    tiny.export(model, folder, "image-segmentation")
    config = image_config(64, "SegformerImageProcessor", do_reduce_labels=False)
    (folder / "preprocessor_config.json").write_text(json.dumps(config))
    image = square(64)
    save_picture(folder, image)
    with torch.no_grad():
        logits = model(normalized(image)).logits
    large = torch.nn.functional.interpolate(logits, size=(64, 64), mode="bilinear", align_corners=False)
    best = large.argmax(1)[0]
    return {"shares": {name: float((best == id).float().mean()) for id, name in enumerate(names) if (best == id).any()}}


def clip(folder):
    tokenizer = tokenizers.byte_level(folder, "CLIPTokenizer")
    model = tiny.clip(len(tokenizer), tokenizer.eos_token_id)
    tiny.export(model, folder, "zero-shot-image-classification")
    tiny.export_clip_parts(model, folder)
    config = image_config(32, "CLIPImageProcessor", do_center_crop=True, crop_size={"height": 32, "width": 32})
    config["size"] = {"shortest_edge": 32}
    (folder / "preprocessor_config.json").write_text(json.dumps(config))
    image = square(32)
    save_picture(folder, image)
    labels = ["a cat", "the warm stone", "train"]
    pixels = normalized(image)

    def encode(texts):
        return tokenizer(texts, padding=True, return_tensors="pt")

    with torch.no_grad():
        vector = torch.nn.functional.normalize(model.get_image_features(pixel_values=pixels), dim=-1)
        vectors = torch.nn.functional.normalize(model.get_text_features(**encode(labels)), dim=-1)
        inputs = encode([f"This is a photo of {label}" for label in labels])
        scores = softmax(model(**inputs, pixel_values=pixels).logits_per_image[0])
    return {
        "labels": labels, "vector": numbers(vector), "textVectors": [numbers(row) for row in vectors],
        "scores": dict(zip(labels, numbers(scores))),
    }


def greedy(model, tokenizer, **inputs):
    with torch.no_grad():
        ids = model.generate(**inputs, do_sample=False, num_beams=1)[0].tolist()
    return tokenizer.decode(ids, skip_special_tokens=True).strip()


def marian(folder):
    tokenizer = tokenizers.unigram(folder, "MarianTokenizer")
    model = tiny.marian(len(tokenizer), tokenizer)
    tiny.export(model, folder, "text2text-generation-with-past")
    text = "the cat sleeps on the warm stone"
    inputs = tokenizer(text, return_tensors="pt")
    return {"text": text, "found": greedy(model, tokenizer, **inputs)}


def nllb(folder):
    tokenizer = tokenizers.unigram(folder, "NllbTokenizer", languages=["eng_Latn", "deu_Latn", "fra_Latn"])
    model = tiny.m2m(len(tokenizer), tokenizer)
    tiny.export(model, folder, "text2text-generation-with-past")
    text = "the train leaves at nine"
    source = tokenizer.convert_tokens_to_ids("eng_Latn")
    body = tokenizer(text, add_special_tokens=False)["input_ids"]
    ids = torch.tensor([[source, *body, tokenizer.eos_token_id]])
    found = {
        language: greedy(
            model, tokenizer, input_ids=ids, attention_mask=torch.ones_like(ids),
            forced_bos_token_id=tokenizer.convert_tokens_to_ids(language),
        )
        for language in ["deu_Latn", "fra_Latn"]
    }
    return {"text": text, "found": found}


def caption(folder):
    tokenizer = tokenizers.byte_level(folder, "GPT2Tokenizer")
    model = tiny.vit_gpt2(len(tokenizer), tokenizer)
    tiny.export(model, folder, "image-to-text-with-past")
    (folder / "preprocessor_config.json").write_text(json.dumps(image_config(32)))
    image = square(32)
    save_picture(folder, image)
    return {"text": greedy(model, tokenizer, max_new_tokens=12, pixel_values=normalized(image))}


def classify_sound(folder):
    names = ["bell", "rain", "voice"]
    model, extractor = tiny.wav2vec2(id2label=dict(enumerate(names)), label2id={name: id for id, name in enumerate(names)})
    tiny.export(model, folder, "audio-classification")
    extractor.save_pretrained(folder)
    samples = sound(0.5)
    for name, container, subtype in [("flac", "FLAC", "PCM_16"), ("mp3", "MP3", None), ("ogg", "OGG", "VORBIS"), ("opus", "OGG", "OPUS")]:
        soundfile.write(folder / f"sound.{name}", samples, 16_000, format=container, subtype=subtype)
    with torch.no_grad():
        scores = softmax(model(extractor(samples, sampling_rate=16_000, return_tensors="pt").input_values).logits[0])
    return {"scores": dict(zip(names, numbers(scores)))}


def heard(ids, tokenizer):
    """Runs of one token count once, blanks part equal letters, and what controls is no text."""
    words = [tokenizer.convert_ids_to_tokens(id) for at, id in enumerate(ids) if at == 0 or ids[at - 1] != id]
    return "".join(" " if word == "|" else word for word in words if word not in tokenizer.all_special_tokens).strip()


def ctc(folder):
    tokenizer = tokenizers.letters(folder)
    model, extractor = tiny.wav2vec2("Wav2Vec2ForCTC", vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id)
    with torch.no_grad():
        # Some more blanks: two equal letters stand side by side then.
        model.lm_head.bias[tokenizer.pad_token_id] += 0.8
    tiny.export(model, folder, "automatic-speech-recognition")
    extractor.save_pretrained(folder)
    samples = sound(1.0)
    with torch.no_grad():
        logits = model(extractor(samples, sampling_rate=16_000, return_tensors="pt").input_values).logits[0]
    return {"text": heard(logits.argmax(-1).tolist(), tokenizer)}


MAKERS = {
    "rerank": rerank, "tokens": tokens, "zero-shot-text": zero_shot_text, "depth": depth, "classify-image": classify_image,
    "segment": segment, "clip": clip, "marian": marian, "nllb": nllb, "caption": caption,
    "classify-sound": classify_sound, "ctc": ctc, **onnx_chat.MAKERS,
}


def pack(folder, path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file in sorted(folder.rglob("*")):
            if not file.is_file():
                continue
            # Always the same bytes for the same model.
            entry = zipfile.ZipInfo(str(file.relative_to(folder)), (2026, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())


# With others these two say one word for ever, or nothing.
SEEDS = {"marian": 6, "nllb": 9}


def make(name):
    folder = pathlib.Path(tempfile.mkdtemp())
    torch.manual_seed(SEEDS.get(name, 7))
    golden = MAKERS[name](folder)
    (folder / "golden.json").write_text(json.dumps(golden))
    TARGET.mkdir(parents=True, exist_ok=True)
    pack(folder, TARGET / f"{name}.zip")
    shutil.rmtree(folder)
    print(name, (TARGET / f"{name}.zip").stat().st_size)


if __name__ == "__main__":
    for name in sys.argv[1:] or MAKERS:
        make(name)
