# SPDX-License-Identifier: Apache-2.0
"""Everything about words: what a picture is called, how often it is drawn, what may be mirrored.

A picture is an item of the index: `name` (with which it is held out), `caption` ("red apple"),
`style` ("twemoji style emoji"), `tags` (keywords). Found colours and other names are added to it by
`describe`. All choices are drawn from the given random.Random.
"""

import re

import numpy as np

COLOURS = "red orange yellow green blue purple pink brown black gray white".split()

# Inks and grounds for one-colour icons.
PAINTS = {
    "red": (226, 42, 48), "orange": (249, 132, 20), "yellow": (252, 212, 30),
    "green": (44, 160, 60), "blue": (32, 100, 222), "purple": (134, 60, 190),
    "pink": (244, 120, 178), "brown": (128, 78, 44), "black": (24, 24, 26),
    "gray": (140, 144, 150), "white": (255, 255, 255), "teal": (14, 150, 150),
}

SIDED = re.compile(
    r"\d|flag|thirty|\b(left|right|east|west|north|south|clock|oclock|o.clock|letter|button|input|"
    r"arrow|map|calendar|text|sign|symbol|number|keycap|abc|abcd|backhand|treble|musical|score|"
    r"zodiac)\b"
)


def is_flag(item):
    return re.search(r"\bflags?\b", item["caption"]) is not None


def may_mirror(item):
    return not SIDED.search(item["caption"]) and not any(SIDED.search(t) for t in item["tags"])


def weight(item):
    """How often a picture is drawn, 1 being usual: flags are many and alike, icons serve colour."""
    if item.get("ink"):
        return 0.4
    return 0.2 if is_flag(item) else 1.0


def hue_word(hue, saturation, value):
    """Colour words of pixels, as indices into COLOURS; all three are arrays."""
    word = np.select(
        [hue < 14, hue < 45, hue < 68, hue < 165, hue < 245, hue < 300, hue < 342],
        [0, 1, 2, 3, 4, 5, 6], 0)
    word = np.where((word == 0) & (value > 0.85) & (saturation < 0.65), 6, word)
    word = np.where((word == 1) & (value < 0.68), 7, word)
    word = np.where((word == 4) & (value < 0.3), 8, word)
    pale = np.select([value < 0.3, value < 0.85], [8, 9], 10)
    return np.where(saturation < 0.2, pale, word)


def dominant_colour(pixels):
    """The one colour word for a uint8 picture on white, or None when no colour holds 60 %."""
    step = max(1, pixels.shape[0] // 64)
    rgb = pixels[::step, ::step].reshape(-1, 3).astype(np.float32) / 255
    everything = len(rgb)
    rgb = rgb[rgb.min(1) < 0.92]
    if len(rgb) < everything // 40:
        return None
    high, low = rgb.max(1), rgb.min(1)
    spread = np.maximum(high - low, 1e-6)
    r, g, b = rgb.T
    hue = np.select([high == r, high == g], [(g - b) / spread, 2 + (b - r) / spread],
                    4 + (r - g) / spread) * 60 % 360
    saturation = np.where(high > 0, (high - low) / np.maximum(high, 1e-6), 0)
    counts = np.bincount(hue_word(hue, saturation, high), minlength=len(COLOURS))
    best = int(counts.argmax())
    return COLOURS[best] if counts[best] > 0.6 * len(rgb) else None


def describe(item, pixels, aliases):
    """The item with what its pixels and the list of other names add."""
    names = aliases.get(item["name"], aliases.get(item["caption"].replace(" ", "-"), []))
    tags = [t.lower() for t in item.get("tags", [])]
    return {**item, "tags": tags, "aliases": names, "colour": dominant_colour(pixels)}


def paint(item, rnd):
    """A one-colour icon as an item of its own: an ink, a ground, and both in its words."""
    ink = rnd.choice([c for c in PAINTS if c != "white"])
    ground = "white" if rnd.random() < 0.5 else rnd.choice([c for c in PAINTS if c != ink])
    return {**item, "tags": [], "aliases": [], "colour": None, "ink": ink, "ground": ground}


def painted_caption(item, rnd):
    name, kind = item["caption"], rnd.choice([item["style"], "icon"])
    text = f"{item['ink']} {name}" + (f" {kind}" if rnd.random() < 0.7 else f", {kind}")
    if rnd.random() < 0.5:
        text = ("an " if item["ink"] == "orange" else "a ") + text
    if item["ground"] != "white" or rnd.random() < 0.3:
        text += " on " + item["ground"]
    return text


def caption(item, rnd):
    """One way to ask for this picture: name, name and style, another name, keywords, colour."""
    if item.get("ink"):
        return painted_caption(item, rnd)
    text, tags, style = item["caption"], item["tags"], item["style"]
    if item["aliases"] and rnd.random() < 0.4:
        text, tags = rnd.choice(item["aliases"]), []
    colour = item["colour"]
    if colour and rnd.random() < 0.2 and not set(COLOURS) & set(text.split()):
        text = f"{colour} {text}"
    r = rnd.random()
    if r < 0.3:
        return text
    if r < 0.75 or not tags:
        return f"{text}, {style}"
    if r < 0.85:
        return ", ".join(rnd.sample(tags, min(len(tags), rnd.randint(1, 2)))) + f", {style}"
    text += ", " + ", ".join(rnd.sample(tags, min(len(tags), rnd.randint(1, 3))))
    return f"{text}, {style}" if rnd.random() < 0.6 else text


def variants(item, count, rnd):
    return [caption(item, rnd) for _ in range(count)]


def all_words(item):
    """The texts whose words the tokenizer counts."""
    return [item["caption"], item["style"], *item.get("tags", [])]
