#!/usr/bin/env python3
"""Writes small tokenizers and what other implementations make of many texts: test/parity/fixtures/tokenizer/.

Needs: sentencepiece, tokenizers, transformers. Everything is seeded. The models are trained on sentences put together here.
  nmt.model, nmt.json        like T5: nmt_nfkc character map; white space and word mark
  bytes.model                no normalisation, byte fallback
  umt5.json                  like UMT5: runs of spaces become one, split at the word mark, unknown id 3
  first.json, whole.json     other ways to mark words; tokens that strip, tokens that are normalised; byte fallback
  <name>.cases.json          [[text, ids], ...]
"""
import io
import json
import os
import random

import sentencepiece as spm
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

out = os.environ.get("OUT") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures", "tokenizer")
os.makedirs(out, exist_ok=True)
random.seed(20240217)
scale = int(os.environ.get("SCALE", "1"))  # more texts, for a run by hand

subjects = "an old man|a woman|a boy|a toy robot|a kangaroo|a Shiba Inu|a cat|a young tiger|a monster|a dinosaur|a car|a boat|two fish"
outfits = "purple overalls and cowboy boots|blue jeans and a white t-shirt|a green dress and a sun hat|a beret and black turtleneck"
actions = "strolls to the left|runs|jumps|waves|dances|turns around|eats an apple|paints a picture|passes behind a tree|smiles happily"
places = "in a city street|on the beach|in the jungle|in Antarctica|under water|in space|near a castle|in a snowy village|in Johannesburg"
conditions = "at sunset|at night|during a winter storm|with northern lights|during a colorful festival|in autumn|in the rain"
styles = "claymation|charcoal, black and white|pixel art|a 1920s film|flat colours|in the style of 35mm photography, 4K"
parts = [x.split("|") for x in (subjects, outfits, actions, places, conditions, styles)]
foreign = """Ein alter Mann spaziert über die Straße, während es schneit. Größe, Öl, Äpfel, süß.
Une femme à la plage regarde le coucher du soleil; l'été, ça va très bien, œuvre, garçon.
Старик идёт по улице зимой. Кошка сидит на окне и смотрит на снег. Ёлка.
一个老人在城市的街道上散步。猫坐在窗边。夕阳西下，海滩很美丽。
おじいさんが街を歩いています。猫は窓のそばに座っている。夕日がきれいです。カメラ
노인이 거리를 걷고 있습니다. 고양이가 창가에 앉아 있어요. 해변의 노을.
رجل عجوز يمشي في الشارع. القطة تجلس بجانب النافذة.
एक बूढ़ा आदमी सड़क पर चल रहा है। बिल्ली खिड़की के पास बैठी है।
ชายชราเดินเล่นบนถนน แมวนั่งอยู่ริมหน้าต่าง
Ένας γέρος περπατά στον δρόμο. Η γάτα κάθεται. ΆΈΉ
Một ông già đi dạo trên phố. Con mèo ngồi bên cửa sổ. Đường phố Hà Nội.
זקן הולך ברחוב. החתול יושב ליד החלון.""".split("\n")


def caption():
    s, o, a, p, c, y = (random.choice(x) for x in parts)
    return random.choice([f"{s} wearing {o} {a} {p} {c}, {y}.", f"{s} {a} {p}", f"{y}: {s} {a} {c}", f"{s}, {o}"])


corpus = [caption() for _ in range(4000)] + foreign[:7] * 25
alphabet = sorted(set("".join(foreign)))
specials = ["<pad>", "</s>", "<unk>", "<s>", "<extra_id_0>", "<extra_id_1>", "<0x41>", "<0xE2>", "<mask>", "Hello World"]
odd = ["\u2581", "\u2581\u2581", "  ", "   ", "\t", "\n", "\r\n", "\u00a0", "\u3000", "\u200b", "\u200d", "\u0301", "\u0308\u0323", "e\u0301",
       "\ufb01", "\ufb01\u0301", "\u1e9b\u0323", "\u212b", "\uac00\u11a8", "\u1112\u1161\u11ab", "\u0e33", "\u0e01\u0e33", "ｆｕｌｌ", "ﾊﾝｶｸ", "ﾊﾞ", "½", "①", "㍿", "Ⅷ",
       "…", "“", "”", "’", "–", "—", "\ufeff", "\u00ad", "\u0000", "\u0007", "\u007f", "\u0085", "\ufffd", "\U0001f600", "👩‍👩‍👧‍👦", "🇩🇪🇫🇷", "👍🏽", "❤️",
       "क्षि", "क्‍ष", "\u0300", "a\u0300\u0301\u0302\u0303", "\u1100\u1161\u11a8", "ǆ", "Ǆ", "ß", "ſ", "İ", "ı", "\U00010400", "\U0001d400", "\U0002f800", "\u2028", "\u2029", "~", "～", "ー"]


