# SPDX-License-Identifier: Apache-2.0
"""AutoencoderKL and AutoencoderTiny with diffusers' parameter names; sizes come from config.json.

AutoencoderKL is the one we train. AutoencoderTiny is read only: the seed's decoder, and TAESD as a
frozen teacher. Both offer `encode` (pictures in [-1, 1] to latents as the UNet sees them) and
`decode` (back, not clamped).
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from unet import Resnet, Upsample

EPS = 1e-6


class PixelAttention(nn.Module):
    """One head over all pixels, as AutoencoderKL's middle has it."""

    def __init__(self, dim, groups):
        super().__init__()
        self.group_norm = nn.GroupNorm(groups, dim, eps=EPS)
        self.to_q, self.to_k, self.to_v = (nn.Linear(dim, dim) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(dim, dim), nn.Identity()])

    def forward(self, x):
        b, d, h, w = x.shape
        y = self.group_norm(x).permute(0, 2, 3, 1).reshape(b, 1, h * w, d)
        y = F.scaled_dot_product_attention(self.to_q(y), self.to_k(y), self.to_v(y))
        return x + self.to_out[0](y[:, 0]).view(b, h, w, d).permute(0, 3, 1, 2)


class Middle(nn.Module):
    def __init__(self, dim, groups):
        super().__init__()
        self.resnets = nn.ModuleList([Resnet(dim, dim, groups, EPS) for _ in range(2)])
        self.attentions = nn.ModuleList([PixelAttention(dim, groups)])

    def forward(self, x):
        return self.resnets[1](self.attentions[0](self.resnets[0](x)))


