#!/usr/bin/env python3
"""Writes the tables of lib/io that come from published character data:

  grapheme.inc   grapheme cluster classes (Unicode, through the `regex` package)
  normalize.inc  canonical decompositions, compositions and combining classes (Python's unicodedata)
  entities.inc   named character references of HTML 5, and the all-caps variants that ftfy also reads

usage: make_text_tables.py FOLDER     (lib/io; needs: regex, ftfy)
The files are committed; this is run again only when the data gets a new version.
"""
import html.entities
import sys
import unicodedata

import ftfy.chardata
import regex

out = sys.argv[1]
scalars = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]


def ranges(classes):
    """{code point: class} -> [(first, last, class)] of runs."""
    runs = []
    for c in sorted(classes):
        if runs and runs[-1][1] == c - 1 and runs[-1][2] == classes[c]:
            runs[-1][1] = c
        else:
            runs.append([c, c, classes[c]])
    return runs


def rows(items, width=120):
    lines, line = [], "   "
    for item in items:
        if len(line) + len(item) + 1 > width:
            lines.append(line)
            line = "   "
        line += " " + item
    return "\n".join(lines + [line])


def write(name, head, body):
    with open(f"{out}/{name}", "w") as f:
        f.write(f"/* {head} Written by tools/tables/make_text_tables.py. */\n{body}\n")


# --- grapheme clusters
classes = {}
for name in ["CR", "LF", "Control", "Extend", "ZWJ", "Regional_Indicator", "Prepend", "SpacingMark", "L", "V", "T"]:
    pattern = regex.compile(r"\p{GCB=%s}" % name)
    for c in scalars:
        if pattern.match(chr(c)):
            classes[c] = name
for prop, base in [("Extended_Pictographic", "Pictographic"), ("InCB=Linker", "Linker"), ("InCB=Consonant", "Consonant"),
                   ("InCB=Extend", "InExtend")]:
    pattern = regex.compile(r"\p{%s}" % prop)
    for c in scalars:
        if not pattern.match(chr(c)):
            continue
        old = classes.get(c)
        if base in ("Pictographic", "Consonant"):
            assert old is None, (hex(c), old)
            classes[c] = base
        elif base == "Linker":
            if old == "Extend":  # three that are no extenders came with Unicode 17; older data has them as plain characters
                classes[c] = base
        elif old == "Extend":
            classes[c] = base
        else:
            assert old == "ZWJ", (hex(c), old)
names = {"CR": "CR", "LF": "LF", "Control": "CONTROL", "Extend": "EXTEND", "ZWJ": "ZWJ", "Regional_Indicator": "REGIONAL",
         "Prepend": "PREPEND", "SpacingMark": "SPACING", "L": "HANGUL_L", "V": "HANGUL_V", "T": "HANGUL_T",
         "Pictographic": "PICTOGRAPH", "Linker": "LINKER", "Consonant": "CONSONANT", "InExtend": "IN_EXTEND"}
write("grapheme.inc", "First and last code point and class, ascending; Hangul syllables are computed.",
      rows(f"{{0x{a:X}, 0x{b:X}, {names[k]}}}," for a, b, k in ranges(classes)))

# --- canonical normalisation
ccc = {c: unicodedata.combining(chr(c)) for c in scalars if unicodedata.combining(chr(c))}
pairs = []
for c in scalars:
    d = unicodedata.decomposition(chr(c))
    if d and not d.startswith("<"):
        parts = [int(x, 16) for x in d.split()]
        a, b = parts[0], parts[1] if len(parts) > 1 else 0
        composes = b != 0 and unicodedata.normalize("NFC", chr(a) + chr(b)) == chr(c)
        pairs.append((c, a, b, composes))
order = sorted((i for i, p in enumerate(pairs) if p[3]), key=lambda i: pairs[i][1:3])
write("normalize.inc", f"Unicode {unicodedata.unidata_version}.",
      "/* code point -> its canonical decomposition, one level; the second is 0 when there is only one */\n"
      "static const uint32_t decompositions[][3] = {\n"
      + rows(f"{{0x{c:X}, 0x{a:X}, 0x{b:X}}}," for c, a, b, _ in pairs) + "\n};\n\n"
      "/* rows of the above that also compose, sorted by the two code points */\n"
      "static const uint16_t compositions[] = {\n" + rows(f"{i}," for i in order) + "\n};\n\n"
      "/* first, last, canonical combining class */\n"
      "static const uint32_t combining[][3] = {\n"
      + rows(f"{{0x{a:X}, 0x{b:X}, {k}}}," for a, b, k in ranges(ccc)) + "\n};\n\n"
      "/* U+FF01..U+FFEF: ordinary width; 0 when it is that already */\n"
      "static const uint32_t widths[][2] = {\n"
      + rows("{0x%X, 0x%X}," % tuple((list(map(ord, ftfy.chardata.WIDTH_MAP.get(c, ""))) + [0, 0])[:2])
             for c in range(0xFF01, 0xFFF0)) + "\n};")
assert all(len(v) <= 2 for v in ftfy.chardata.WIDTH_MAP.values())

# --- character references
rows_by_name = {}
for name, text in html.entities.html5.items():
    plain = name.rstrip(";")
    old = rows_by_name.get(plain, [text, 0])
    assert old[0] == text
    rows_by_name[plain] = [text, old[1] | (2 if name.endswith(";") else 1)]
for name, text in ftfy.chardata.HTML_ENTITIES.items():
    plain = name[1:-1]
    old = rows_by_name.get(plain)
    if old is None:
        rows_by_name[plain] = [text, 4]
    else:
        assert old[0] == text and old[1] & 2, (name, old, text)
assert all(len(t.encode()) < 8 and len(n) < 32 for n, (t, _) in rows_by_name.items())


def literal(text):
    return "".join("\\%03o" % b for b in text.encode())


write("entities.inc", "Name, what it stands for, flags: 1 also without a semicolon, 2 with one, 4 all-caps variant.",
      rows(f'{{"{n}", "{literal(t)}", {f}}},' for n, (t, f) in sorted(rows_by_name.items())))
print({k: len(v) for k, v in [("classes", classes), ("pairs", pairs), ("entities", rows_by_name)]})
