"""Instructions of the hot kernels (AVX2), counted by Callgrind, against those on record: a guard against getting slower.

    python3 bench/instructions/compare.py build/bench/instructions            fails where a kernel takes 5 % more
    python3 bench/instructions/compare.py build/bench/instructions --record   writes recorded.tsv

The record is of GCC 12 at -O3. Needs Valgrind, and a CPU with AVX2.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

RECORD = pathlib.Path(__file__).with_name("recorded.tsv")
TOLERANCE = 0.05


def count(program):
    """{kernel: instructions}"""
    names = subprocess.run([program, "--list"], check=True, capture_output=True, text=True).stdout.splitlines()
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out"
        subprocess.run(["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={out}", "--collect-atstart=no",
                        "--toggle-collect=lamina_measured", "--dump-after=lamina_measured", program, "--run"],
                       check=True, stdout=subprocess.DEVNULL)
        # One dump for each call, numbered from 1; what came after the last call is in a file without a number.
        counts = []
        for i in range(1, len(names) + 1):
            text = out.with_name(f"out.{i}").read_text(encoding="utf-8")
            counts.append(int(re.search(r"^(?:summary|totals): (\d+)", text, re.MULTILINE)[1]))
    return dict(zip(names, counts))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()

    counts = count(options.program.resolve())
    if options.record:
        RECORD.write_text("".join(f"{name}\t{n}\n" for name, n in counts.items()), encoding="utf-8")
        return
    recorded = {name: int(n) for name, n in (line.split("\t") for line in RECORD.read_text("utf-8").splitlines())}
    worse = [name for name in counts if counts[name] > (1 + TOLERANCE) * recorded.get(name, 0)]
    for name, n in counts.items():
        change = f"{100 * (n / recorded[name] - 1):+.1f} %" if name in recorded else "not on record"
        print(f"{name:28} {n:10}  {change}{'  SLOWER' if name in worse else ''}")
    gone = sorted(set(recorded) - set(counts))
    if gone:
        print("on record, but not run:", ", ".join(gone))
    if any(counts[name] < (1 - TOLERANCE) * recorded.get(name, 0) for name in counts):
        print("some take 5 % less than on record: record them anew with --record")
    sys.exit(bool(worse or gone))


if __name__ == "__main__":
    main()
