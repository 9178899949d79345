"""Trains a small network on pictures of digits and exports it to ONNX, for the tests of quantization.

    python scripts/golden/digits.py

Made with torch 2.15.0, onnx 1.23.2 and scikit-learn 1.9.1. Writes src/compress/onnx/__fixtures__/: digits.onnx, and pictures that it was not trained on for calibration and for the
test, as NumPy writes them. Needs torch, onnx, onnxscript and scikit-learn, which has the pictures (8 x 8, 0 to 16; of
E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, CC BY 4.0).
"""

from pathlib import Path

import numpy
import torch
from sklearn.datasets import load_digits
from torch import nn

torch.set_num_threads(1)
folder = Path(__file__).parents[2] / "src" / "compress" / "onnx" / "__fixtures__"


class Digits(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2))
        self.third = nn.Sequential(nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU())
        self.last = nn.Linear(32, 10)

    def forward(self, pictures):
        hidden = self.second(self.first(pictures / 16))
        hidden = hidden + self.third(hidden)
        return self.last(hidden.mean(dim=(2, 3)))


def train(pictures, labels):
    torch.manual_seed(1)
    model = Digits()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=1e-4)
    for _ in range(12):
        order = torch.randperm(len(pictures))
        for start in range(0, len(order), 64):
            some = order[start : start + 64]
            loss = nn.functional.cross_entropy(model(pictures[some]), labels[some])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model.eval()


def main():
    digits = load_digits()
    order = numpy.random.default_rng(1).permutation(len(digits.images))
    images = digits.images[order].astype(numpy.uint8)[:, None]
    labels = digits.target[order].astype(numpy.uint8)
    pictures = torch.tensor(images, dtype=torch.float32)
    model = train(pictures[:1200], torch.tensor(labels[:1200].astype(numpy.int64)))
    with torch.no_grad():
        right = (model(pictures[1400:]).argmax(1).numpy() == labels[1400:]).mean()
    print(f"{right:.4f} of the pictures of the test are recognised")
    folder.mkdir(exist_ok=True)
    torch.onnx.export(
        model,
        (pictures[:1],),
        str(folder / "digits.onnx"),
        input_names=["pictures"],
        output_names=["scores"],
        dynamic_axes={"pictures": {0: "batch"}, "scores": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )
    numpy.savez_compressed(folder / "calibration.npz", pictures=images[1200:1264])
    numpy.savez_compressed(folder / "test.npz", pictures=images[1400:], labels=labels[1400:])


main()
