"""Outputs of TensorFlow's own runtime for the models that tests fetch, as one JSON file.

Usage: python scripts/golden/tflite.py FOLDER > src/engines/tflite/__fixtures__/golden.json

FOLDER holds the models by their file names, as `node scripts/golden/tflite-models.ts FOLDER` puts them there. Needs
ai-edge-litert and numpy. Inputs are the same simple numbers that the tests make.
"""
import hashlib
import json
import pathlib
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter

SAMPLES = 48


def pixels(count):
    index = np.arange(count, dtype=np.int64)
    return (index * 37 + (index >> 4) * 11) % 256


def feed(detail):
    shape = detail["shape"]
    values = pixels(int(np.prod(shape))).reshape(shape)
    if detail["dtype"] == np.float32:
        return (values.astype(np.float32) / np.float32(127.5) - np.float32(1)).astype(np.float32)
    return values.astype(detail["dtype"])


def samples(values):
    flat = values.reshape(-1)
    step = max(1, len(flat) // SAMPLES)
    return [float(value) for value in flat[::step][:SAMPLES]]


def run(path):
    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], feed(detail))
    interpreter.invoke()
    outputs = {}
    for detail in interpreter.get_output_details():
        values = interpreter.get_tensor(detail["index"])
        outputs[detail["name"]] = {
            "type": str(values.dtype),
            "shape": list(values.shape),
            "step": max(1, values.size // SAMPLES),
            "values": samples(values),
        }
    return outputs


def main(folder):
    result = {}
    for path in sorted(pathlib.Path(folder).iterdir()):
        if path.suffix not in (".tflite", ".data"):
            continue
        try:
            outputs = run(path)
        except (RuntimeError, ValueError) as error:
            print(f"{path.name}: {error}", file=sys.stderr)
            continue
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        result[path.name] = {"sha256": digest, "outputs": outputs}
    json.dump(result, sys.stdout, indent=1)
    print()


main(sys.argv[1])
