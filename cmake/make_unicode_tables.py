#!/usr/bin/env python3
"""Writes include/lamina/text/unicode_table.hpp: the class of every code point, as ranges.

    python3 cmake/make_unicode_tables.py > include/lamina/text/unicode_table.hpp

The Unicode version is that of the Python that runs it; the file records it.
"""

import unicodedata

# The White_Space property (PropList.txt); str.isspace() also takes U+001C to U+001F, which regular expressions do not.
WHITESPACE = {*range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}
CLASSES = {"L": 1, "M": 2, "N": 3, "P": 4, "S": 5}  # as enum CharClass in unicode.hpp
SPACE_CLASS = 6
PER_LINE = 10


def char_class(code):
    if code in WHITESPACE:
        return SPACE_CLASS
    return CLASSES.get(unicodedata.category(chr(code))[0], 0)


def ranges():
    previous = None
    for code in range(0x110000):
        current = char_class(code)
        if current != previous:
            yield code << 3 | current
        previous = current


def main():
    entries = list(ranges())
    print("// The class of every code point, Unicode %s. Written by cmake/make_unicode_tables.py; do not edit." % unicodedata.unidata_version)
    print("#pragma once\n")
    print("#include <cstdint>\n")
    print("namespace lamina::inline v0_1::detail {\n")
    print("/// Where a range of one class starts: first code point << 3 | class. Ordered; a range ends where the next starts.")
    print("// clang-format off")
    print("inline constexpr std::uint32_t kCharRanges[%d] = {" % len(entries))
    for i in range(0, len(entries), PER_LINE):
        print("    " + " ".join("0x%06x," % e for e in entries[i : i + PER_LINE]))
    print("};")
    print("// clang-format on\n")
    print("}  // namespace lamina::inline v0_1::detail")


main()
