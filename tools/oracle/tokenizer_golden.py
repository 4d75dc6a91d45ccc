# SPDX-License-Identifier: Apache-2.0
"""Strings of every kind, with the token ids that transformers' slow CLIPTokenizer gives them.

    tokenizer_golden.py TOKENIZER_FOLDER OUT.bin [--count N] [--seed S] [--captions FILE.jsonl.gz]

tests/test_tokenizer.c reads the file. All numbers are little-endian base-128 varints:

    "limner tokens 1\\n", count, then per string:
    bytes of UTF-8, the UTF-8, ids without start and end, the ids (never cut)

Cutting and padding are checked here, string by string, against what the test derives itself.
Characters that this Python does not know but a later Unicode does are left out: limner's tables
are utf8proc's, and each Unicode version knows some that its predecessors drop.
"""

import argparse
import gzip
import json
import os
import random
import shutil
import sys
import tempfile
import unicodedata

os.environ.setdefault("OMP_NUM_THREADS", "1")

import regex
import transformers
from transformers import CLIPTokenizer

transformers.logging.set_verbosity_error()
LONG = 4000  # ids of the longest string, below the test's own length

SPACES = (
    " \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2003\u2009\u200a\u2028\u2029\u202f\u205f"
    "\u3000"
)
CONTROLS = (
    "\x01\x07\x08\x1b\x7f\x80\x9b\xad\u200b\u200c\u200d\u200e\u200f\u202a\u202e\u2060\u2066\ufeff\ufffd"
    "\ufffe\ue000\U000e0041\U000f0000\x00"
)
SPECIALS = [
    "<|startoftext|>", "<|endoftext|>", "<|STARTOFTEXT|>", "<|EndOfText|>", "<|\u017ftartoftext|>",
    "<|start\u200boftext|>", "<|endoftext|", "<|endoftext", "|endoftext|>", "<|endoftext|>>",
    "<<|endoftext|>", "<|endoftext|><|endoftext|>", "!<|ENDOFTEXT|>", "!", "!!", "</w>", "a</w>",
    "<|pad|>", "<", "<|", "<|e",
]  # fmt: skip
CONTRACTIONS = [
    "'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'T", "'RE", "'Ve", "'LL", "'\u017f",
    "\u2019s",
    "n't", "''s", "'sx", "'rex", "'r", "'l", "'v", "'dd", "'\u212a",
]  # fmt: skip
WORDS = """a an the photo of cat dog red blue house painting portrait highly detailed 8k trending on
artstation masterpiece best quality cinematic lighting emoji style fox riding bicycle in snow under
starry night sky oil watercolor sketch isometric render octane HDR NASA McDonald iPhone CamelCase
it don we you they I she he who let can would could should naïve café Ångström Straße İstanbul
ΟΔΥΣΣΕΥΣ Σίσυφος Москва Київ Ελλάδα ﬁne ﬂy №5 ½ cup ² ³ Ⅷ ①""".split()
SCRIPTS = [
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
    (0x3040, 0x30FF), (0xAC00, 0xD7A3), (0x1100, 0x11FF), (0x0590, 0x05FF), (0x0600, 0x06FF),
    (0x0900, 0x097F), (0x0E00, 0x0E7F), (0x0370, 0x03FF), (0x0400, 0x04FF), (0x1E00, 0x1FFF),
    (0x00C0, 0x024F), (0x2000, 0x206F), (0x2100, 0x218F), (0x2460, 0x24FF), (0xFF00, 0xFFEF),
    (0x1F300, 0x1F64F), (0x1F680, 0x1F6FF), (0x1F900, 0x1F9FF), (0x1D400, 0x1D7FF),
    (0x10400, 0x1044F), (0x1F100, 0x1F1FF),
]  # fmt: skip


def is_common(point):
    """Known to this Python, or to nobody: where Unicode versions cannot disagree."""
    if 0xD800 <= point < 0xE000:
        return False
    char = chr(point)
    return unicodedata.category(char) != "Cn" or not regex.match(r"\P{Cn}", char)


