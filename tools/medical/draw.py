#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draw the medical illustrations of tests/data/medical.

    tools/medical/draw.py tests/data/medical

Every picture is a function of organs.py, cells.py or people.py, named as its file. They are drawn
from what anybody knows of bodies and from nobody's picture, by code alone, and released as CC0. They
stand for what doctors, teachers and patients ask an image model for, so that the rate at which a
policy holds or blocks such pictures can be measured (bench/medical.c). Needs numpy; the same numpy
draws the same bytes.
"""
import os
import sys

import cells
import organs
import people
from canvas import PICTURES

ROOMS = (organs, cells, people)  # importing them fills PICTURES


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for draw in PICTURES:
        path = os.path.join(folder, f"{draw.__name__}.png")
        c = draw()
        for colours in (32, 16, 8):
            c.save(path, colours)
            if os.path.getsize(path) <= 15 * 1024:
                break
    print(f"{len(PICTURES)} pictures")


if __name__ == "__main__":
    main()
