# SPDX-License-Identifier: Apache-2.0
"""Cells, tissues, charts, skin, and what machines show of the inside."""
import numpy as np

from canvas import BLUE, GREEN, INK, PURPLE, RED, SKIN, YELLOW, Canvas, curve, picture


@picture
def neuron():
    c = Canvas((250, 248, 255))
    for a in np.linspace(0.6, 5.6, 9):
        x, y = 28 + 9 * np.cos(a), 40 + 9 * np.sin(a)
        c.stroke([(28, 40), (x, y), (x + 8 * np.cos(a + 0.3), y + 8 * np.sin(a + 0.3))], PURPLE, 1.8, True)
        c.stroke([(x, y), (x + 8 * np.cos(a - 0.5), y + 8 * np.sin(a - 0.5))], PURPLE, 1)
    c.stroke([(30, 42), (50, 54), (74, 62), (90, 78)], PURPLE, 1.6, True)
    for x, y, a in [(44, 50, 28), (56, 56.5, 24), (68, 60.5, 20)]:
        c.ellipse(x, y, 5, 2.4, (240, 215, 140), INK, 0.5, angle=a)
    c.blob([(20, 38), (28, 31), (37, 38), (34, 48), (24, 48)], (190, 150, 215), INK)
    c.ellipse(28, 40, 4, 4, (110, 60, 150), INK, 0.5)
    c.label(56, 30, "AXON", (60, 57))
    c.label(4, 84, "DENDRITE", (22, 54))
    return c


@picture
def blood_cells():
    c = Canvas((252, 240, 236), 3)
    for x, y in c.scatter(26, None, 11):
        c.ellipse(x, y, 6, 5.4, (215, 80, 80), (170, 50, 55))
        c.ellipse(x, y, 2.6, 2.2, (232, 130, 125), None)
    for x, y in [(30, 34), (70, 66)]:
        c.ellipse(x, y, 9, 9, (225, 215, 240), (120, 110, 160))
        for dx, dy in [(-3, -2), (2, -3), (1, 3)]:
            c.ellipse(x + dx, y + dy, 3, 2.6, PURPLE, None)
    return c


@picture
def bacteria():
    c = Canvas((235, 245, 235), 5)
    for x, y in c.scatter(18, None, 12):
        a = c.random.rand() * 180
        dx, dy = 4 * np.cos(np.radians(a)), 4 * np.sin(np.radians(a))
        c.stroke([(x - dx, y - dy), (x + dx, y + dy)], (60, 110, 80), 5.4)
        c.stroke([(x - dx, y - dy), (x + dx, y + dy)], (130, 195, 140), 4)
        c.stroke([(x + dx, y + dy), (x + 2 * dx + 2, y + 2 * dy), (x + 3 * dx, y + 3 * dy + 2)], (60, 110, 80), 0.5, True)
    return c


