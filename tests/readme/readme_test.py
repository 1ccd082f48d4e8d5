"""Compiles the programs that README.md and docs/ show: each ```cpp block with a main. Those without arguments run.

usage: readme_test.py KERNELS_LIBRARY COMPILER [FLAG...]
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def programs():
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text = page.read_text()
        for match in re.finditer(r"^```cpp\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            if "int main(" in match.group(1):
                line = text.count("\n", 0, match.start()) + 2
                yield f"{page.relative_to(ROOT)}:{line}", match.group(1)


def main():
    library, compiler, *flags = sys.argv[1:]
    found = list(programs())
    failed = not found
    with tempfile.TemporaryDirectory() as work:
        binary = Path(work) / "program"
        for place, source in found:
            command = [compiler, "-std=c++20", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'include'}",
                       "-DLAMINA_COMPILED_KERNELS", *(flag for flag in flags if flag), "-x", "c++", "-", "-x", "none",
                       library, "-pthread", "-o", binary]
            built = subprocess.run(command, input=source, capture_output=True, text=True, check=False)
            status = "compiles" if built.returncode == 0 else f"does not compile:\n{built.stderr}"
            good = built.returncode == 0
            if good and "argv" not in source:
                code = subprocess.run([binary], check=False).returncode
                good = code == 0
                status += f", exits with {code}"
            print(f"{place}: {status}")
            failed |= not good
    if not found:
        print("no programs found")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
