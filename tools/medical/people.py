# SPDX-License-Identifier: Apache-2.0
"""Whole bodies, torsos, and what is done to them."""
import numpy as np

from canvas import BLUE, DARK_RED, INK, RED, SKIN, YELLOW, Canvas, curve, mirror, picture
from figures import FEMALE, MALE, body, torso


@picture
def outline_female():
    c = Canvas()
    body(c, FEMALE, SKIN[0])
    for cx in (47, 53):
        c.stroke([(cx - 2.4, 30), (cx, 33), (cx + 2.4, 30)], INK, 0.5, True)
    for y, words, at in ((18, "SHOULDER", (60, 23)), (44, "WAIST", (57, 44)), (56, "HIP", (60, 54)), (80, "KNEE", (57, 76))):
        c.label(74, y, words, at)
    return c


@picture
def outline_male():
    c = Canvas()
    body(c, MALE, SKIN[3])
    for y, words, at in ((18, "CLAVICLE", (56, 22)), (34, "CHEST", (54, 30)), (46, "ABDOMEN", (52, 44)), (88, "ANKLE", (56, 91))):
        c.label(74, y, words, at)
    return c


@picture
def acupuncture_back():
    c = Canvas((255, 252, 240))
    body(c, MALE, SKIN[1])
    c.stroke([(50, 20), (50, 56)], (170, 120, 90), 0.6)
    for y in range(22, 58, 5):
        for dx in (-4, 4):
            c.ellipse(50 + dx, y, 0.9, 0.9, RED, None)
    for y in range(62, 92, 6):
        for dx in (-5, 5):
            c.ellipse(50 + dx, y, 0.9, 0.9, BLUE, None)
    return c


@picture
def muscle_figure():
    c = Canvas()
    body(c, MALE, (205, 90, 80), DARK_RED)
    for s in (-1, 1):
        c.blob([(50 + s * 1, 24), (50 + s * 9, 24), (50 + s * 10, 30), (50 + s * 4, 33), (50 + s * 1, 31)], (220, 110, 95), DARK_RED, 0.5)
        c.ellipse(50 + s * 14.5, 27, 3, 4.4, (220, 110, 95), DARK_RED, 0.5)
        c.ellipse(50 + s * 5.5, 66, 3, 10, (220, 110, 95), DARK_RED, 0.5)
        c.ellipse(50 + s * 5, 84, 1.8, 6, (220, 110, 95), DARK_RED, 0.5)
        for i in range(4):
            c.ellipse(50 + s * 2.2, 36 + 4.2 * i, 2, 1.9, (225, 130, 110), DARK_RED, 0.5)
    return c


@picture
def organs_in_torso():
    c = Canvas()
    torso(c, (250, 228, 212), False, (150, 130, 125))
    for s in (-1, 1):
        c.blob([(50 + s * 4, 28), (50 + s * 12, 26), (50 + s * 17, 44), (50 + s * 8, 50), (50 + s * 4, 42)], (230, 150, 155), INK, 0.6)
        c.ellipse(50 + s * 12, 66, 4, 6, (150, 70, 65), INK, 0.6)
    c.blob([(48, 36), (56, 36), (58, 44), (52, 52), (47, 44)], RED, INK, 0.6)
    c.blob([(34, 52), (58, 52), (50, 60), (36, 62)], (130, 60, 50), INK, 0.6)
    c.blob([(54, 53), (64, 54), (62, 62), (52, 62)], (225, 140, 125), INK, 0.6)
    c.ellipse(50, 78, 11, 9, (240, 180, 150), INK, 0.6)
    c.ellipse(50, 92, 6, 4, YELLOW, INK, 0.6)
    return c


@picture
def breast_self_exam():
    c = Canvas((255, 246, 248))
    torso(c, SKIN[1])
    for i in range(3):
        c.ellipse(61, 44, 4 + 3 * i, 4 + 3 * i, None, (200, 60, 110), 0.6)
    c.arrow(84, 20, 68, 36, (200, 60, 110), 1.2)
    c.text(4, 92, "STEP 2 CIRCLE WITH 3 FINGERS")
    return c


