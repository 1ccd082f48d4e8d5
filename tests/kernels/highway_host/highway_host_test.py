"""Hosts that use Highway themselves, after and around lamina in one translation unit, header-only; before it,
tests/consume/ does.

usage: highway_host_test.py COMPILER [FLAG...]

Each host must build, get its own kernel from Highway's dispatch and right products from lamina; and what lamina adds
must need no symbol of Highway's library. Built without optimization, which is quickest.
"""

import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
INCLUDE = HERE.parents[2] / "include"


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def check(source, compiler, flags, work):
    """Nothing, or what went wrong."""
    program = work / source.stem
    code, output = run(compiler, "-std=c++20", f"-I{HERE}", f"-I{INCLUDE}", *flags, source, "-o", program, "-lhwy")
    if code != 0:
        return f"{source.name}: does not build\n{output}"
    code, _ = run(program)
    return None if code == 0 else f"{source.name}: {'wrong sum of the host' if code == 1 else 'wrong products'} ({code})"


def check_symbols(compiler, flags, work):
    unit = work / "lamina_alone.cpp"
    unit.write_text('#include "check.hpp"\nbool f() { return lamina_works(); }\n')
    code, output = run(compiler, "-std=c++20", f"-I{HERE}", f"-I{INCLUDE}", *flags, "-c", unit, "-o", work / "alone.o")
    if code != 0:
        return f"lamina alone: does not build\n{output}"
    _, symbols = run("nm", "-C", "--undefined-only", work / "alone.o")
    wanted = [line.strip() for line in symbols.splitlines() if "hwy" in line]
    return f"lamina needs symbols of libhwy: {wanted}" if wanted else None


def main():
    compiler, *flags = sys.argv[1:]
    sources = sorted(HERE.glob("*.cpp"))
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        work = Path(folder)
        failures = list(pool.map(lambda source: check(source, compiler, flags, work), sources))
        failures.append(check_symbols(compiler, flags, work))
    failures = [failure for failure in failures if failure]
    print("\n".join(failures) or f"{len(sources)} hosts, all right")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
