"""Holds the layout: which folder may include which, what lies at the top level, and that each header stands alone.

usage: layout_test.py order | top_level
       layout_test.py self_contained COMPILER [FLAG...]
"""

import concurrent.futures
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "include"

COMPILED = ["-DLAMINA_COMPILED_KERNELS"]

# A folder includes itself and those before it. The opt-in folders come last, and lamina.hpp leaves them out.
FOLDERS = ["core", "quant", "kernels", "io", "text", "cache", "model", "sampler", "decode", "eval", "cuda", "mpi"]
OPT_IN = {"cuda", "mpi"}
TOP_LEVEL = {"include", "examples", "tests", "bench", "cmake", "docs", "CMakeLists.txt", "CMakePresets.json",
             "README.md", "LICENSE"}


def headers():
    return sorted(path for path in INCLUDE.rglob("*") if path.is_file())


def check_include(folder, line):
    """What is wrong with an include line of a header in `folder`; the umbrella header's folder is ''."""
    match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
    if not match:
        return None
    bracket, name = match.groups()
    if not name.startswith("lamina/"):
        if bracket == '"' and not name.startswith("hwy/"):
            return f"{name}: lamina's headers are included as \"lamina/...\", others with <>"
        return None
    if bracket == "<":
        return f"{name}: lamina's own headers are included with quotes"
    if not (INCLUDE / name).is_file():
        return f"{name}: no such header"
    parts = name.split("/")
    if len(parts) == 2:
        return None if name == "lamina/lamina.hpp" and folder in OPT_IN else f"{name}: nobody includes all of it"
    if folder == "":
        return f"{name}: opt-in" if parts[1] in OPT_IN else None
    if FOLDERS.index(parts[1]) > FOLDERS.index(folder):
        return f"{name}: {folder}/ may not include {parts[1]}/"
    return None


def order():
    problems = []
    for path in headers():
        relative = path.relative_to(INCLUDE)
        folder = relative.parts[1] if len(relative.parts) > 2 else ""
        if path.suffix != ".hpp" or relative.parts[0] != "lamina" or folder not in ["", *FOLDERS]:
            problems.append(f"{relative}: has no place in the layout")
            continue
        text = path.read_text()
        if not path.name.endswith("-inl.hpp") and "#pragma once" not in text:
            problems.append(f"{relative}: no #pragma once")
        for number, line in enumerate(text.splitlines(), 1):
            problem = check_include(folder, line)
            if problem:
                problems.append(f"{relative}:{number}: {problem}")
    return problems


def top_level():
    listing = subprocess.run(["git", "-C", ROOT, "ls-files"], capture_output=True, text=True, check=False)
    if listing.returncode == 0:
        names = {line.split("/")[0] for line in listing.stdout.splitlines()}
    else:  # an unpacked archive
        names = {name for name in os.listdir(ROOT) if not name.startswith("build")}
    return [f"{name}: not a part of the top level" for name in sorted(names - TOP_LEVEL) if not name.startswith(".")]


def compiled_by_tests():
    """Headers that a test includes before anything else: the build has shown that they stand alone."""
    tests = (ROOT / "tests").glob("*/*_test.cpp")
    first = [re.search(r'#include [<"]([^>"]+)[>"]', path.read_text()) for path in tests]
    return {INCLUDE / match.group(1) for match in first if match and match.group(1).startswith("lamina/")}


def self_contained(compiler, flags):
    def compile_alone(path, mode=COMPILED):
        name = path.relative_to(INCLUDE)
        done = subprocess.run([compiler, "-std=c++20", "-fsyntax-only", f"-I{INCLUDE}", *mode, *flags, "-x", "c++", "-"],
                              input=f'#include "{name}"\n', capture_output=True, text=True, check=False)
        return f"{name}: does not compile alone:\n{done.stderr}" if done.returncode != 0 or done.stderr else None

    alone = [path for path in headers() if not path.name.endswith("-inl.hpp") and path.parent.name not in OPT_IN]
    implementations = [path for path in alone if path.name.endswith("_impl.hpp")]  # header-only, they include each other
    alone = sorted({*alone} - compiled_by_tests())
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = [*pool.map(compile_alone, alone), *pool.map(lambda path: compile_alone(path, []), implementations)]
    return [problem for problem in found if problem]


def main():
    command, *rest = sys.argv[1:]
    if command == "self_contained":
        problems = self_contained(rest[0], [flag for flag in rest[1:] if flag])
    else:
        problems = {"order": order, "top_level": top_level}[command]()
    print("\n".join(problems) or f"{command}: {len(headers())} headers, no problem")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
