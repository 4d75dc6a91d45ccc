# SPDX-License-Identifier: Apache-2.0
"""Organs and bones, as in a textbook."""
import numpy as np

from canvas import (BLUE, BONE, DARK_RED, INK, PURPLE, RED, SKIN, YELLOW, Canvas, curve, mirror,
                    picture)
from figures import torso


@picture
def heart():
    c = Canvas()
    c.blob([(50, 30), (62, 24), (74, 34), (74, 52), (62, 72), (52, 84), (40, 70), (30, 52), (30, 38), (40, 28)],
           RED, INK)
    c.blob([(46, 36), (42, 20), (47, 10), (53, 10), (52, 22), (55, 34)], (190, 40, 50), INK)
    c.stroke([(53, 12), (62, 10), (68, 18), (68, 28)], (190, 40, 50), 5, True)
    c.blob([(34, 36), (31, 22), (33, 12), (38, 12), (39, 24), (41, 36)], BLUE, INK)
    c.stroke([(50, 40), (52, 52), (50, 66)], DARK_RED, 1.4, True)
    c.stroke([(50, 44), (60, 54), (58, 66)], DARK_RED, 1, True)
    c.label(74, 12, "AORTA", (66, 16))
    c.label(2, 62, "VENTRICLE", (42, 60))
    return c


@picture
def lungs():
    c = Canvas((250, 250, 245))
    lobe = [(54, 30), (62, 22), (74, 36), (80, 58), (80, 76), (68, 76), (58, 66), (54, 50)]
    for points in (lobe, mirror(lobe)):
        c.blob(points, (235, 160, 160), INK)
        for i in range(5):
            sign = 1 if points is lobe else -1
            c.stroke([(50 + sign * 5, 36), (50 + sign * (12 + 2 * i), 40 + 5 * i),
                      (50 + sign * (16 + 2 * i), 46 + 6 * i)], (180, 90, 95), 0.9, True)
    c.box(47.5, 8, 52.5, 30, (225, 215, 200), INK)
    for y in range(11, 30, 4):
        c.stroke([(47.5, y), (52.5, y)], (150, 140, 130), 0.6)
    c.label(62, 10, "TRACHEA", (52, 16))
    c.label(4, 86, "LEFT LOBE", (30, 66))
    return c


@picture
def kidneys():
    c = Canvas()
    kidney = [(64, 30), (76, 32), (80, 48), (74, 64), (64, 66), (66, 54), (60, 48), (66, 42)]
    for points, cut in ((kidney, True), (mirror(kidney), False)):
        c.blob(points, (165, 70, 60), INK)
        if cut:
            c.blob([(66, 36), (73, 38), (75, 48), (71, 58), (66, 60), (68, 48)], (215, 130, 110), INK, 0.5)
    c.stroke([(62, 50), (58, 64), (54, 86)], YELLOW, 1.8, True)
    c.stroke([(38, 50), (42, 64), (46, 86)], YELLOW, 1.8, True)
    c.ellipse(50, 88, 9, 6, (240, 225, 150), INK)
    c.stroke([(48, 8), (48, 80)], RED, 2.4)
    c.stroke([(52, 8), (52, 80)], BLUE, 2.4)
    c.label(70, 18, "CORTEX", (74, 34))
    c.label(4, 80, "URETER", (43, 70))
    return c


@picture
def stomach():
    c = Canvas()
    c.stroke([(46, 6), (46, 24), (52, 34)], (225, 150, 140), 6, True)
    c.blob([(50, 28), (66, 26), (74, 42), (68, 62), (50, 72), (34, 70), (28, 64), (40, 60), (50, 52), (52, 40)],
           (228, 140, 130), INK)
    c.stroke([(30, 66), (22, 72), (24, 84)], (225, 150, 140), 6, True)
    for i in range(4):
        c.stroke([(56 + 3 * i, 34 + i), (60 + 2 * i, 46), (54 + i, 60)], (180, 90, 90), 0.7, True)
    c.label(66, 10, "FUNDUS", (64, 28))
    c.label(50, 84, "ANTRUM", (42, 68))
    return c


