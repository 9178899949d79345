"""Small copies of free photographs that scikit-image ships, for the tests of vision models.

Usage: python scripts/golden/photos.py src/engines/tflite/__fixtures__

Needs scikit-image and pillow. astronaut: NASA, public domain; chelsea, a cat: Stéfan van der Walt, CC0; coffee: Rachel
Michetti, CC0 (see the docstrings of skimage.data).
"""
import pathlib
import sys

from PIL import Image
from skimage import data

SIZES = {"astronaut": 320, "chelsea": 280, "coffee": 280}

for name, size in SIZES.items():
    picture = Image.fromarray(getattr(data, name)())
    picture.thumbnail((size, size), Image.LANCZOS)
    path = pathlib.Path(sys.argv[1]) / f"{name}.jpg"
    picture.save(path, quality=80)
    print(path, picture.size, path.stat().st_size)
