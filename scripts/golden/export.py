"""Writes a model of Hugging Face transformers as a GGUF of F32 tensors, with the conventions of llama.cpp."""

import gguf
import numpy as np
import torch

from header import write_header
from specs import Spec
from tensors import tensors


def export(spec: Spec, model: torch.nn.Module, path: str) -> None:
    writer = gguf.GGUFWriter(path, spec.architecture)
    write_header(writer, spec)
    write_vocabulary(writer, spec)
    for name, tensor in tensors(spec, model):
        writer.add_tensor(name, np.ascontiguousarray(tensor.detach().numpy().astype(np.float32)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_vocabulary(writer, spec: Spec) -> None:
    vocabulary = spec.vocabulary
    writer.add_tokenizer_model(vocabulary.model)
    writer.add_tokenizer_pre(vocabulary.pre)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.types)
    if vocabulary.scores is not None:
        writer.add_token_scores(vocabulary.scores)
    if vocabulary.merges is not None:
        writer.add_token_merges(vocabulary.merges)
    # The keys of the format: one of them is spelled this way.
    long_names = {"unk": "unknown", "sep": "seperator", "pad": "padding"}
    for kind, token in vocabulary.special.items():
        writer.add_uint32(f"tokenizer.ggml.{long_names.get(kind, kind)}_token_id", token)
    for flag, value in vocabulary.flags.items():
        writer.add_bool(f"tokenizer.ggml.{flag}", value)
    if vocabulary.model == "bert":
        writer.add_token_type_count(2)
