# SPDX-License-Identifier: Apache-2.0
"""Stage 3: every picture through the shipped encoder once, in several views.

View 0 is the picture as it is, view 1 its mirror image where its words allow that, the others are
shifted and scaled a little. Icons come `--paints` times, each time painted with other colours that
its captions then name. The file holds latents [n, views, c, h, w] in float16 and the items.
"""

import argparse
import json
import random

import torch

import captions
import data
import folder
from loop import Place, device_arguments, save_checkpoint


def described(prefix, items, pictures, aliases):
    return [captions.describe(m, x.numpy(), aliases) for m, x in zip(items, pictures)]


def view_of(ink, view, mirror, generator):
    if view == 0:
        return ink
    if view == 1:
        return torch.where(mirror[:, None, None, None], ink.flip(3), ink)
    toss = torch.rand(len(ink), generator=generator, device=ink.device) < 0.5
    return data.moved(ink, mirror & toss, generator)


class Encoder:
    def __init__(self, model, place, views):
        self.net, self.place, self.views = place.put(folder.load(model, "vae")), place, views

    @torch.no_grad()
    def __call__(self, ink, mirror, finish):
        """ink: 0 where the ground is, so that what moves in from outside is ground; `finish` makes
        the picture of it. Returns [b, views, c, h, w]."""
        out = []
        for view in range(self.views):
            x = finish(view_of(ink, view, mirror, self.place.generator))
            with self.place.autocast():
                z = self.net.encode(x.contiguous(memory_format=torch.channels_last))
            out.append(z.half().cpu())
        return torch.stack(out, 1)


def plain_latents(encoder, items, pictures, batch):
    d, out = encoder.place.device, []
    mirror = torch.tensor([captions.may_mirror(m) for m in items])
    for i in range(0, len(items), batch):
        ink = 1 - data.to_float(pictures[i : i + batch].to(d))
        out.append(encoder(ink, mirror[i : i + batch].to(d), lambda v: 1 - v))
    return torch.cat(out)


def icon_latents(encoder, items, masks, batch):
    d, out = encoder.place.device, []
    inks, grounds = (t.to(d) for t in data.paints_of(items))
    mirror = torch.tensor([captions.may_mirror(m) for m in items])
    for i in range(0, len(items), batch):
        part = slice(i, i + batch)
        cover = masks[part, None].to(d).float() / 255
        out.append(encoder(cover, mirror[part].to(d),
                           lambda v: data.painted(v, inks[part], grounds[part])))
    return torch.cat(out)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--model", required=True, help="folder with the exported autoencoder")
    p.add_argument("--data", required=True, help="prefix of the pictures' .bin and .jsonl.gz")
    p.add_argument("--icons", help="prefix of one-colour icons")
    p.add_argument("--sources", nargs="*", help="only these (default: all)")
    p.add_argument("--names", nargs="*", help="files of names: only these")
    p.add_argument("--aliases", help="JSON: name to other names")
    p.add_argument("--limit", type=int, default=0, help="at most so many pictures (and icons)")
    p.add_argument("--views", type=int, default=4)
    p.add_argument("--paints", type=int, default=2)
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--out", required=True)
    device_arguments(p)
    a = p.parse_args()
    place = Place(a)
    px = folder.config(a.model, "unet")["sample_size"] * 8
    encoder = Encoder(a.model, place, a.views)

    items = data.training_items(a.data, a.sources, data.read_names(a.names), a.limit)
    pictures = data.decode(a.data, items, px)
    items = described(a.data, items, pictures, folder.read_json(a.aliases) if a.aliases else {})
    latents = [plain_latents(encoder, items, pictures, a.batch)]
    coloured = sum(m["colour"] is not None for m in items)
    print(f"{len(items)} pictures, {coloured} with a colour word,"
          f" {sum(bool(m['aliases']) for m in items)} with other names", flush=True)
    if a.icons:
        icons = data.training_items(a.icons, None, None, a.limit)
        masks = data.decode(a.icons, icons, px, "L").repeat(a.paints, 1, 1)
        rnd = random.Random(a.seed)
        icons = [captions.paint(m, rnd) for _ in range(a.paints) for m in icons]
        latents.append(icon_latents(encoder, icons, masks, a.batch))
        items += icons
        print(f"{len(icons)} painted icons", flush=True)
    latents = torch.cat(latents)
    print(f"latents {list(latents.shape)}, mean {latents.float().mean():.3f},"
          f" deviation {latents.float().std():.3f}", flush=True)
    save_checkpoint(a.out, {"latents": latents, "items": json.dumps(items)})


if __name__ == "__main__":
    main()