class Maker:
    def __init__(self, seed, captions):
        self.r = random.Random(seed)
        self.captions = captions
        points = [p for p in range(0x110000) if is_common(p)]
        self.known = [chr(p) for p in points if unicodedata.category(chr(p)) not in ("Cn", "Co")]
        self.any = [chr(p) for p in points]
        self.marks = [c for c in self.known if unicodedata.combining(c)]
        self.composed = [c for c in self.known if unicodedata.normalize("NFD", c) != c]
        self.cased = [c for c in self.known if c.lower() != c]
        self.digits = [c for c in self.known if unicodedata.category(c)[0] == "N"]
        self.punctuation = [c for c in self.known if unicodedata.category(c)[0] in "PS"]
        self.emoji = [c for c in self.known if regex.match(r"\p{Emoji_Presentation}", c)]
        self.names = [unicodedata.name(c).lower() for c in self.emoji]
        self.scripts = [
            [chr(p) for p in range(low, high + 1) if is_common(p)] for low, high in SCRIPTS
        ]

    def some(self, pool, low, high):
        return "".join(self.r.choice(pool) for _ in range(self.r.randint(low, high)))

    def caption(self):
        if self.captions and self.r.random() < 0.7:
            return self.r.choice(self.captions)
        words = self.r.choices(WORDS, k=self.r.randint(1, 14)) + [self.r.choice(self.names)]
        self.r.shuffle(words)
        return self.r.choice([" ", " ", ", ", "  ", "-", "_"]).join(words)

    def joined_emoji(self):
        parts = []
        for _ in range(self.r.randint(1, 4)):
            parts.append(self.r.choice(self.emoji))
            parts.append(self.r.choice(["", "\ufe0f", "\u200d", "\U0001f3fb", "\U0001f3ff\u200d"]))
        return "".join(parts)

    def mixed_case(self):
        text = self.caption()
        return "".join(self.r.choice([c, c.upper(), c.lower(), c.title()]) for c in text)

    def contraction(self):
        return "".join(
            self.r.choice(WORDS + ["", " "]) + self.r.choice(CONTRACTIONS)
            for _ in range(self.r.randint(1, 4))
        )

    def special(self):
        parts = [self.r.choice(SPECIALS) for _ in range(self.r.randint(1, 3))]
        parts += self.r.choices(WORDS + ["", " ", "'s", "\u0301"], k=2)
        self.r.shuffle(parts)
        return self.r.choice(["", " "]).join(parts)

    def between(self, odd):
        return "".join(
            self.r.choice(WORDS) + self.some(odd, 1, 3) for _ in range(self.r.randint(1, 5))
        )

    def sigma(self):
        pool = ["\u03a3", "A", "\u03b1", "'", ".", "\u0345", "\u0301", "\u00aa", "\u24b6", "1"]
        pool.append("\u02b0")
        return self.some(pool, 1, 9)

    def word(self):
        alphabets = ["abcdefghijklmnopqrstuvwxyz", "aA", "ab", "etaoin", "0123456789", "!?.,"]
        letters = self.r.choice(alphabets)
        return self.some(letters, 20, 60)

    def make(self, kind):
        r = self.r
        kinds = [
            self.caption,
            self.caption,
            self.caption,
            self.joined_emoji,
            self.mixed_case,
            self.contraction,
            self.special,
            self.sigma,
            self.word,
            lambda: self.between(SPACES),
            lambda: self.between(CONTROLS),
            lambda: self.some(r.choice(self.scripts), 1, 10),
            lambda: self.some(r.choice(self.scripts), 1, 6) + " " + self.caption(),
            lambda: self.some(self.composed + self.marks, 1, 8),
            lambda: r.choice(self.composed) + self.some(self.marks + ["\u0345"], 1, 6),
            lambda: self.some(self.cased, 1, 8),
            lambda: self.some(self.digits + list("0123456789"), 1, 8),
            lambda: self.some(self.punctuation, 1, 8) + self.some("ab'", 0, 3),
            lambda: self.some(self.known, 1, 8),
            lambda: self.some(self.any, 1, 6),
            lambda: self.some([chr(c) for c in range(128)], 0, 24),
        ]
        return kinds[kind % len(kinds)]()

    def long(self):
        return [
            "x" * 3000,
            "aA" * 1500,
            " ".join(self.caption() for _ in range(60)),
            self.some(self.emoji, 300, 300),
            self.some(self.marks, 400, 400),
            self.some("lowerer", 2500, 2500),
            self.some(self.known, 300, 300),
            "\u0345" * 50 + "a\u0301" * 300,
        ]


def longer(folder, to):
    """The same tokenizer with room for LONG ids."""
    for name in os.listdir(folder):
        shutil.copyfile(os.path.join(folder, name), os.path.join(to, name))
    path = os.path.join(to, "tokenizer_config.json")
    with open(path) as f:
        config = json.load(f)
    config["model_max_length"] = LONG
    with open(path, "w") as f:
        json.dump(config, f)
    return CLIPTokenizer.from_pretrained(to)


def varint(out, value):
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)


def ids_of(short, full, text):
    """The ids between start and end; the short tokenizer's answer must be their derivative."""
    ids = full(text, add_special_tokens=False)["input_ids"]
    assert len(ids) <= LONG - 2, f"{len(ids)} ids: {text[:60]!r}"
    length = short.model_max_length
    cut = [short.bos_token_id] + ids[: length - 2] + [short.eos_token_id]
    cut += [short.pad_token_id] * (length - len(cut))
    real = short(text, padding="max_length", max_length=length, truncation=True)["input_ids"]
    assert real == cut, text
    return ids


def read_captions(path):
    if not path:
        return []
    with gzip.open(path, "rt") as f:
        return sorted({json.loads(line)["caption"] for line in f})


def write(folder, out, count, seed, captions):
    oracle = CLIPTokenizer.from_pretrained(folder)
    assert oracle.fix_text is None, "ftfy is installed: another oracle"
    maker = Maker(seed, captions)
    texts = maker.long() + [maker.make(i) for i in range(count - 8)]
    data = bytearray(b"limner tokens 1\n")
    varint(data, len(texts))
    with tempfile.TemporaryDirectory() as temporary:
        short, full = CLIPTokenizer.from_pretrained(folder), longer(folder, temporary)
        for text in texts:
            utf8 = text.encode()
            ids = ids_of(short, full, text)
            varint(data, len(utf8))
            data += utf8
            varint(data, len(ids))
            for token in ids:
                varint(data, token)
    with open(out, "wb") as f:
        f.write(data)
    print(f"{out}: {len(texts)} strings ({len(set(texts))} different), {len(data)} bytes, "
          f"transformers {transformers.__version__}, Unicode {unicodedata.unidata_version}")  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("out")
    parser.add_argument("--count", type=int, default=11000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--captions")
    args = parser.parse_args()
    write(args.folder, args.out, args.count, args.seed, read_captions(args.captions))
    return 0


if __name__ == "__main__":
    sys.exit(main())