def texts(count):
    result = ["", " ", "  ", "\u2581", "a", "</s>", " </s> ", "<unk><unk>", "a</s>b", "hello  world", "x" * 300] + odd + specials
    while len(result) < count:
        kind = random.random()
        if kind < 0.25:
            text = caption()
        elif kind < 0.35:
            text = random.choice(foreign)
        else:
            text = ""
            for _ in range(random.randint(1, 8)):
                pick = random.random()
                if pick < 0.25:
                    text += random.choice(caption().split())
                elif pick < 0.4:
                    text += " " * random.randint(1, 3)
                elif pick < 0.6:
                    text += random.choice(odd)
                elif pick < 0.68:
                    text += random.choice(specials)
                elif pick < 0.85:
                    text += "".join(random.choice(alphabet) for _ in range(random.randint(1, 6)))
                else:
                    c = random.choice([random.randrange(0x20, 0x7F), random.randrange(0xA0, 0x3000), random.randrange(0x3000, 0xD7FF),
                                       random.randrange(0xE000, 0x10000), random.randrange(0x10000, 0x1FFFF)])
                    text += chr(c) * random.randint(1, 2)
        result.append(text)
    return result


def cases(name, encode, count):
    rows = [[t, encode(t)] for t in texts(count * scale)]
    with open(os.path.join(out, name + ".cases.json"), "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(r, separators=(",", ":")) for r in rows) + "\n]\n")
    print(name, len(rows), sum(len(r[1]) for r in rows))


def train(name, size, **options):
    memory = io.BytesIO()  # not through files: their names would stand in the model
    spm.SentencePieceTrainer.train(sentence_iterator=iter(corpus), model_writer=memory, vocab_size=size, model_type="unigram",
                                   character_coverage=1.0, num_threads=1, hard_vocab_limit=False, minloglevel=2, **options)
    data = memory.getvalue()
    with open(os.path.join(out, name + ".model"), "wb") as f:
        f.write(data)
    from sentencepiece import sentencepiece_model_pb2 as pb
    model = pb.ModelProto()
    model.ParseFromString(data)
    return model


def vocab_of(model):
    return [(p.piece, p.score) for p in model.pieces]


def with_specials(tok, tokens):
    tok.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in tokens])
    return tok


def save(tok, name, count):
    tok.save(os.path.join(out, name + ".json"), pretty=False)
    tok = Tokenizer.from_file(os.path.join(out, name + ".json"))
    cases(name, lambda t: tok.encode(t).ids, count)


def ending(tok, word="</s>"):
    tok.post_processor = processors.TemplateProcessing(single=["$A", word], pair=["$A", word, "$B", word],
                                                       special_tokens=[(word, tok.token_to_id(word))])


# --- like T5: spiece.model as transformers' T5Tokenizer builds it, and the same as a file
nmt = train("nmt", 900, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, normalization_rule_name="nmt_nfkc")
tok = Tokenizer(models.Unigram(vocab_of(nmt), unk_id=2, byte_fallback=False))
tok.normalizer = normalizers.Precompiled(nmt.normalizer_spec.precompiled_charsmap)
tok.pre_tokenizer = pre_tokenizers.Sequence(
    [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always", split=True)])
with_specials(tok, ["<pad>", "</s>", "<unk>"])
ending(tok)
save(tok, "nmt", 1200)

# --- byte fallback, no normalisation: sentencepiece itself is the judge, for texts where both agree on what white space is
raw = train("bytes", 1200, pad_id=0, eos_id=1, bos_id=2, unk_id=3, byte_fallback=True, normalization_rule_name="identity")
sp = spm.SentencePieceProcessor(model_file=os.path.join(out, "bytes.model"))
space_like = set("\u2581\t\n\r\x0b\x0c\x85\u00a0\u1680\u2028\u2029\u202f\u205f\u3000") | {chr(c) for c in range(0x2000, 0x200B)}
texts_all = texts


def plain_texts(count):
    rows = texts_all(count * 2)
    rows = [t for t in rows if not (set(t) & space_like) and not any(s in t for s in specials) and "\x00" not in t]
    return rows[:count]


texts = plain_texts
cases("bytes", lambda t: sp.encode(t) + [1], 600)
texts = texts_all

# --- like UMT5
base = vocab_of(raw)
tok = Tokenizer(models.Unigram(base, unk_id=3, byte_fallback=False))
tok.normalizer = normalizers.Sequence([normalizers.Replace(Regex(" {2,}"), " ")])
tok.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always", split=True)
with_specials(tok, ["<pad>", "</s>", "<s>", "<unk>"] + [f"<extra_id_{i}>" for i in range(3)])
ending(tok)
save(tok, "umt5", 1200)

# --- other settings of the same parts
tok = Tokenizer(models.Unigram(base, unk_id=3, byte_fallback=True))
tok.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Strip(left=True, right=True), normalizers.Replace("—", "-")])
tok.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="first", split=True)
with_specials(tok, ["</s>"])
tok.add_special_tokens([AddedToken("<mask>", lstrip=True, rstrip=True, special=True, normalized=False)])
tok.add_tokens([AddedToken("Hello World", normalized=True), AddedToken("e\u0301", normalized=True)])
save(tok, "first", 500)

tok = Tokenizer(models.Unigram(base, unk_id=3, byte_fallback=False))
tok.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(Regex(r"\s+"), " ")])
tok.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="never", split=False)
with_specials(tok, ["<s>", "</s>"])
tok.post_processor = processors.TemplateProcessing(single=["<s>", "$A", "</s>"], special_tokens=[("<s>", 2), ("</s>", 1)])
save(tok, "whole", 500)
