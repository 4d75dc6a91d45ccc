# SPDX-License-Identifier: Apache-2.0
"""A byte-level BPE in CLIP's format: counting merges, writing the folder, encoding captions."""

import json
import os
import re
from collections import Counter, defaultdict

BOS, EOS = "<|startoftext|>", "<|endoftext|>"
WORD = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[^\W\d_]+|\d|(?:[^\s\w]|_)+")


def byte_alphabet():
    """Every byte as a printable character; order and choice are CLIP's."""
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in keep]
    names = keep + [256 + n for n in range(len(rest))]
    return dict(zip(keep + rest, map(chr, names)))


BYTES = byte_alphabet()


def words(text):
    text = re.sub(r"\s+", " ", text.strip()).lower()
    return ["".join(BYTES[b] for b in w.encode()) for w in WORD.findall(text)]


def symbols(word):
    return list(word[:-1]) + [word[-1] + "</w>"]


def join(parts, pair):
    """`parts` with every occurrence of `pair` made one."""
    out, j = [], 0
    while j < len(parts):
        if tuple(parts[j : j + 2]) == pair:
            out.append(parts[j] + parts[j + 1])
            j += 2
        else:
            out.append(parts[j])
            j += 1
    return out


def count_merges(counts, wanted):
    """The `wanted` merges that a BPE over these word counts makes, first to last."""
    table = [[symbols(w), c] for w, c in counts.items()]
    pairs, where = Counter(), defaultdict(set)
    for i, (s, c) in enumerate(table):
        for p in zip(s, s[1:]):
            pairs[p] += c
            where[p].add(i)
    merges = []
    while len(merges) < wanted and pairs:
        best = max(pairs, key=lambda p: (pairs[p], p))
        if pairs[best] <= 0:
            break
        merges.append(best)
        for i in list(where[best]):
            s, c = table[i]
            for p in zip(s, s[1:]):
                pairs[p] -= c
                where[p].discard(i)
            table[i][0] = s = join(s, best)
            for p in zip(s, s[1:]):
                pairs[p] += c
                where[p].add(i)
        del pairs[best]
    return merges


def added(token, **more):
    return {"content": token, "lstrip": False, "rstrip": False, "single_word": False, **more}


def write_folder(folder, merges, length):
    alphabet = list(BYTES.values())
    tokens = alphabet + [c + "</w>" for c in alphabet] + [a + b for a, b in merges] + [BOS, EOS]
    if len(set(tokens)) != len(tokens):
        raise SystemExit("two merges gave one token")
    os.makedirs(folder, exist_ok=True)

    def dump(name, value, indent=2):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            json.dump(value, f, ensure_ascii=False, indent=indent)
            f.write("\n")

    dump("vocab.json", {t: i for i, t in enumerate(tokens)}, None)
    with open(os.path.join(folder, "merges.txt"), "w", encoding="utf-8") as f:
        f.write("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    kind = {"normalized": True, "__type": "AddedToken"}
    dump("tokenizer_config.json", {
        "add_prefix_space": False, "bos_token": added(BOS, **kind), "do_lower_case": True,
        "eos_token": added(EOS, **kind), "errors": "replace", "model_max_length": length,
        "pad_token": EOS, "tokenizer_class": "CLIPTokenizer", "unk_token": added(EOS, **kind)})
    dump("special_tokens_map.json", {
        "bos_token": added(BOS, normalized=True), "eos_token": added(EOS, normalized=True),
        "pad_token": EOS, "unk_token": added(EOS, normalized=True)})
    return len(tokens)


class Tokenizer:
    def __init__(self, folder):
        def text(name):
            with open(os.path.join(folder, name), encoding="utf-8") as f:
                return f.read()

        self.ids = json.loads(text("vocab.json"))
        self.length = json.loads(text("tokenizer_config.json"))["model_max_length"]
        lines = text("merges.txt").strip().split("\n")[1:]
        self.rank = {tuple(line.split()): i for i, line in enumerate(lines)}
        self.known = {}

    def word(self, w):
        if w not in self.known:
            s = symbols(w)
            while len(s) > 1:
                best = min(zip(s, s[1:]), key=lambda p: self.rank.get(p, 1 << 30))
                if best not in self.rank:
                    break
                s = join(s, best)
            self.known[w] = [self.ids[x] for x in s]
        return self.known[w]

    def __call__(self, text):
        """Exactly `length` ids: start, the words cut to fit, end, padded with end."""
        ids = [t for w in words(text) for t in self.word(w)][: self.length - 2]
        end = self.ids[EOS]
        return [self.ids[BOS], *ids, end] + [end] * (self.length - 2 - len(ids))
