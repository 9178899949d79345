"""Golden data for src/engines/flint/weights: what ggml itself makes of blocks of every type.

    python3 scripts/golden/codecs.py LIBRARY_FOLDER            writes codecs/__fixtures__/blocks.json
    python3 scripts/golden/codecs.py LIBRARY_FOLDER --grids    prints the bitmaps of codecs/grids.ts

LIBRARY_FOLDER holds libggml-base.so, for example node_modules/@node-llama-cpp/linux-x64/bins/linux-x64.
Only the Python standard library is used; the random numbers have a fixed seed, so a second run writes the same file.
Floats come back bit for bit. A digest is the SHA-256 of all decoded weights as little-endian f32.
"""

import base64
import ctypes
import hashlib
import json
import math
import pathlib
import random
import struct
import sys

FIXTURES = pathlib.Path(__file__).parents[2] / "src/engines/flint/weights/codecs/__fixtures__"

# name: id, weights of a block, bytes of a block, offsets of f16 fields (their top exponent bit is cleared: |d| < 2)
TYPES = {
    "Q4_0": (2, 32, 18, [0]),
    "Q4_1": (3, 32, 20, [0, 2]),
    "Q5_0": (6, 32, 22, [0]),
    "Q5_1": (7, 32, 24, [0, 2]),
    "Q8_0": (8, 32, 34, [0]),
    "Q2_K": (10, 256, 84, [80, 82]),
    "Q3_K": (11, 256, 110, [108]),
    "Q4_K": (12, 256, 144, [0, 2]),
    "Q5_K": (13, 256, 176, [0, 2]),
    "Q6_K": (14, 256, 210, [208]),
    "IQ2_XXS": (16, 256, 66, [0]),
    "IQ2_XS": (17, 256, 74, [0]),
    "IQ3_XXS": (18, 256, 98, [0]),
    "IQ1_S": (19, 256, 50, [0]),
    "IQ4_NL": (20, 32, 18, [0]),
    "IQ3_S": (21, 256, 110, [0]),
    "IQ2_S": (22, 256, 82, [0]),
    "IQ4_XS": (23, 256, 136, [0]),
    "IQ1_M": (29, 256, 56, [54]),  # the top four bits of the last word of scales are those of the f16
    "TQ1_0": (34, 256, 54, [52]),
    "TQ2_0": (35, 256, 66, [64]),
    "MXFP4": (39, 32, 17, []),
    "NVFP4": (40, 64, 36, []),
    "Q1_0": (41, 128, 18, [0]),
    "Q2_0": (42, 64, 18, [0]),
}
ROWS, ROW = 4, 512  # the weights that are quantized
ONE = struct.pack("<H", 0x3C00)


def open_library(folder):
    library = ctypes.CDLL(str(pathlib.Path(folder).resolve() / "libggml-base.so"))
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    library.ggml_quantize_chunk.argtypes = [
        ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p,
    ]  # fmt: skip
    return library


def dequantize(library, name, source):
    _, size, width, _ = TYPES[name]
    prefix, _, suffix = name.partition("_")
    function = getattr(library, f"dequantize_row_{prefix.lower()}" + (f"_{suffix if suffix == 'K' else suffix.lower()}" if suffix else ""))
    weights = len(source) // width * size
    out = (ctypes.c_float * weights)()
    # ggml reads words of a block in place, so the copy must be aligned as malloc aligns.
    block = ctypes.create_string_buffer(source, len(source))
    function(ctypes.byref(block), out, ctypes.c_int64(weights))
    return bytes(out)