class Shrink(nn.Module):
    """Stride 2 with the padding at the right and the bottom only, as AutoencoderKL pads."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x):
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Stage(nn.Module):
    def __init__(self, resnets, name=None, change=None):
        super().__init__()
        self.resnets = nn.ModuleList(resnets)
        self.name = name
        if name:
            setattr(self, name, nn.ModuleList([change]))

    def forward(self, x):
        for r in self.resnets:
            x = r(x)
        return getattr(self, self.name)[0](x) if self.name else x


class Encoder(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        widths, groups = cfg["block_out_channels"], cfg["norm_num_groups"]
        c = widths[0]
        self.conv_in = nn.Conv2d(cfg["in_channels"], c, 3, padding=1)
        self.down_blocks = nn.ModuleList()
        for i, w in enumerate(widths):
            resnets = []
            for _ in range(cfg["layers_per_block"]):
                resnets.append(Resnet(c, w, groups, EPS))
                c = w
            more = i + 1 < len(widths)
            change = ("downsamplers", Shrink(c)) if more else ()
            self.down_blocks.append(Stage(resnets, *change))
        self.mid_block = Middle(c, groups)
        self.conv_norm_out = nn.GroupNorm(groups, c, eps=EPS)
        self.conv_out = nn.Conv2d(c, 2 * cfg["latent_channels"], 3, padding=1)

    def forward(self, x):
        x = self.conv_in(x)
        for stage in self.down_blocks:
            x = stage(x)
        return self.conv_out(F.silu(self.conv_norm_out(self.mid_block(x))))


class Decoder(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        widths, groups = cfg["block_out_channels"][::-1], cfg["norm_num_groups"]
        c = widths[0]
        self.conv_in = nn.Conv2d(cfg["latent_channels"], c, 3, padding=1)
        self.mid_block = Middle(c, groups)
        self.up_blocks = nn.ModuleList()
        for i, w in enumerate(widths):
            resnets = []
            for _ in range(cfg["layers_per_block"] + 1):
                resnets.append(Resnet(c, w, groups, EPS))
                c = w
            more = i + 1 < len(widths)
            change = ("upsamplers", Upsample(c)) if more else ()
            self.up_blocks.append(Stage(resnets, *change))
        self.conv_norm_out = nn.GroupNorm(groups, c, eps=EPS)
        self.conv_out = nn.Conv2d(c, cfg["out_channels"], 3, padding=1)

    def forward(self, z):
        x = self.mid_block(self.conv_in(z))
        for stage in self.up_blocks:
            x = stage(x)
        return self.conv_out(F.silu(self.conv_norm_out(x)))


class AutoencoderKL(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        c = cfg["latent_channels"]
        self.factor = cfg["scaling_factor"]
        self.encoder, self.decoder = Encoder(cfg), Decoder(cfg)
        self.quant_conv = nn.Conv2d(2 * c, 2 * c, 1)
        self.post_quant_conv = nn.Conv2d(c, c, 1)

    def moments(self, x):
        mean, logvar = self.quant_conv(self.encoder(x)).float().chunk(2, 1)
        return mean, logvar.clamp(-30, 20)

    def encode(self, x):
        return self.moments(x)[0] * self.factor

    def decode(self, z):
        return self.decoder(self.post_quant_conv(z / self.factor))

    @torch.no_grad()
    def fold(self, mean, std):
        """Makes the latents zero mean and unit deviation, channel by channel.

        The statistics go into the two 1x1 convolutions, so scaling_factor stays 1 and every program
        that knows AutoencoderKL sees such latents. The pictures that come back are the same.
        """
        n, q, p = len(mean), self.quant_conv, self.post_quant_conv
        q.bias[:n] = (q.bias[:n] - mean) / std
        q.weight[:n] /= std[:, None, None, None]
        q.bias[n:] -= 2 * std.log()
        p.bias += (p.weight[:, :, 0, 0] @ mean).to(p.bias.dtype)
        p.weight *= std[None, :, None, None]


class TinyBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        convs = [nn.Conv2d(c, c, 3, padding=1) for _ in range(3)]
        self.conv = nn.Sequential(convs[0], nn.ReLU(), convs[1], nn.ReLU(), convs[2])

    def forward(self, x):
        return F.relu(self.conv(x) + x)


class TinyHalf(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)


class AutoencoderTiny(nn.Module):
    def __init__(self, cfg):
        super().__init__()

        def conv(a, b, **more):
            return nn.Conv2d(a, b, 3, padding=1, **more)

        self.factor = cfg["scaling_factor"]
        wide_e, wide_d = cfg["encoder_block_out_channels"], cfg["decoder_block_out_channels"]
        e = []
        for i, n in enumerate(cfg["num_encoder_blocks"]):
            w = wide_e[i]
            e.append(conv(w, w, stride=2, bias=False) if i else conv(cfg["in_channels"], w))
            e += [TinyBlock(w) for _ in range(n)]
        e.append(conv(wide_e[-1], cfg["latent_channels"]))
        d = [conv(cfg["latent_channels"], wide_d[0]), nn.ReLU()]
        for i, n in enumerate(cfg["num_decoder_blocks"]):
            last = i + 1 == len(cfg["num_decoder_blocks"])
            d += [TinyBlock(wide_d[i]) for _ in range(n)]
            d += [] if last else [nn.Upsample(scale_factor=2, mode="nearest")]
            d.append(conv(wide_d[i], cfg["out_channels"] if last else wide_d[i], bias=last))
        self.encoder, self.decoder = TinyHalf(e), TinyHalf(d)

    def encode(self, x):
        return self.encoder.layers((x + 1) / 2).float() * self.factor

    def decode(self, z):
        return self.decoder.layers(torch.tanh(z / self.factor / 3) * 3) * 2 - 1

    def features(self, x):
        """What the encoder sees at half, a quarter and an eighth of the size."""
        x, found = (x + 1) / 2, []
        for layer in self.encoder.layers[:-1]:
            if isinstance(layer, nn.Conv2d) and layer.stride == (2, 2):
                found.append(x)
            x = layer(x)
        return found[1:] + [x]


def make(cfg):
    kinds = {"AutoencoderKL": AutoencoderKL, "AutoencoderTiny": AutoencoderTiny}
    return kinds[cfg["_class_name"]](cfg)