@picture
def digestive_tract():
    c = Canvas()
    torso(c, (252, 240, 230), False, (150, 140, 140))
    c.stroke([(50, 10), (50, 40)], (215, 140, 130), 3)
    c.blob([(51, 38), (60, 38), (62, 46), (54, 52), (46, 50), (52, 45)], (225, 130, 120), INK, 0.6)
    c.blob([(34, 40), (50, 40), (48, 47), (36, 50)], (130, 60, 50), INK, 0.6)
    c.stroke([(37, 84), (36, 58), (48, 56), (63, 57), (63, 82), (54, 88)], (200, 130, 110), 5, True)
    line = [(44 + 13 * (i % 2), 62 + 2.6 * i) for i in range(8)]
    c.stroke(line, (235, 170, 150), 2.6, True)
    return c


@picture
def brain():
    c = Canvas()
    c.blob([(22, 52), (24, 34), (40, 22), (60, 22), (78, 34), (82, 52), (74, 62), (60, 64), (46, 66), (30, 64)],
           (238, 186, 180), INK)
    c.blob([(60, 62), (76, 62), (78, 72), (66, 76), (58, 70)], (220, 150, 150), INK)
    c.stroke([(56, 64), (57, 78), (55, 92)], (225, 180, 160), 6, True)
    for i in range(11):
        x, y = 28 + 4.6 * i, 34 + 10 * np.sin(i * 1.7)
        c.stroke([(x, y), (x + 5, y - 4), (x + 8, y + 4), (x + 4, y + 10)], (180, 110, 115), 1, True)
    c.label(4, 8, "FRONTAL LOBE", (34, 30))
    c.label(56, 8, "PARIETAL", (64, 26))
    c.label(70, 84, "STEM", (58, 82))
    return c


@picture
def eye_section():
    c = Canvas((248, 250, 252))
    c.ellipse(52, 50, 34, 32, (255, 250, 245), INK, 1)
    c.ellipse(52, 50, 31, 29, (250, 235, 220), (190, 90, 80), 1)
    c.ellipse(20, 50, 7, 13, (215, 235, 245), INK, 0.7)
    c.ellipse(29, 50, 5, 10, (230, 240, 250), INK, 0.7)
    c.stroke([(24, 34), (26, 42)], (90, 120, 70), 2.4)
    c.stroke([(24, 66), (26, 58)], (90, 120, 70), 2.4)
    c.stroke([(84, 54), (98, 60)], YELLOW, 6)
    c.label(4, 10, "CORNEA", (16, 42))
    c.label(40, 8, "RETINA", (60, 22))
    c.label(74, 84, "NERVE", (90, 58))
    c.label(4, 88, "LENS", (29, 56))
    return c


@picture
def ear_section():
    c = Canvas()
    c.blob([(14, 20), (30, 16), (36, 34), (30, 50), (28, 66), (18, 76), (12, 60), (10, 38)], SKIN[1], INK)
    c.blob([(18, 30), (26, 26), (30, 38), (24, 48), (22, 58), (17, 50)], SKIN[2], INK, 0.6)
    c.box(28, 44, 54, 52, (240, 205, 185), INK)
    c.ellipse(55, 48, 1.6, 6, (220, 220, 230), INK)
    for i, (x, y) in enumerate([(59, 44), (63, 47), (67, 44)]):
        c.ellipse(x, y, 2.6, 1.8, BONE, INK, 0.5, angle=30 * i)
    turns = [(78 + (9 - 0.7 * t) * np.cos(t), 56 + (9 - 0.7 * t) * np.sin(t)) for t in np.linspace(0, 12, 60)]
    c.stroke(turns, PURPLE, 2)
    for a in (0, 60, 120):
        c.ellipse(76, 36, 9, 3.4, None, PURPLE, 1.4, angle=a)
    c.label(60, 84, "COCHLEA", (80, 60))
    c.label(30, 88, "DRUM", (55, 52))
    return c


@picture
def skin_layers():
    c = Canvas((225, 240, 250))
    top = curve([(0, 18), (25, 16), (50, 19), (75, 16), (100, 18)], closed=False)
    c.polygon(top + [(100, 30), (0, 30)], SKIN[1], None)
    wave = [(x, 31 + 1.8 * np.sin(x * 0.7)) for x in range(0, 101, 2)]
    c.polygon(wave + [(100, 66), (0, 66)], (240, 175, 165), INK, 0.6)
    c.polygon([(0, 66), (100, 66), (100, 92), (0, 92)], (250, 225, 150), INK, 0.6)
    for x, y in c.scatter(34, c.to_polygon([(0, 66), (100, 66), (100, 92), (0, 92)]), 5):
        c.ellipse(x, y, 3.2, 2.8, (253, 238, 185), (210, 170, 90), 0.5)
    for x in (22, 58):
        c.stroke([(x + 7, 4), (x, 30), (x - 3, 56)], (90, 60, 40), 1.6)
        c.ellipse(x - 3, 58, 3, 4, (150, 90, 70), INK, 0.5)
    c.stroke([(80, 17), (80, 40), (78, 46), (82, 50), (78, 54), (82, 58)], (120, 150, 200), 1.4, True)
    c.stroke([(4, 62), (30, 60), (60, 63), (96, 60)], RED, 1.4, True)
    c.stroke([(4, 64.5), (30, 63), (60, 65), (96, 63)], BLUE, 1.4, True)
    c.text(3, 94, "EPIDERMIS DERMIS FAT")
    return c


