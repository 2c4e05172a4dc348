#!/usr/bin/env python3
"""Writes test/parity/fixtures/tokenizer/clean.json: [[text, cleaned], ...] as the Wan pipeline in diffusers cleans prompts, with
ftfy's repair of mis-decoded text off (this library does not repair that). Needs: ftfy, regex. Seeded.
SCALE=n and OUT=file: more texts elsewhere, for a run by hand."""
import html
import html.entities
import json
import os
import random

import ftfy
import regex

random.seed(7)
scale = int(os.environ.get("SCALE", "1"))
path = os.environ.get("OUT") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures", "tokenizer", "clean.json")
config = ftfy.TextFixerConfig(fix_encoding=False, explain=False)


def clean(text):
    text = ftfy.fix_text(text, config)
    text = html.unescape(html.unescape(text)).strip()
    return regex.sub(r"\s+", " ", text).strip()


names = sorted(html.entities.html5)
words = "a|cat|walks|on|the|beach|&|<b>|</b>|AT&T|R&D|fish&chips|100%|x<y|&amp|&lt|&notit;|&notin;|&ampamp;|&copy|&copyx|&#|&#;|&#x|&#xZ;|&;|& ;|&&|&amp;amp;amp;lt;".split("|")
odd = ["\u2018", "\u2019", "\u201c", "\u201d", "\u02bc", "\u201a", "\u201e", "\ufb01", "\ufb03", "\ufb05", "\u0149", "\u01c4", "\u0132", "ＦＵＬＬ", "ﾊﾞｶ", "ｶﾞ", "￣", "￦", "ﾡ", "\u3000",
       "\r\n", "\r", "\n", "\n\n", "\u2028", "\u2029", "\u0085", "\u0080", "\u0093", "\u0081", "\u009d", "\x1b[31m", "\x1b[1;32;40m", "\x1b[", "\x1b[5", "\x1b]0;x", "\x1b",
       "\x00", "\x07", "\x08", "\x0b", "\x0c", "\x1c", "\x1f", "\x7f", "\u206a", "\ufeff", "\ufff9", "\ufffc", "\ufffd", "\u200b", "\u200d", "\u00a0", "\u2003", "\u1680", "\u180e",
       "e\u0301", "a\u0323\u0302", "a\u0302\u0323", "\u1100\u1161\u11a8", "\uac00\u11a8", "\u212b", "\u2126", "\u0958", "\u0f73", "\u0344", "q\u0307\u0323", "\u1e9b\u0323", "\U0001d15e",
       "\u2adc", "\u0340", "\u0374", "\u037e", "…", "—", "😀", "👩‍👩‍👧", "ß", "日本", "\t", "  ", "   "]


def entity():
    kind = random.random()
    if kind < 0.4:
        name = random.choice(names)
        if random.random() < 0.2:
            name = name.upper()
        return "&" + name
    if kind < 0.6:
        return "&#%d%s" % (random.choice([0, 9, 10, 13, 28, 34, 38, 39, 59, 60, 127, 128, 133, 145, 150, 159, 160, 8217, 0xD800, 0xFDD0, 0xFFFE, 0x1F600, 0x110000, 99999999999,
                                           random.randrange(0x110000)]), random.choice([";", ";", ";", "", "x;", "0;"]))
    if kind < 0.75:
        return "&#%s%X%s" % (random.choice("xX"), random.choice([0x26, 0x3C, 0x80, 0x85, 0x93, 0x2019, 0xFEFF, 0xFFFF, random.randrange(0x110000)]), random.choice([";", ";", "", "g;"]))
    return "&" + "".join(random.choice(["amp;", "amp", "lt;", "gt", "nbsp;", "eacute;", "EACUTE;", "frac12", "Auml", "hellip;", "CounterClockwiseContourIntegral;"]) for _ in range(random.randint(1, 3)))


def make():
    text = ""
    for _ in range(random.randint(1, 9)):
        pick = random.random()
        if pick < 0.3:
            text += random.choice(words)
        elif pick < 0.45:
            text += " " * random.randint(1, 3)
        elif pick < 0.7:
            text += random.choice(odd)
        elif pick < 0.88:
            text += entity()
        else:
            text += chr(random.choice([random.randrange(0x20), random.randrange(0x80, 0x3000), random.randrange(0x3000, 0xD800), random.randrange(0xE000, 0x10000),
                                       random.randrange(0xFF00, 0xFFF0), random.randrange(0x10000, 0x20000), random.randrange(0x300, 0x370)]))
    return text


texts = [""] + words + odd + ["".join(random.choice(odd) for _ in range(5)) for _ in range(100)] + ["&" + n for n in names[:: 1 if scale > 1 else 12]]
while len(texts) < 1500 * scale:
    texts.append(make())
with open(path, "w") as f:
    f.write("[\n" + ",\n".join(json.dumps([t, clean(t)], separators=(",", ":")) for t in texts) + "\n]\n")
print(len(texts))