@picture
def breast_self_exam_line():
    c = Canvas()
    torso(c, (255, 255, 255))
    for i in range(5):
        c.arrow(31 + 4 * i, 36 if i % 2 else 54, 31 + 4 * i, 54 if i % 2 else 36, BLUE, 0.6)
    c.stroke([(76, 58), (70, 50), (62, 42)], INK, 4, True)
    c.stroke([(76, 58), (70, 50), (62, 42)], (255, 255, 255), 2.8, True)
    c.text(4, 4, "UP AND DOWN")
    return c


@picture
def awareness_ribbon():
    c = Canvas((252, 232, 240))
    c.stroke([(34, 92), (58, 40), (58, 20), (50, 12), (42, 20), (42, 40), (66, 92)], (215, 80, 140), 9, True)
    c.stroke([(34, 92), (58, 40), (58, 20), (50, 12), (42, 20), (42, 40), (66, 92)], (240, 130, 175), 6, True)
    c.text(8, 4, "CHECK YOURSELF")
    return c


@picture
def dermatome_map():
    c = Canvas()
    body(c, MALE, SKIN[0])
    shape = c.to_polygon(curve(MALE, closed=False, steps=6) + mirror(curve(MALE, closed=False, steps=6))[::-1])
    for i in range(16):
        band = np.maximum(shape, np.abs(c.y - (22 + 4.6 * i)) - 2.3)
        c.area(band, ((240, 180, 180), (180, 215, 240), (190, 230, 185), (245, 225, 160))[i % 4], 0.8)
    c.shape(shape, None, INK, 0.6)
    c.text(76, 26, "T4")
    c.text(76, 42, "T10")
    c.text(76, 60, "L3")
    return c


@picture
def rule_of_nines():
    c = Canvas()
    body(c, FEMALE, SKIN[0])
    shape = c.to_polygon(curve(FEMALE, closed=False, steps=6) + mirror(curve(FEMALE, closed=False, steps=6))[::-1])
    c.area(np.maximum(shape, c.x - 41.5), (235, 120, 100), 0.8)
    c.area(np.maximum(shape, np.maximum(c.y - 40, 30 - c.y)), (245, 190, 120), 0.7)
    for x, y, words in ((62, 8, "9%"), (24, 36, "9%"), (47, 33, "18%"), (62, 70, "18%"), (30, 70, "18%")):
        c.text(x, y, words)
    return c


@picture
def surgical_scene():
    c = Canvas((70, 130, 130), 29)
    c.noise(12, 8)
    c.blob([(30, 34), (52, 26), (74, 38), (76, 62), (54, 74), (30, 64)], (232, 190, 160), (50, 100, 105), 1.4)
    c.blob([(40, 44), (54, 38), (66, 46), (64, 58), (52, 64), (40, 56)], (170, 50, 50), DARK_RED, 1)
    c.blob([(45, 48), (54, 44), (60, 50), (54, 58), (46, 54)], (215, 110, 100), None)
    c.stroke([(96, 4), (60, 48)], (190, 195, 200), 2)
    c.stroke([(2, 92), (46, 54)], (190, 195, 200), 2)
    for x, y in ((20, 84), (84, 20)):
        c.blob([(x - 14, y - 6), (x, y - 12), (x + 12, y - 4), (x + 8, y + 8), (x - 10, y + 10)], (225, 235, 240), (150, 170, 180))
    return c


@picture
def injection_arm():
    c = Canvas((240, 248, 252))
    c.polygon(curve([(0, 54), (30, 46), (60, 50), (100, 44), (100, 74), (60, 80), (30, 80), (0, 78)], closed=False), SKIN[3], INK)
    c.box(50, 18, 62, 38, (235, 245, 250), INK)
    c.box(53, 24, 59, 38, (170, 210, 235), None)
    c.stroke([(56, 38), (56, 52)], (120, 120, 130), 1)
    c.stroke([(56, 6), (56, 18)], INK, 1.6)
    c.stroke([(50, 6), (62, 6)], INK, 1.6)
    c.label(70, 20, "DELTOID", (60, 52))
    return c


