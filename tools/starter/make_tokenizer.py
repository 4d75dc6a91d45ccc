# SPDX-License-Identifier: Apache-2.0
"""Stage 1b: counts a BPE over the captions, styles and keywords of all pictures that may be trained
on, and writes MODEL/tokenizer. Vocabulary and length come from the text encoder's configuration."""

import argparse
import json
from collections import Counter

import bpe
import captions
import data
import folder

USUAL = ("a an of the and with on in to by emoji icon picture photo drawing cute small big happy "
         "sad smiling " + " ".join(captions.COLOURS) + " " + " ".join(captions.PAINTS))


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--model", required=True)
    p.add_argument("--data", nargs="+", required=True, help="prefixes of all shards")
    p.add_argument("--aliases", help="JSON: name to other names")
    a = p.parse_args()
    cfg = folder.config(a.model, "text_encoder")
    counts = Counter()
    for prefix in a.data:
        for item in data.training_items(prefix):
            counts.update(w for t in captions.all_words(item) for w in bpe.words(t))
    if a.aliases:
        with open(a.aliases, encoding="utf-8") as f:
            for names in json.load(f).values():
                counts.update({w: 20 for n in names for w in bpe.words(n)})
    counts.update({w: 20 for w in bpe.words(USUAL)})
    merges = bpe.count_merges(counts, cfg["vocab_size"] - 514)
    size = bpe.write_folder(f"{a.model}/tokenizer", merges, cfg["max_position_embeddings"])
    if size != cfg["vocab_size"]:
        raise SystemExit(f"{size} tokens for a vocabulary of {cfg['vocab_size']}: too few captions")
    tok = bpe.Tokenizer(f"{a.model}/tokenizer")
    whole = sum(len(tok.word(w)) == 1 for w in counts)
    print(f"{size} tokens; {whole} of {len(counts)} words are one token;",
          "red apple, flat fluent style emoji:", tok("red apple, flat fluent style emoji")[:10])


if __name__ == "__main__":
    main()
