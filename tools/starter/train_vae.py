# SPDX-License-Identifier: Apache-2.0
"""Stage 2: the autoencoder. Pictures in, the same pictures out, through 4 numbers per 8x8 pixels.

Random crops first, whole pictures for the rest (`--whole-after`). The loss is L1 at three scales
and of the gradients, the distance in a frozen TAESD encoder's features when `--teacher` names one,
and a small KL term. Statistics of the latents go into the checkpoint; export.py folds them in.
"""

import argparse

import torch
import torch.nn as nn
import torch.nn.functional as F

import data
import folder
from autoencoder import AutoencoderTiny
from captions import PAINTS
from loop import Place, Trainer, arguments


class RoundTrip(nn.Module):
    """The part that is compiled: moments, a draw, the picture again."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x, noise):
        mean, logvar = self.net.moments(x)
        z = mean + (0.5 * logvar).exp() * noise
        kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
        return self.net.decode(z).float(), kl


def edges(x):
    return x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]


def distance(y, x):
    """L1 at full, half and quarter size and of the gradients, and a little square error."""
    loss = (y - x).abs().mean() + 2 * (y - x).square().mean()
    for k in (2, 4):
        loss = loss + 0.5 * (F.avg_pool2d(y, k) - F.avg_pool2d(x, k)).abs().mean()
    for a, b in zip(edges(y), edges(x)):
        loss = loss + 0.5 * (a - b).abs().mean()
    return loss


def read_teacher(path, place):
    if not path:
        return None
    net = AutoencoderTiny(folder.read_json(f"{path}/config.json"))
    net.load_state_dict(folder.read_safetensors(f"{path}/diffusion_pytorch_model.safetensors"))
    return place.put(net.eval().requires_grad_(False))


def taught(teacher, y, x):
    with torch.no_grad():
        want = teacher.features(x)
    return sum((a.float() - b.float()).abs().mean() for a, b in zip(teacher.features(y), want))


class Pictures:
    """Everything that may be trained on, in the device's memory as uint8; icons are painted anew
    each time."""

    def __init__(self, a, px, place):
        self.px, self.place = px, place
        items = data.training_items(a.data, a.sources, None, a.limit)
        self.plain = data.decode(a.data, items, px).to(place.device)
        self.masks = None
        if a.icons:
            icons = data.training_items(a.icons, None, None, a.limit)
            self.masks = data.decode(a.icons, icons, px, "L")[..., None].to(place.device)
        self.paints = torch.tensor(list(PAINTS.values()), device=place.device).float()
        print(f"{len(self.plain)} pictures, {0 if self.masks is None else len(self.masks)} icons",
              flush=True)

    def draw(self, of, n, size):
        g, d = self.place.generator, self.place.device
        index = torch.randint(len(of), (n,), generator=g, device=d)
        return data.crops(of, index, size, g)

    def batch(self, n, size):
        share = n // 8 if self.masks is not None else 0
        x = self.draw(self.plain, n - share, size)
        if not share:
            return x
        d, g = self.place.device, self.place.generator
        pick = torch.randint(len(self.paints), (2, share), generator=g, device=d)
        cover = (self.draw(self.masks, share, size) + 1) / 2
        icons = data.painted(cover, self.paints[pick[0]], self.paints[pick[1]])
        return torch.cat([x, icons]).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def measure(net, pictures, held, place):
    """dB on held-out pictures, and the latents' statistics on those trained on."""
    def parts(x, size=16):
        return (data.to_float(x[i : i + size]) for i in range(0, len(x), size))

    scores = []
    for x in parts(held.to(place.device)):
        with place.autocast():
            y = net.decode(net.encode(x)).float().clamp(-1, 1)
        scores.append(-10 * (((y - x) / 2) ** 2).mean((1, 2, 3)).log10())
    step = max(1, len(pictures.plain) // 1024)
    with place.autocast():
        z = torch.cat([net.moments(x)[0] for x in parts(pictures.plain[::step])])
    return {"db": torch.cat(scores).mean().item(),
            "mean": z.mean((0, 2, 3)).cpu(), "std": z.std((0, 2, 3)).cpu()}


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--model", required=True, help="folder with vae/config.json")
    p.add_argument("--data", required=True, help="prefix of the pictures' .bin and .jsonl.gz")
    p.add_argument("--icons", help="prefix of one-colour icons")
    p.add_argument("--sources", nargs="*", help="only these (default: all)")
    p.add_argument("--limit", type=int, default=0, help="at most so many pictures (and icons)")
    p.add_argument("--teacher", help="folder of TAESD as AutoencoderTiny")
    p.add_argument("--batch", type=int, default=64, help="whole pictures; four times as many crops")
    p.add_argument("--crop", type=int, default=0, help="pixels (default: half the size)")
    p.add_argument("--whole-after", type=float, default=0.6, help="progress")
    p.add_argument("--rate", type=float, default=6e-4)
    p.add_argument("--kl", type=float, default=1e-5, help="weight of the KL per latent value")
    p.add_argument("--ema", type=float, default=0.999)
    arguments(p)
    a = p.parse_args()
    place, px = Place(a), folder.config(a.model, "vae")["sample_size"]
    pictures = Pictures(a, px, place)
    held = data.decode(a.data, data.held_out_items(a.data, 48), px)
    teacher, crop = read_teacher(a.teacher, place), a.crop or px // 2
    net, copy = place.put(folder.fresh(a.model, "vae")), place.put(folder.fresh(a.model, "vae"))
    trainer = Trainer(a, place, net, copy, a.ema, a.rate)
    trip = place.compiled(RoundTrip(net))
    many = a.batch * (px // crop) ** 2

    def loss_of(_, progress):
        whole = progress >= a.whole_after
        size, n = (px, a.batch) if whole else (crop, many)
        x = pictures.batch(n, size)
        shape = (n, net.quant_conv.out_channels // 2, size // 8, size // 8)
        noise = torch.randn(shape, generator=place.generator, device=place.device)
        with place.autocast():
            y, kl = trip(x, noise)
            learnt = taught(teacher, y, x) if teacher else torch.zeros((), device=place.device)
        picture = distance(y, x)
        loss = picture + 0.5 * learnt + a.kl * kl
        return loss, {"picture": picture, "teacher": learnt, "kl": kl}

    trainer.run(loss_of, a.batch, ["picture", "teacher", "kl", "db"],
                lambda: measure(trainer.average.copy, pictures, held, place))


if __name__ == "__main__":
    main()
