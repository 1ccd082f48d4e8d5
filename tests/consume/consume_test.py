"""Host projects that use lamina in each way that it offers. Each must build, and compute the same bits.

usage: consume_test.py find_package | fetch_content | pkg_config | fast_math  --build LAMINA_BUILD --compiler COMPILER

Host programs are built without optimization: that is quick, and shows that no bit depends on the host's flags. The
kernels of lamina's build, which was optimized or not, give the same.
"""

import argparse
import os
import shlex
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

# What programs/fingerprint.hpp computes for write_model's file, on every machine and in every build.
FINGERPRINT = "d2c088153decff55"


def write_model(path):
    """A small Llama model as GGUF v3 (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), weights from an LCG."""
    n_vocab, n_layers, dim, n_heads, n_kv_heads, ffn_dim = 64, 2, 64, 4, 2, 96
    kv_dim = dim // n_heads * n_kv_heads
    shapes = {"token_embd.weight": (dim, n_vocab), "output_norm.weight": (dim,)}
    for i in range(n_layers):
        b = f"blk.{i}."
        shapes |= {b + "attn_norm.weight": (dim,), b + "ffn_norm.weight": (dim,),
                   b + "attn_q.weight": (dim, dim), b + "attn_k.weight": (dim, kv_dim),
                   b + "attn_v.weight": (dim, kv_dim), b + "attn_output.weight": (dim, dim),
                   b + "ffn_gate.weight": (dim, ffn_dim), b + "ffn_up.weight": (dim, ffn_dim),
                   b + "ffn_down.weight": (ffn_dim, dim)}
    metadata = {"general.architecture": "llama", "llama.block_count": n_layers, "llama.embedding_length": dim,
                "llama.feed_forward_length": ffn_dim, "llama.context_length": 128,
                "llama.attention.head_count": n_heads, "llama.attention.head_count_kv": n_kv_heads,
                "llama.attention.layer_norm_rms_epsilon": 1e-5}

    def string(text):
        return struct.pack("<Q", len(text)) + text.encode()

    def value(v):
        if isinstance(v, str):
            return struct.pack("<I", 8) + string(v)
        return struct.pack("<If", 6, v) if isinstance(v, float) else struct.pack("<II", 4, v)

    header = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(metadata))
    header += b"".join(string(key) + value(v) for key, v in metadata.items())
    data, state = b"", 1
    for name, dims in shapes.items():
        header += string(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, 0, len(data))  # type 0: F32
        offset = 1.0 if name.endswith("norm.weight") else 0.0
        numbers = []
        for _ in range(dims[0] * (dims[1] if len(dims) > 1 else 1)):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            numbers.append(offset + ((state >> 40) % 255 - 127) / 512)
        data += struct.pack(f"<{len(numbers)}f", *numbers)  # a multiple of 32 bytes, the alignment
    path.write_bytes(header + b"\0" * (-len(header) % 32) + data)


class Failure(Exception):
    pass


def run(*command, env=None):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False,
                          env={**os.environ, **(env or {})})
    if done.returncode != 0:
        raise Failure(f"failed: {shlex.join(str(part) for part in command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def check_fingerprint(program, work):
    model = work / "model.gguf"
    if not model.exists():
        write_model(model)
    printed = run(program, model).strip()
    print(f"{program.name}: {printed}")
    if printed != FINGERPRINT:
        raise Failure(f"{program.name} computed {printed}, not {FINGERPRINT}")


def install(options, work):
    prefix = work / "prefix"
    run("cmake", "--install", options.build, "--prefix", prefix)
    return prefix


def configure(options, source, build, *more):
    run("cmake", "-S", HERE / source, "-B", build, "-G", "Ninja", f"-DCMAKE_CXX_COMPILER={options.compiler}", *more)


def find_package(options, work):
    configure(options, "find_package", work / "b", f"-DCMAKE_PREFIX_PATH={install(options, work)}")
    programs = ["compiled", "two_units", "two_units_compiled", "foreach_target"]
    run("cmake", "--build", work / "b", "--target", *programs)
    for program in programs:
        check_fingerprint(work / "b" / program, work)


def sources_of_dependencies(work):
    """CMake's options for a machine without the dependencies' packages, where FetchContent has brought their sources:
    folders that lead to the installed headers."""
    folders = [Path("/usr/local/include"), Path("/usr/include"), Path("/usr/include/eigen3")]
    flags = []
    for name, package, headers in [("hwy", "hwy", "hwy"), ("eigen", "Eigen3", "Eigen"), ("xsimd", "xsimd", "xsimd")]:
        source = work / f"{name}-source"
        include = source / "include" if name == "xsimd" else source
        include.mkdir(parents=True)
        found = [folder / headers for folder in folders if (folder / headers).is_dir()]
        if not found:
            raise Failure(f"no {headers}/ in {folders}")
        (include / headers).symlink_to(found[0])
        flags += [f"-DCMAKE_DISABLE_FIND_PACKAGE_{package}=ON", f"-DFETCHCONTENT_SOURCE_DIR_{name.upper()}={source}"]
    return flags


def fetch_content(options, work):
    """lamina by FetchContent, and its dependencies by its own fallback."""
    configure(options, "fetch_content", work / "b", f"-DFETCHCONTENT_SOURCE_DIR_LAMINA={ROOT}",
              "-DFETCHCONTENT_FULLY_DISCONNECTED=ON", "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON",
              *sources_of_dependencies(work))
    commands = (work / "b" / "compile_commands.json").read_text()
    for name in ["hwy-source", "eigen-source", "xsimd-source/include"]:
        if f"-isystem {work / name} " not in commands:
            raise Failure(f"{name} is not where headers are looked for:\n{commands}")
    run("cmake", "--build", work / "b")
    check_fingerprint(work / "b" / "compiled", work)


def pkg_config(options, work):
    found = next(install(options, work).rglob("lamina.pc")).parent
    for name in ["lamina", "lamina-kernels"]:
        flags = run("pkg-config", "--cflags", "--libs", name, env={"PKG_CONFIG_PATH": str(found)}).split()
        run(options.compiler, "-std=c++20", HERE / "programs/program.cpp", *flags, "-o", work / name)
        check_fingerprint(work / name, work)


def fast_math(options, work):
    """A host's -ffast-math does not reach the compiled kernels, and is refused where it would reach them."""
    configure(options, "find_package", work / "b", f"-DCMAKE_PREFIX_PATH={install(options, work)}")
    run("cmake", "--build", work / "b", "--target", "fast_math_compiled")
    check_fingerprint(work / "b" / "fast_math_compiled", work)
    try:
        run("cmake", "--build", work / "b", "--target", "fast_math_header_only")
    except Failure as failure:
        if "#error" in str(failure) and "-ffast-math" in str(failure) and "lamina::kernels" in str(failure):
            print("fast_math_header_only: refused by #error")
            return
        raise
    raise Failure("header-only code compiled with -ffast-math")


def main():
    ways = {way.__name__: way for way in [find_package, fetch_content, pkg_config, fast_math]}
    parser = argparse.ArgumentParser()
    parser.add_argument("way", choices=ways)
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--compiler", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        try:
            ways[options.way](options, Path(work))
        except Failure as failure:
            print(failure)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