@picture
def hair_follicle():
    c = Canvas(SKIN[0])
    c.box(0, 16, 100, 100, (244, 196, 178), None)
    c.blob([(44, 16), (56, 16), (58, 50), (62, 78), (50, 88), (38, 78), (42, 50)], (230, 160, 140), INK)
    c.stroke([(54, 0), (50, 40), (50, 76)], (70, 45, 30), 4, True)
    c.ellipse(50, 80, 8, 6, (150, 80, 70), INK)
    c.blob([(58, 34), (68, 32), (72, 42), (62, 46)], (250, 230, 160), INK)
    c.stroke([(60, 70), (72, 52), (86, 18)], (190, 90, 90), 3)
    c.label(70, 90, "BULB", (54, 82))
    c.label(6, 4, "SHAFT", (50, 8))
    return c


@picture
def tooth_section():
    c = Canvas()
    c.box(0, 52, 100, 100, (238, 160, 160), None)
    c.box(0, 62, 100, 100, (240, 225, 190), None)
    c.blob([(32, 26), (42, 20), (50, 24), (58, 20), (68, 26), (68, 46), (64, 70), (58, 92), (54, 70), (50, 60),
            (46, 70), (42, 92), (36, 70), (32, 46)], (252, 250, 240), INK, 1)
    c.blob([(38, 34), (50, 32), (62, 34), (60, 54), (56, 76), (52, 58), (48, 58), (44, 76), (40, 54)],
           (245, 225, 170), (190, 160, 100))
    c.blob([(44, 42), (56, 42), (55, 54), (56, 80), (53, 58), (47, 58), (44, 80), (45, 54)], RED, None)
    c.label(76, 20, "ENAMEL", (66, 30))
    c.label(4, 40, "PULP", (46, 48))
    return c


def bone(c, x0, y0, x1, y1, width, fill=BONE, line=INK):
    """A long bone: a shaft with two knobs at either end."""
    length = np.hypot(x1 - x0, y1 - y0)
    nx, ny = -(y1 - y0) / length, (x1 - x0) / length
    d = c.to_segments([(x0, y0), (x1, y1)]) - width / 2
    for x, y in ((x0, y0), (x1, y1)):
        for s in (-1, 1):
            d = np.minimum(d, c.to_ellipse(x + s * nx * width * 0.5, y + s * ny * width * 0.5,
                                           width * 0.62, width * 0.62))
    c.shape(d, fill, line, 0.7)


@picture
def femur():
    c = Canvas()
    bone(c, 46, 20, 54, 84, 9)
    c.ellipse(37, 16, 7, 7, BONE, INK)
    c.stroke([(40, 18), (47, 24)], BONE, 7)
    c.stroke([(48, 30), (53, 76)], (215, 200, 165), 2)
    c.label(66, 12, "NECK", (44, 20))
    c.label(66, 48, "SHAFT", (52, 50))
    c.label(10, 88, "CONDYLE", (48, 86))
    return c


@picture
def hand_bones():
    c = Canvas((20, 24, 34))
    grey, line = (205, 210, 220), (120, 125, 140)
    for i in range(4):
        x = 34 + 10 * i
        tip = (28 + 14 * i, (16, 8, 8, 18)[i])
        a, b = np.array((x, 62.0)), np.array(tip, float)
        cuts = [a + (b - a) * t for t in (0, 0.42, 0.7, 0.88, 1)]
        for p, q in zip(cuts, cuts[1:]):
            bone(c, *(p + (q - p) * 0.12), *(q - (q - p) * 0.12), 3, grey, line)
    bone(c, 30, 68, 20, 56, 3, grey, line)
    bone(c, 18, 53, 12, 44, 3, grey, line)
    for x, y in [(36, 68), (44, 67), (52, 67), (60, 69), (40, 74), (48, 74), (56, 75)]:
        c.ellipse(x, y, 4, 3.2, grey, line, 0.6)
    bone(c, 42, 80, 42, 98, 5, grey, line)
    bone(c, 56, 81, 57, 98, 4, grey, line)
    return c


