"""Wrong uses must fail to compile, with one readable error; the right use beside each must compile.

usage: compile_fail_test.py COMPILER [FLAG...]

Each .cpp here is compiled twice: as it is, and with BAD defined. Its first line says what the error must match.
"""

import concurrent.futures
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
MAX_ERRORS = 2  # GCC adds "template argument 1 is invalid"


def compile_file(command, path, *more):
    done = subprocess.run([*command, *more, path], capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stderr


def check(command, path):
    expected = re.match(r"// fails with: (.*)", path.read_text()).group(1)
    good, output = compile_file(command, path)
    if not good:
        return f"{path.name}: the right use does not compile:\n{output}"
    good, output = compile_file(command, path, "-DBAD")
    if good:
        return f"{path.name}: the wrong use compiles"
    if not re.search(expected, output, re.DOTALL):
        return f"{path.name}: no '{expected}' in:\n{output}"
    errors = len(re.findall(r"\berror:", output))
    if errors > MAX_ERRORS:
        return f"{path.name}: {errors} errors where one should do:\n{output}"
    return None


def main():
    compiler, *flags = sys.argv[1:]
    include = HERE.parents[1] / "include"
    command = [compiler, "-std=c++20", "-fsyntax-only", f"-I{include}", *(flag for flag in flags if flag)]
    files = sorted(HERE.glob("*.cpp"))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        problems = [problem for problem in pool.map(lambda path: check(command, path), files) if problem]
    print("\n".join(problems) or f"{len(files)} wrong uses fail as they should")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