@picture
def mitosis():
    c = Canvas()
    for i in range(4):
        x, y = 26 + 48 * (i % 2), 26 + 46 * (i // 2)
        if i == 3:
            c.ellipse(x - 9, y, 11, 15, (225, 240, 225), INK)
            c.ellipse(x + 9, y, 11, 15, (225, 240, 225), INK)
        else:
            c.ellipse(x, y, 18, 16, (225, 240, 225), INK)
        for k in range(4):
            dy, spread = (k - 1.5) * 5, (0, 1, 6, 9)[i]
            for s in (-1, 1):
                c.stroke([(x + s * spread + s, y + dy - 2), (x + s * spread, y + dy), (x + s * spread + s, y + dy + 2)],
                         (PURPLE, RED)[k % 2], 1.2)
    c.text(6, 46, "1 PROPHASE")
    c.text(54, 46, "2 METAPHASE")
    c.text(6, 93, "3 ANAPHASE")
    c.text(54, 93, "4 TELOPHASE")
    return c


@picture
def histology():
    c = Canvas((240, 184, 208), 7)
    for x, y in c.scatter(13, None, 20):
        c.ellipse(x, y, 7, 6, (252, 240, 246), None)
        for a in np.linspace(0, 6.28, 13)[:-1]:
            c.ellipse(x + 9 * np.cos(a), y + 8 * np.sin(a), 1.9, 1.5, (110, 60, 140), None)
    for x, y in c.scatter(90, None, 2.5):
        c.ellipse(x, y, 1.1, 0.8, (130, 80, 150), None, angle=c.random.rand() * 180)
    return c


@picture
def adipose_tissue():
    c = Canvas((235, 150, 180), 9)
    for x, y in c.scatter(54, None, 10.5):
        c.ellipse(x, y, 6, 5.6, (252, 246, 250), (190, 90, 130), 0.6)
    for x, y in c.scatter(30, None, 12):
        c.ellipse(x, y, 1.3, 0.8, PURPLE, None)
    return c


@picture
def dna():
    c = Canvas((245, 248, 255))
    t = np.linspace(0, 1, 60)
    for i in range(0, 60, 3):
        y = 6 + 88 * t[i]
        x = 18 * np.sin(t[i] * 12)
        c.stroke([(50 - x, y), (50, y)], (RED, GREEN, BLUE, YELLOW)[i // 3 % 4], 1.6)
        c.stroke([(50, y), (50 + x, y)], (GREEN, RED, YELLOW, BLUE)[i // 3 % 4], 1.6)
    for s in (-1, 1):
        c.stroke([(50 + s * 18 * np.sin(v * 12), 6 + 88 * v) for v in t], (70, 80, 120), 2)
    return c


@picture
def virus():
    c = Canvas((238, 244, 248))
    for a in np.linspace(0, 2 * np.pi, 19)[:-1]:
        x, y = 50 + 34 * np.cos(a), 50 + 34 * np.sin(a)
        c.stroke([(50, 50), (x, y)], (150, 60, 70), 1.6)
        c.ellipse(x, y, 3, 3, (200, 80, 90), INK, 0.5)
    c.ellipse(50, 50, 25, 25, (170, 190, 205), INK)
    c.stroke([(36, 50), (42, 42), (50, 54), (58, 44), (64, 52)], (90, 80, 140), 1.6, True)
    return c


@picture
def ecg():
    c = Canvas((255, 245, 240))
    for i in range(0, 101, 4):
        c.stroke([(i, 0), (i, 100)], (245, 200, 195), 0.7 if i % 20 == 0 else 0.3)
        c.stroke([(0, i), (100, i)], (245, 200, 195), 0.7 if i % 20 == 0 else 0.3)
    for y in (26, 54, 82):
        line = []
        for beat in range(4):
            x = beat * 25
            line += [(x, y), (x + 5, y), (x + 7, y - 3), (x + 9, y), (x + 11, y), (x + 12, y + 3), (x + 13.4, y - 17),
                     (x + 15, y + 5), (x + 16, y), (x + 19, y), (x + 21, y - 5), (x + 23.5, y)]
        c.stroke(line, INK, 0.8)
    c.text(3, 6, "LEAD II 25 MM PER S")
    return c


def axes(c, title):
    c.stroke([(14, 12), (14, 84), (94, 84)], INK, 0.9)
    c.text(16, 4, title)
    for i in range(1, 5):
        c.stroke([(14, 84 - 16 * i), (94, 84 - 16 * i)], (225, 225, 225), 0.5)


@picture
def bar_chart():
    c = Canvas()
    axes(c, "SURVIVAL BY STAGE")
    for i, h in enumerate((62, 54, 38, 17)):
        c.box(20 + 18 * i, 84 - h, 32 + 18 * i, 84, (BLUE, GREEN, YELLOW, RED)[i], INK, 0.5)
        c.text(23 + 18 * i, 88, "I" * (i + 1) if i < 3 else "IV")
    return c


@picture
def dose_response():
    c = Canvas()
    axes(c, "DOSE RESPONSE")
    for k, colour in ((40, BLUE), (60, RED)):
        c.stroke([(14 + x, 82 - 62 / (1 + np.exp(-(x + 14 - k) / 6))) for x in range(0, 79, 2)], colour, 1.2)
    c.text(40, 90, "LOG DOSE")
    return c


@picture
def survival_curve():
    c = Canvas()
    axes(c, "KAPLAN MEIER")
    for drop, colour in ((4.2, BLUE), (7.5, RED)):
        line, y = [(14, 16)], 16
        for x in range(20, 94, 8):
            line += [(x, y), (x, min(80, y + drop))]
            y = min(80, y + drop)
        c.stroke(line + [(94, y)], colour, 1.2)
    c.text(40, 90, "MONTHS")
    return c


@picture
def growth_chart():
    c = Canvas((255, 250, 240))
    axes(c, "WEIGHT FOR AGE GIRLS")
    for k in range(5):
        c.stroke([(14 + x, 80 - (22 + 7 * k) * np.sqrt(x / 80) - 6 * k * x / 80) for x in range(0, 80, 2)],
                 (210, 110, 150), 0.8 if k != 2 else 1.5)
    for x in range(4, 60, 9):
        c.ellipse(14 + x, 78 - 36 * np.sqrt(x / 80), 1.2, 1.2, INK, None)
    return c


def skin(tone, seed):
    c = Canvas(SKIN[tone], seed)
    c.noise(18, 5)
    c.noise(2.4, 4)
    c.noise(0.9, 3)
    for _ in range(60):
        x, y = c.random.rand(2) * 100
        a = c.random.rand() * 6.28
        c.stroke([(x, y), (x + 5 * np.cos(a), y + 5 * np.sin(a))], tuple(int(v * 0.9) for v in SKIN[tone]), 0.4, alpha=0.5)
    return c


@picture
def melanoma_signs():
    c = Canvas()
    for i, words in enumerate(("ASYMMETRY", "BORDER", "COLOUR", "DIAMETER")):
        x, y = 26 + 48 * (i % 2), 24 + 46 * (i // 2)
        c.box(x - 20, y - 18, x + 20, y + 18, SKIN[1], INK)
        pts = [(x + (7 + 4 * np.sin(3 * a + i) + i) * np.cos(a), y + (6 + 3 * np.cos(2 * a * (i + 1))) * np.sin(a))
               for a in np.linspace(0, 6.28, 13)[:-1]]
        c.blob(pts, (110, 65, 45), None)
        if i == 2:
            c.glow(x + 2, y, 4, 4, (40, 30, 40), 0.9)
        c.text(x - 18, y + 19, words)
    return c


@picture
def dermatology_rash():
    c = skin(1, 21)
    for x, y in c.scatter(40, None, 7):
        c.glow(x, y, 3.4, 3, (205, 85, 80), 0.75)
    return c


@picture
def dermatology_mole():
    c = skin(2, 23)
    c.glow(52, 48, 10, 8, (90, 50, 38), 0.9)
    c.glow(49, 46, 5, 4, (50, 28, 25), 0.8)
    c.stroke([(20, 88), (80, 88)], (20, 20, 20), 1)
    for i in range(7):
        c.stroke([(20 + 10 * i, 86), (20 + 10 * i, 90)], (20, 20, 20), 0.8)
    return c


@picture
def dermatology_dark():
    c = skin(4, 25)
    for x, y in c.scatter(14, None, 16):
        c.glow(x, y, 5, 4, (170, 130, 115), 0.6)
    return c


@picture
def wound_stitches():
    c = skin(1, 27)
    c.stroke([(14, 56), (40, 48), (62, 52), (88, 44)], (170, 60, 55), 3, True)
    for i in range(9):
        x = 18 + 8.4 * i
        y = 54 - 1.2 * i
        c.stroke([(x, y - 6), (x + 1, y + 6)], (30, 30, 60), 1)
        c.ellipse(x, y - 6, 0.9, 0.9, (30, 30, 60), None)
    return c


@picture
def mammogram():
    c = Canvas((6, 6, 8), 11)
    shape = c.to_polygon(curve([(-6, 6), (20, 16), (46, 34), (58, 52), (44, 74), (18, 90), (-6, 98)]))
    c.area(shape, (95, 95, 100))
    c.noise(6, 18, shape)
    c.noise(2, 10, shape)
    for x, y in ((24, 44), (30, 60), (16, 66)):
        c.glow(x, y, 10, 8, (185, 185, 190), 0.5)
    c.glow(36, 50, 3, 3, (245, 245, 245), 0.9)
    c.text(70, 6, "L CC", (220, 220, 220))
    return c


@picture
def ultrasound():
    c = Canvas((4, 4, 6), 31)
    fan = np.maximum(c.to_ellipse(50, -6, 98, 98), np.abs(c.x - 50) - (c.y + 6) * 0.62)
    fan = np.maximum(fan, -c.to_ellipse(50, -6, 14, 14))
    c.area(fan, (62, 62, 64))
    c.noise(2.4, 26, fan)
    c.noise(1.2, 20, fan)
    c.area(np.maximum(c.to_ellipse(50, 52, 24, 17), fan), (8, 8, 10))
    c.glow(44, 54, 9, 6, (170, 170, 172), 0.8)
    c.glow(56, 50, 6, 4, (150, 150, 152), 0.8)
    return c


@picture
def ct_slice():
    c = Canvas((2, 2, 2), 33)
    shape = c.to_ellipse(50, 52, 44, 32)
    c.area(shape, (90, 90, 90))
    c.noise(4, 8, shape)
    c.area(c.to_ellipse(50, 52, 40, 28), (120, 120, 120))
    c.ellipse(34, 46, 18, 15, (150, 150, 150), None)
    c.ellipse(66, 44, 9, 8, (60, 60, 60), None)
    c.ellipse(50, 74, 6, 5, (245, 245, 245), None)
    c.ellipse(50, 66, 3, 3, (190, 190, 190), None)
    for a in np.linspace(0.3, 6, 12):
        c.ellipse(50 + 41 * np.cos(a), 52 + 29 * np.sin(a), 2.4, 1.6, (240, 240, 240), None)
    return c


@picture
def mri_brain():
    c = Canvas((3, 3, 4), 35)
    c.ellipse(50, 50, 38, 44, (190, 190, 190), None)
    c.ellipse(50, 50, 35, 41, (25, 25, 25), None)
    shape = c.to_ellipse(50, 50, 33, 39)
    c.area(shape, (120, 120, 122))
    c.noise(5, 22, shape)
    for s in (-1, 1):
        c.blob([(50 + s * 3, 38), (50 + s * 8, 32), (50 + s * 9, 46), (50 + s * 4, 58)], (30, 30, 34), None)
    c.stroke([(50, 12), (50, 88)], (30, 30, 32), 1)
    return c


@picture
def xray_chest():
    c = Canvas((10, 12, 16), 37)
    c.blob([(50, 6), (80, 18), (88, 60), (84, 98), (16, 98), (12, 60), (20, 18)], (120, 124, 130), None)
    for s in (-1, 1):
        c.blob([(50 + s * 8, 22), (50 + s * 24, 26), (50 + s * 28, 60), (50 + s * 24, 78), (50 + s * 8, 72)], (38, 42, 48), None)
        for i in range(7):
            c.stroke([(50 + s * 5, 24 + 8 * i), (50 + s * 20, 26 + 8 * i), (50 + s * 29, 36 + 8 * i)], (150, 154, 160), 1.4, True, alpha=0.6)
    c.glow(54, 60, 13, 14, (190, 194, 198), 0.8)
    c.stroke([(50, 6), (50, 96)], (175, 178, 184), 4, alpha=0.7)
    return c


@picture
def fitzpatrick_ladder():
    c = Canvas()
    for i, tone in enumerate(SKIN):
        c.box(6 + 15 * i, 22, 19 + 15 * i, 78, tone, INK, 0.5)
        c.text(10 + 15 * i, 82, str(i + 1))
    c.text(6, 10, "SKIN TYPES 1 TO 6")
    return c
