# SPDX-License-Identifier: Apache-2.0
"""Stage 4: the text encoder and the UNet together, on cached latents, with v-prediction.

Everything lies in the device's memory: latents in float16, `--variants` captions of every item as
token ids. A tenth of the prompts is empty, for guidance. The folder's weights are the start with
`--from-model`, which is how an exported model is trained further where no checkpoint is left.
"""

import argparse
import json
import random

import torch
import torch.nn as nn

import captions
import diffusion
import folder
from bpe import Tokenizer
from loop import Place, Trainer, arguments
from unet import start_fresh


class Denoiser(nn.Module):
    def __init__(self, unet, text):
        super().__init__()
        self.unet, self.text = unet, text

    def forward(self, x, t, ids):
        return self.unet(x, t, self.text(ids))


def denoiser(model, trained):
    get = folder.load if trained else folder.fresh
    net = Denoiser(get(model, "unet"), get(model, "text_encoder"))
    if not trained:
        start_fresh(net.unet)
    return net.train()


class Batches:
    def __init__(self, a, place):
        saved = torch.load(a.latents, weights_only=True)
        items, d = json.loads(saved["items"]), place.device
        tok, rnd = Tokenizer(f"{a.model}/tokenizer"), random.Random(a.seed)
        ids = [[tok(c) for c in captions.variants(m, a.variants, rnd)] for m in items]
        self.a, self.place = a, place
        self.latents, self.ids = saved["latents"].to(d), torch.tensor(ids, dtype=torch.int32).to(d)
        self.empty = torch.tensor(tok(""), device=d)
        self.weights = torch.tensor([captions.weight(m) for m in items], device=d)
        self.alphas = diffusion.alphas(
            folder.read_json(f"{a.model}/scheduler/scheduler_config.json")).to(d)
        print(f"{len(items)} items, {self.latents.shape[1]} views, {a.variants} captions each;"
              f" for example: {'; '.join(captions.variants(items[0], 4, rnd))}", flush=True)

    def integers(self, top, n):
        return torch.randint(top, (n,), generator=self.place.generator, device=self.place.device)

    def uniform(self, n):
        return torch.rand(n, generator=self.place.generator, device=self.place.device)

    def draw(self, n):
        """Latents, ids and times of n samples; the times are spread evenly over the schedule and
        then leant to the noisy end, where the prompt decides."""
        g = self.place.generator
        i = torch.multinomial(self.weights, n, replacement=True, generator=g)
        z = self.latents[i, self.integers(self.latents.shape[1], n)].float()
        ids = self.ids[i, self.integers(self.a.variants, n)].long()
        ids = torch.where(self.uniform(n)[:, None] < 0.1, self.empty, ids)
        even = (torch.arange(n, device=z.device) + self.uniform(n)) / n
        top = len(self.alphas)
        t = (even**self.a.time_power * top).long().clamp(max=top - 1)
        return z, ids, t


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--model", required=True, help="folder with configurations and tokenizer")
    p.add_argument("--latents", required=True, help="what cache_latents.py wrote")
    p.add_argument("--from-model", action="store_true", help="start from the folder's weights")
    p.add_argument("--batch", type=int, default=512)
    p.add_argument("--rate", type=float, default=6e-4)
    p.add_argument("--ema", type=float, default=0.9995)
    p.add_argument("--variants", type=int, default=24, help="captions drawn for each item")
    p.add_argument("--time-power", type=float, default=0.8, help="below 1: more noisy times")
    arguments(p)
    a = p.parse_args()
    place = Place(a)
    batches = Batches(a, place)
    net = place.put(denoiser(a.model, a.from_model))
    copy = place.put(denoiser(a.model, False))
    trainer = Trainer(a, place, net, copy, a.ema, a.rate)
    predict = place.compiled(net)
    sizes = [sum(q.numel() for q in m.parameters()) / 1e6 for m in (net.unet, net.text)]
    print("UNet {:.2f} M, text encoder {:.2f} M parameters".format(*sizes), flush=True)

    def loss_of(_, __):
        z, ids, t = batches.draw(a.batch)
        noise = torch.randn(z.shape, generator=place.generator, device=z.device)
        ab = batches.alphas[t]
        x, v = diffusion.add_noise(z, noise, ab)
        x = x.contiguous(memory_format=torch.channels_last)
        with place.autocast():
            said = predict(x, t, ids)
        error = (said.float() - v).square().mean((1, 2, 3))
        loss = (diffusion.min_snr(ab) * error).mean()
        return loss, {"loss": loss, "v_error": error.mean()}

    trainer.run(loss_of, a.batch, ["loss", "v_error"])


if __name__ == "__main__":
    main()
