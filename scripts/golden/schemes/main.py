"""
Writes the fixtures of the quantization schemes: tiny checkpoints made by the public tools, and what these tools read from them.

    python3 -m venv VENV && VENV/bin/pip install torch transformers datasets gptqmodel llmcompressor bitsandbytes
    VENV/bin/pip download --no-deps --no-binary=:all: autoawq    (unpack it: AWQ_SOURCE)
    VENV/bin/pip install --no-deps --target OLD compressed-tensors==0.9.4
    VENV/bin/python scripts/golden/schemes/main.py [--awq AWQ_SOURCE] [gptq] [awq] [compressed] [bitsandbytes] [float8]
    PYTHONPATH=OLD VENV/bin/python scripts/golden/schemes/main.py ordered

Without names all but the last are written, on the CPU. Made with torch 2.15.0 and transformers 5.24.0; each fixture names its tool.
"""

import argparse
import pathlib
import sys

sys.dont_write_bytecode = True

import torch

import base


def main() -> None:
    kinds = ["gptq", "awq", "compressed", "bitsandbytes", "float8"]
    parser = argparse.ArgumentParser()
    parser.add_argument("--awq", type=pathlib.Path)
    parser.add_argument("kinds", nargs="*", default=kinds)
    options = parser.parse_args()
    for kind in options.kinds:
        match kind:
            case "gptq":
                import gptq
                fixtures = gptq.all_fixtures()
            case "awq":
                import awq
                fixtures = awq.all_fixtures(options.awq)
            case "compressed":
                import compressed
                fixtures = compressed.all_fixtures()
            case "ordered":
                import ordered
                fixtures = ordered.all_fixtures()
            case "bitsandbytes":
                import bits_and_bytes
                fixtures = bits_and_bytes.all_fixtures()
            case "float8":
                import float8
                fixtures = float8.all_fixtures()
            case _:
                raise SystemExit(f"{kind}: choose from {', '.join(kinds)}")
        for make in fixtures:
            base.write_index(make())


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