@picture
def rib_cage():
    c = Canvas()
    c.box(47, 18, 53, 52, BONE, INK)
    for i in range(9):
        w, y = 14 + 14 * np.sin((i + 2) / 11 * np.pi), 20 + 6.4 * i
        for s in (-1, 1):
            c.stroke([(50 + s * 3, y if i < 6 else 52), (50 + s * w, y + 4), (50 + s * (w + 4), y + 12),
                      (50 + s * 4, y + 16)], INK, 3.4, True)
            c.stroke([(50 + s * 3, y if i < 6 else 52), (50 + s * w, y + 4), (50 + s * (w + 4), y + 12),
                      (50 + s * 4, y + 16)], BONE, 2.2, True)
    for y in range(24, 96, 6):
        c.box(47, y, 53, y + 4, (225, 215, 190), INK, 0.6)
    return c


@picture
def spine():
    c = Canvas()
    for i in range(22):
        t = i / 21
        x, y = 50 + 9 * np.sin(t * 6.3), 6 + 84 * t
        w = 5 + 5 * t
        colour = ((235, 210, 190), (220, 225, 205), (205, 215, 235))[min(2, i * 3 // 22)]
        c.box(x - w, y, x + w, y + 3, colour, INK, 0.6)
        c.stroke([(x + w, y + 1), (x + w + 6, y + 4)], INK, 1.6)
    c.text(6, 16, "CERVICAL")
    c.text(6, 44, "THORACIC")
    c.text(6, 78, "LUMBAR")
    return c


@picture
def skull():
    c = Canvas()
    c.blob([(50, 10), (70, 16), (78, 36), (72, 52), (66, 60), (64, 76), (50, 82), (36, 76), (34, 60), (28, 52),
            (22, 36), (30, 16)], BONE, INK, 1)
    for cx in (39, 61):
        c.ellipse(cx, 44, 8, 7, (60, 50, 50), INK)
    c.polygon([(50, 50), (54, 60), (46, 60)], (60, 50, 50), INK)
    for i in range(8):
        c.box(38 + 3 * i, 66, 41 + 3 * i, 71, (252, 250, 240), INK, 0.5)
    c.stroke([(36, 76), (40, 92), (60, 92), (64, 76)], INK, 1, True)
    c.label(72, 6, "FRONTAL", (62, 18))
    c.label(70, 90, "MANDIBLE", (60, 88))
    return c


@picture
def knee_joint():
    c = Canvas((252, 248, 244))
    bone(c, 50, -6, 50, 40, 15)
    bone(c, 50, 60, 50, 110, 13)
    c.ellipse(50, 45, 15, 3, (170, 205, 225), INK, 0.6)
    c.ellipse(50, 55, 14, 3, (170, 205, 225), INK, 0.6)
    c.stroke([(44, 42), (54, 58)], (220, 120, 110), 2.4)
    c.stroke([(56, 42), (46, 58)], (230, 150, 120), 2.4)
    c.stroke([(30, 30), (28, 50), (32, 72)], (235, 225, 215), 3, True)
    c.stroke([(70, 30), (72, 50), (68, 72)], (235, 225, 215), 3, True)
    c.label(4, 84, "MENISCUS", (40, 55))
    c.label(76, 20, "ACL", (52, 52))
    return c


@picture
def uterus():
    c = Canvas((255, 250, 250))
    c.blob([(38, 26), (50, 22), (62, 26), (60, 44), (55, 58), (54, 72), (46, 72), (45, 58), (40, 44)], (235, 150, 150), INK)
    c.blob([(44, 32), (56, 32), (52, 46), (50, 58), (48, 46)], (200, 80, 95), None)
    for s in (-1, 1):
        c.stroke([(50 + s * 11, 28), (50 + s * 24, 22), (50 + s * 34, 30), (50 + s * 34, 38)], (225, 140, 145), 3, True)
        c.ellipse(50 + s * 28, 42, 7, 5, (245, 225, 200), INK)
        for dx in (-3, 0, 3):
            c.ellipse(50 + s * 28 + dx, 42, 1.2, 1.2, (225, 180, 120), None)
    c.box(45.5, 72, 54.5, 92, (240, 180, 180), INK)
    c.label(4, 60, "OVARY", (20, 46))
    c.label(70, 64, "CERVIX", (53, 68))
    return c


@picture
def male_pelvis_section():
    c = Canvas()
    c.polygon(curve([(20, 4), (18, 40), (24, 60), (30, 70), (26, 84), (34, 90), (42, 80), (50, 96), (86, 96), (84, 50), (80, 4)],
                    closed=False), (248, 214, 190), INK, 0.8)
    c.ellipse(40, 38, 13, 10, (250, 230, 150), INK)
    c.ellipse(44, 54, 6, 5, (200, 130, 120), INK)
    c.stroke([(43, 48), (44, 60), (36, 68), (32, 82)], (240, 200, 90), 1.6, True)
    c.stroke([(70, 20), (66, 44), (64, 66), (70, 90)], (215, 150, 130), 7, True)
    c.ellipse(30, 52, 4, 6, BONE, INK)
    c.ellipse(36, 82, 4, 4.6, (235, 190, 165), INK, 0.6)
    c.label(4, 16, "BLADDER", (36, 34))
    c.label(72, 6, "RECTUM", (69, 26))
    return c


@picture
def fetus():
    c = Canvas((255, 248, 246))
    c.blob([(50, 8), (78, 24), (84, 54), (66, 84), (50, 94), (34, 84), (16, 54), (22, 24)], (235, 160, 160), INK)
    c.blob([(50, 14), (73, 28), (78, 54), (62, 78), (50, 84), (38, 78), (22, 54), (27, 28)], (215, 230, 245), INK, 0.5)
    c.ellipse(42, 60, 13, 12, SKIN[0], INK)
    c.blob([(50, 52), (62, 40), (66, 52), (58, 66), (48, 70)], SKIN[0], INK)
    c.stroke([(60, 44), (50, 40), (46, 46)], SKIN[0], 4, True)
    c.stroke([(56, 60), (46, 50)], SKIN[1], 3)
    c.stroke([(58, 56), (68, 60), (66, 34), (60, 22)], (190, 110, 150), 1.8, True)
    c.ellipse(36, 61, 1, 0.6, INK, None)
    return c


@picture
def pelvic_bones():
    c = Canvas()
    for s in (-1, 1):
        c.blob([(50 + s * 6, 40), (50 + s * 30, 22), (50 + s * 38, 34), (50 + s * 28, 54), (50 + s * 22, 64), (50 + s * 20, 80), (50 + s * 12, 78), (50 + s * 3, 66), (50 + s * 14, 58)], BONE, INK)
        c.ellipse(50 + s * 14, 70, 4, 5, (255, 255, 255), INK, 0.7)
    c.blob([(42, 34), (58, 34), (56, 52), (50, 62), (44, 52)], (230, 220, 195), INK)
    for y in (40, 46, 52):
        for s in (-1, 1):
            c.ellipse(50 + s * 3, y, 0.9, 0.9, INK, None)
    c.label(4, 8, "ILIUM", (24, 30))
    c.label(66, 88, "PUBIS", (54, 68))
    return c


@picture
def breast_section():
    c = Canvas()
    c.polygon(curve([(20, 4), (24, 24), (40, 38), (66, 50), (74, 56), (66, 64), (40, 74), (22, 86), (20, 98)], closed=False)
              + [(8, 98), (8, 4)], (250, 230, 160), INK, 0.9)
    c.box(8, 4, 15, 98, (205, 110, 100), INK, 0.6)
    for a in np.linspace(-0.7, 0.7, 7):
        x, y = 72 - 30 * np.cos(a), 56 + 30 * np.sin(a)
        c.stroke([(72, 56), ((72 + x) / 2 + 2, (56 + y) / 2), (x, y)], (220, 110, 140), 1, True)
        for dx, dy in ((0, 0), (-3, -2), (-3, 2)):
            c.ellipse(x + dx, y + dy, 2.2, 2, (235, 150, 170), INK, 0.4)
    c.ellipse(73, 56, 3.4, 4, (190, 110, 100), INK, 0.6)
    c.ellipse(40, 42, 2.6, 2.2, (120, 40, 90), INK, 0.5)
    c.label(62, 20, "LOBULE", (46, 44))
    c.label(78, 74, "DUCT", (66, 58))
    return c
