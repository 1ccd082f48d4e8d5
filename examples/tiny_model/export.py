"""Writes a checkpoint of train.py as GGUF, matrices in F16 and norms in F32 (github.com/ggml-org/ggml, docs/gguf.md):

    python3 export.py corpus/tiny.pt model/tiny-F16.gguf
"""

import argparse
import json
import pathlib
import struct
import zlib

import numpy
import torch

from network import SHAPES

VERSION, ALIGNMENT = 3, 32
UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
TENSOR_TYPES = {numpy.dtype(numpy.float32): 0, numpy.dtype(numpy.float16): 1}
FILE_TYPE_MOSTLY_F16 = 1


def string(text):
    encoded = text.encode("utf-8")
    return struct.pack("<Q", len(encoded)) + encoded


ENCODERS = {UINT32: lambda v: struct.pack("<I", v), INT32: lambda v: struct.pack("<i", v),
            FLOAT32: lambda v: struct.pack("<f", v), BOOL: lambda v: struct.pack("<?", v), STRING: string}


def key_value(key, kind, value):
    """An array is given as (ARRAY, kind of its elements)."""
    if isinstance(kind, tuple):
        elements = b"".join(map(ENCODERS[kind[1]], value))
        return string(key) + struct.pack("<IIQ", ARRAY, kind[1], len(value)) + elements
    return string(key) + struct.pack("<I", kind) + ENCODERS[kind](value)


def padding(size):
    return bytes(-size % ALIGNMENT)


def write_gguf(path, metadata, tensors):
    """metadata: (key, kind, value); tensors: (name, array)."""
    header = struct.pack("<4sIQQ", b"GGUF", VERSION, len(tensors), len(metadata))
    header += b"".join(key_value(*entry) for entry in metadata)
    offset = 0
    for name, array in tensors:
        header += string(name) + struct.pack("<I", array.ndim) + struct.pack(f"<{array.ndim}Q", *reversed(array.shape))
        header += struct.pack("<IQ", TENSOR_TYPES[array.dtype], offset)
        offset += array.nbytes + len(padding(array.nbytes))
    with path.open("wb") as file:
        file.write(header + padding(len(header)))
        for _, array in tensors:
            file.write(array.tobytes() + padding(array.nbytes))


def metadata_of(name, shape, tokenizer):
    return [
        ("general.architecture", STRING, "llama"),
        ("general.name", STRING, name),
        ("general.license", STRING, "apache-2.0"),
        ("general.file_type", UINT32, FILE_TYPE_MOSTLY_F16),
        ("llama.vocab_size", UINT32, len(tokenizer["tokens"])),
        ("llama.context_length", UINT32, shape.n_ctx),
        ("llama.embedding_length", UINT32, shape.n_embd),
        ("llama.block_count", UINT32, shape.n_layers),
        ("llama.feed_forward_length", UINT32, shape.n_ffn),
        ("llama.attention.head_count", UINT32, shape.n_heads),
        ("llama.attention.head_count_kv", UINT32, shape.n_kv_heads),
        ("llama.attention.layer_norm_rms_epsilon", FLOAT32, shape.norm_eps),
        ("llama.rope.dimension_count", UINT32, shape.head_dim),
        ("llama.rope.freq_base", FLOAT32, shape.rope_base),
        ("tokenizer.ggml.model", STRING, tokenizer["model"]),
        ("tokenizer.ggml.pre", STRING, tokenizer["pre"]),
        ("tokenizer.ggml.tokens", (ARRAY, STRING), tokenizer["tokens"]),
        ("tokenizer.ggml.token_type", (ARRAY, INT32), tokenizer["token_types"]),
        ("tokenizer.ggml.merges", (ARRAY, STRING), tokenizer["merges"]),
        ("tokenizer.ggml.eos_token_id", UINT32, tokenizer["eos_token_id"]),
        ("tokenizer.ggml.padding_token_id", UINT32, tokenizer["padding_token_id"]),
        ("tokenizer.ggml.add_bos_token", BOOL, tokenizer["add_bos_token"]),
        ("tokenizer.chat_template", STRING, tokenizer["chat_template"]),
    ]


def gguf_name(parameter):
    return parameter.replace("blocks.", "blk.")


def tensors_of(parameters):
    return [(gguf_name(name), p.cpu().numpy().astype(numpy.float16 if p.dim() == 2 else numpy.float32))
            for name, p in parameters.items()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("gguf", type=pathlib.Path)
    parser.add_argument("--tokenizer", type=pathlib.Path, default=pathlib.Path("corpus/tokenizer.json"))
    options = parser.parse_args()

    state = torch.load(options.checkpoint, map_location="cpu")
    tokenizer = json.loads(options.tokenizer.read_text(encoding="utf-8"))
    tensors = tensors_of(state["network"])
    assert all(numpy.isfinite(array).all() for _, array in tensors)
    if state["tokenizer"] != zlib.crc32(options.tokenizer.read_bytes()):
        raise SystemExit(f"{options.checkpoint} was trained with another tokenizer than {options.tokenizer}")
    options.gguf.parent.mkdir(parents=True, exist_ok=True)
    write_gguf(options.gguf, metadata_of(f"lamina {state['shape']}", SHAPES[state["shape"]], tokenizer), tensors)
    print(f"{options.gguf}: {sum(a.size for _, a in tensors)} weights, {options.gguf.stat().st_size} bytes")


if __name__ == "__main__":
    main()