def quantize(library, name, weights, importance):
    type_id, size, width, _ = TYPES[name]
    values = (ctypes.c_float * len(weights))(*weights)
    matrix = (ctypes.c_float * len(importance))(*importance) if importance else None
    out = ctypes.create_string_buffer(len(weights) // size * width)
    library.ggml_quantize_chunk(type_id, values, out, 0, ROWS, ROW, matrix)
    return out.raw


def random_blocks(generator, name, count):
    _, _, width, halves = TYPES[name]
    blocks = bytearray()
    for _ in range(count):
        block = bytearray(generator.randbytes(width))
        for at in halves:
            block[at + 1] &= 0xBF
        blocks += block
    return bytes(blocks)


def grid_blocks(name):
    """Blocks that use every entry of the type's grid in order, with no sign set, the smallest scale and d = 1."""
    words = lambda indices: struct.pack(f"<{len(indices)}H", *indices)
    low = lambda indices: bytes(index & 255 for index in indices)

    def high(indices, count, width):
        """The bits above 8 of `count` indices per output byte or word, `width` bits apart."""
        return [sum((indices[at + i] >> 8) << (width * i) for i in range(count)) for at in range(0, len(indices), count)]

    def block(i):
        if name == "IQ2_XXS":
            return ONE + b"".join(low(i[at : at + 4]) + bytes(4) for at in range(0, 32, 4))
        if name == "IQ2_XS":
            return ONE + words(i) + bytes(8)
        if name == "IQ2_S":
            return ONE + low(i) + bytes(32) + bytes(high(i, 4, 2)) + bytes(8)
        if name == "IQ3_XXS":
            return ONE + low(i) + bytes(32)
        if name == "IQ3_S":
            return ONE + low(i) + bytes(high(i, 8, 1)) + bytes(36)
        return ONE + low(i) + words(high(i, 4, 3))

    entries, step = GRIDS[name][0], GRIDS[name][1]
    return b"".join(block(range(at, at + step)) for at in range(0, entries, step))


# entries, entries of a block, weights of an entry, levels
GRIDS = {
    "IQ2_XXS": (256, 32, 8, 3),
    "IQ2_XS": (512, 32, 8, 3),
    "IQ2_S": (1024, 32, 8, 3),
    "IQ1_S": (2048, 32, 8, 3),
    "IQ3_XXS": (256, 64, 4, 8),
    "IQ3_S": (512, 64, 4, 8),
}


def print_grids(library):
    """A grid is a set of numbers in base `levels` whose digit k is the level of weight k; entry i is the i-th of them."""
    for name, (entries, _, width, levels) in GRIDS.items():
        raw = dequantize(library, name, grid_blocks(name))
        values = struct.unpack(f"<{len(raw) // 4}f", raw)
        ranks = {value: rank for rank, value in enumerate(sorted(set(values)))}
        assert len(ranks) == levels, (name, ranks)
        numbers = [
            sum(ranks[values[entry * width + k]] * levels**k for k in range(width)) for entry in range(entries)
        ]
        assert numbers == sorted(set(numbers)), name
        bitmap = bytearray(math.ceil(levels**width / 8))
        for number in numbers:
            bitmap[number >> 3] |= 1 << (number & 7)
        print(name, sorted(ranks), base64.b64encode(bitmap).decode())


def base64_of(data):
    return base64.b64encode(data).decode()


def f32(values):
    return struct.pack(f"<{len(values)}f", *values)


def rmse(weights, decoded):
    values = struct.unpack(f"<{len(weights)}f", decoded)
    return math.sqrt(sum((a - b) ** 2 for a, b in zip(weights, values)) / len(weights))


def write_fixture(library):
    generator = random.Random(20)
    # Weights as models have them: normal, each row with its own deviation, a few outliers.
    weights = [
        generator.gauss(0, 0.02 * (row + 1)) * (8 if generator.random() < 0.005 else 1)
        for row in range(ROWS)
        for _ in range(ROW)
    ]
    weights = struct.unpack(f"<{len(weights)}f", f32(weights))
    importance = [generator.uniform(0.1, 2) for _ in range(ROW)]
    types = {}
    for name, (_, size, width, _) in TYPES.items():
        quantized = quantize(library, name, weights, importance)
        source = random_blocks(generator, name, 4) + quantized[: 4 * width]
        if name in GRIDS:
            source += grid_blocks(name)
        decoded = dequantize(library, name, source)
        plain = None if name.startswith(("IQ1", "IQ2")) else dequantize(library, name, quantize(library, name, weights, None))
        types[name] = {
            "source": base64_of(source),
            "first": base64_of(decoded[: size * 4]),
            "digest": hashlib.sha256(decoded).hexdigest(),
            **({"rmse": rmse(weights, plain)} if plain else {}),
        }
    FIXTURES.mkdir(exist_ok=True)
    text = json.dumps({"weights": base64_of(f32(weights)), "types": types}, indent=1)
    (FIXTURES / "blocks.json").write_text(text + "\n")


if __name__ == "__main__":
    library = open_library(sys.argv[1])
    if "--grids" in sys.argv:
        print_grids(library)
    else:
        write_fixture(library)
