# SPDX-License-Identifier: Apache-2.0
"""Judge limner's tokenizer with a real vocabulary, in several configurations.

    tokenizer_check.py VOCABULARY_FOLDER --test build/release/test_tokenizer [--count N]
                       [--captions FILE.jsonl.gz]

The folder holds CLIP's vocab.json and merges.txt, for instance the tokenizer of any Stable
Diffusion checkpoint. They are tried with the settings of SD 1.5, of SDXL's second encoder (the pad
token is "!", as an added token), and of a folder that learned words were added to.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

import tokenizer_golden

START, END = "<|startoftext|>", "<|endoftext|>"


def token(content, **more):
    return {"content": content, "lstrip": False, "normalized": True, "rstrip": False,
            "single_word": False, **more}  # fmt: skip


def settings(**more):
    return {
        "add_prefix_space": False,
        "bos_token": START,
        "do_lower_case": True,
        "eos_token": END,
        "errors": "replace",
        "model_max_length": 77,
        "pad_token": END,
        "tokenizer_class": "CLIPTokenizer",
        "unk_token": END,
        **more,
    }


def variants(vocabulary):
    """Name, and the JSON files that stand beside the vocabulary."""
    start, end, size = vocabulary[START], vocabulary[END], len(vocabulary)
    yield "SD 1.5", {
        "tokenizer_config.json": settings(
            bos_token={"__type": "AddedToken", **token(START)},
            eos_token={"__type": "AddedToken", **token(END)},
        ),
        "special_tokens_map.json": {
            "bos_token": token(START), "eos_token": token(END), "pad_token": END,
            "unk_token": token(END),
        },
    }  # fmt: skip
    yield "SDXL, second", {
        "tokenizer_config.json": settings(
            pad_token="!",
            added_tokens_decoder={
                "0": token("!", normalized=False, special=True),
                str(start): token(START, special=True),
                str(end): token(END, special=True),
            },
        ),
    }
    yield "learned words", {
        "tokenizer_config.json": settings(do_lower_case=False, pad_token="[PAD]"),
        "special_tokens_map.json": {
            "additional_special_tokens": ["<fox>", "cat"], "pad_token": "[PAD]",
            "mask_token": None,
        },
        "added_tokens.json": {
            "<cat-toy>": size, "<cat-toy>_1": size + 1, "Blue ": size + 2, "\u00e9": size + 3,
            "e": size + 4,
        },
    }  # fmt: skip


def judge(folder, name, args):
    golden = os.path.join(folder, "golden.bin")
    captions = tokenizer_golden.read_captions(args.captions)
    tokenizer_golden.write(folder, golden, args.count, args.seed, captions)
    print(name, flush=True)
    return subprocess.run([args.test, folder, golden]).returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("vocabulary")
    parser.add_argument("--test", required=True)
    parser.add_argument("--count", type=int, default=11000)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--captions")
    args = parser.parse_args()
    args.test = os.path.abspath(args.test)
    tokenizer_golden.SPECIALS += ["<fox>", "<cat-toy>", "<cat-toy>_1", "cat", "Blue ", "[PAD]"]
    with open(os.path.join(args.vocabulary, "vocab.json")) as f:
        vocabulary = json.load(f)
    fine = True
    for name, files in variants(vocabulary):
        with tempfile.TemporaryDirectory() as folder:
            for file in ("vocab.json", "merges.txt"):
                shutil.copyfile(os.path.join(args.vocabulary, file), os.path.join(folder, file))
            for file, content in files.items():
                with open(os.path.join(folder, file), "w") as f:
                    json.dump(content, f, indent=1)
            fine = judge(folder, name, args) and fine
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