@picture
def breastfeeding_hold():
    c = Canvas((255, 248, 240))
    c.blob([(46, 30), (62, 32), (74, 46), (76, 96), (26, 96), (28, 50)], (120, 160, 190), INK)
    c.ellipse(50, 18, 10, 12, SKIN[2], INK)
    c.blob([(39, 16), (44, 5), (56, 4), (62, 16), (63, 30), (57, 14)], (70, 45, 35), INK)
    c.blob([(40, 48), (52, 46), (55, 56), (46, 62), (39, 56)], SKIN[2], INK)
    c.ellipse(38, 57, 8, 7, SKIN[1], INK)
    c.blob([(42, 60), (64, 60), (72, 68), (64, 76), (44, 70)], (240, 230, 180), INK)
    c.stroke([(74, 50), (76, 70), (50, 78), (32, 70)], SKIN[2], 6, True)
    c.text(4, 4, "CRADLE HOLD")
    return c


@picture
def pregnancy_fundal_height():
    c = Canvas()
    c.polygon(curve([(40, 4), (46, 12), (44, 24), (52, 34), (62, 48), (66, 62), (60, 74), (50, 80), (52, 98)], closed=False)
              + [(30, 98), (30, 60), (26, 30), (30, 4)], SKIN[4], INK)
    c.stroke([(45, 34), (53, 33), (57, 38), (51, 42)], INK, 0.7, True)
    for i in range(5):
        c.stroke([(58 + 2 * i, 44 + 7 * i), (72, 44 + 7 * i)], (110, 110, 120), 0.5)
        c.text(74, 43 + 7 * i, str(36 - 4 * i))
    c.text(4, 4, "WEEKS")
    return c


@picture
def catheter_placement():
    c = Canvas((250, 252, 255))
    torso(c, SKIN[1], False)
    c.stroke([(78, 44), (68, 36), (54, 30), (51, 44)], (60, 100, 200), 1.4, True)
    c.blob([(46, 38), (56, 38), (57, 46), (51, 54), (45, 46)], (220, 120, 120), INK, 0.6, 0.8)
    c.box(76, 42, 88, 48, (230, 235, 240), INK)
    c.label(4, 92, "TIP IN VENA CAVA", (51, 44))
    return c


@picture
def foot_ulcer_chart():
    c = Canvas((255, 253, 248))
    c.blob([(38, 90), (32, 66), (34, 40), (40, 26), (54, 24), (62, 34), (60, 56), (58, 80), (50, 94)], SKIN[2], INK)
    for i, (x, r) in enumerate([(40, 5), (48, 3.6), (54, 3.2), (59, 3), (63, 2.6)]):
        c.ellipse(x, 20 + 2.4 * i, r, r * 1.2, SKIN[2], INK, 0.6)
    c.ellipse(42, 36, 4, 3.4, (180, 50, 50), (250, 230, 150), 1.4)
    c.label(70, 34, "GRADE 2", (45, 36))
    return c


@picture
def face_surgery_lines():
    c = Canvas()
    c.blob([(50, 8), (70, 22), (72, 48), (62, 72), (50, 82), (38, 72), (28, 48), (30, 22)], SKIN[0], INK)
    for cx in (40, 60):
        c.ellipse(cx, 42, 6, 3, (255, 255, 255), INK, 0.7)
        c.ellipse(cx, 42, 2, 2, (90, 70, 50), None)
    c.stroke([(50, 42), (47, 56), (52, 57)], INK, 0.7, True)
    c.stroke([(42, 66), (50, 69), (58, 66)], (190, 80, 90), 1.6, True)
    for s in (-1, 1):
        for i in range(5):
            c.stroke([(50 + s * (14 + i), 50 + 4 * i), (50 + s * (15 + i), 52 + 4 * i)], BLUE, 0.9)
    c.text(4, 92, "PLANNED INCISION LINES")
    return c


@picture
def statue_anatomy():
    c = Canvas((225, 222, 215), 41)
    body(c, FEMALE, (205, 203, 198), (120, 118, 114))
    shape = c.to_polygon(curve(FEMALE, closed=False, steps=6) + mirror(curve(FEMALE, closed=False, steps=6))[::-1])
    c.area(np.maximum(shape, 50.5 - c.x), (176, 174, 170), 0.6)
    for cx in (46.5, 53.5):
        c.glow(cx, 31, 2.4, 2.2, (235, 233, 228), 0.8)
    c.noise(2, 5)
    c.box(34, 94, 66, 99, (170, 168, 164), (110, 108, 104))
    return c
