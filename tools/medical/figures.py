# SPDX-License-Identifier: Apache-2.0
"""Outlines of people: half of each, mirrored."""
from canvas import INK, curve, mirror

FEMALE = [(50, 15), (53, 17), (53, 20), (60, 23), (64, 27), (66, 38), (69, 50), (67, 51), (63, 40),
          (60, 32), (58.5, 38), (57.5, 44), (60, 52), (61, 60), (59, 72), (57, 80), (57, 93), (53, 94),
          (53, 80), (52, 70), (50.5, 58)]
MALE = [(50, 15), (53.5, 17), (53.5, 20), (61, 22), (67, 26), (69, 38), (71, 51), (68, 52), (65, 40),
        (62, 32), (60, 40), (59, 46), (60, 52), (60, 60), (58.5, 72), (57, 80), (57, 93), (53, 94),
        (53, 80), (52, 70), (50.5, 58)]


def body(c, half, skin, line=INK):
    both = curve(half, closed=False, steps=6)
    c.polygon(both + mirror(both)[::-1], skin, line, 0.7)
    c.ellipse(50, 10, 5, 6.5, skin, line, 0.7)


def torso(c, skin, breasts=True, line=INK):
    """From the neck to the hips, seen from in front."""
    half = [(50, 8), (55, 9), (56, 16), (70, 21), (79, 27), (82, 40), (84, 62), (78, 62), (75, 42),
            (72, 40), (70, 52), (67, 62), (71, 76), (74, 96), (50, 96)]
    both = curve(half, closed=False, steps=6)
    c.polygon(both + mirror(both)[::-1], skin, line, 0.8)
    if breasts:
        for cx in (39, 61):
            c.stroke([(cx - 9, 40), (cx - 7, 48), (cx, 51), (cx + 7, 48), (cx + 9, 40)], line, 0.6, True)
            c.ellipse(cx, 45, 2.4, 2.4, tuple(int(v * 0.78) for v in skin), None)
            c.ellipse(cx, 45, 0.9, 0.9, tuple(int(v * 0.6) for v in skin), None)
    c.ellipse(50, 72, 0.7, 1.1, tuple(int(v * 0.6) for v in skin), None)
    return both
