# SPDX-License-Identifier: Apache-2.0
"""UNet2DConditionModel with diffusers' parameter names; sizes come from its config.json.

Known here: DownBlock2D, CrossAttnDownBlock2D and their mirrors, one transformer layer per
attention, convolutional or linear projections. `attention_head_dim` is, as in diffusers, the
NUMBER of heads.
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class Resnet(nn.Module):
    def __init__(self, c_in, c_out, groups, eps, time=0):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, c_in, eps=eps)
        self.conv1 = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.norm2 = nn.GroupNorm(groups, c_out, eps=eps)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, padding=1)
        if time:
            self.time_emb_proj = nn.Linear(time, c_out)
        self.skips = c_in == c_out
        if not self.skips:
            self.conv_shortcut = nn.Conv2d(c_in, c_out, 1)

    def forward(self, x, t=None):  # t arrives already through silu
        h = self.conv1(F.silu(self.norm1(x)))
        if t is not None:
            h = h + self.time_emb_proj(t)[:, :, None, None]
        h = self.conv2(F.silu(self.norm2(h)))
        return (x if self.skips else self.conv_shortcut(x)) + h


class Attention(nn.Module):
    def __init__(self, dim, context, heads):
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(dim, dim, bias=False)
        self.to_k = nn.Linear(context, dim, bias=False)
        self.to_v = nn.Linear(context, dim, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(dim, dim), nn.Identity()])

    def forward(self, x, c):
        b, n, d = x.shape
        q, k, v = (
            y.view(b, -1, self.heads, d // self.heads).transpose(1, 2)
            for y in (self.to_q(x), self.to_k(c), self.to_v(c))
        )
        y = F.scaled_dot_product_attention(q, k, v)
        return self.to_out[0](y.transpose(1, 2).reshape(b, n, d))


class Geglu(nn.Module):
    def __init__(self, dim, inner):
        super().__init__()
        self.proj = nn.Linear(dim, inner * 2)

    def forward(self, x):
        a, gate = self.proj(x).chunk(2, -1)
        return a * F.gelu(gate)


class FeedForward(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.net = nn.ModuleList([Geglu(dim, dim * 4), nn.Identity(), nn.Linear(dim * 4, dim)])

    def forward(self, x):
        return self.net[2](self.net[0](x))


class TransformerLayer(nn.Module):
    def __init__(self, dim, context, heads):
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(dim) for _ in range(3))
        self.attn1, self.attn2 = Attention(dim, dim, heads), Attention(dim, context, heads)
        self.ff = FeedForward(dim)

    def forward(self, x, c):
        n = self.norm1(x)
        x = x + self.attn1(n, n)
        x = x + self.attn2(self.norm2(x), c)
        return x + self.ff(self.norm3(x))


class Transformer(nn.Module):
    def __init__(self, dim, context, heads, groups, linear):
        super().__init__()
        self.linear = linear
        self.norm = nn.GroupNorm(groups, dim, eps=1e-6)
        self.proj_in = nn.Linear(dim, dim) if linear else nn.Conv2d(dim, dim, 1)
        self.transformer_blocks = nn.ModuleList([TransformerLayer(dim, context, heads)])
        self.proj_out = nn.Linear(dim, dim) if linear else nn.Conv2d(dim, dim, 1)

    def forward(self, x, c):
        b, d, h, w = x.shape
        y = self.norm(x)
        if not self.linear:
            y = self.proj_in(y)
        y = y.permute(0, 2, 3, 1).reshape(b, h * w, d)
        if self.linear:
            y = self.proj_in(y)
        y = self.transformer_blocks[0](y, c)
        if self.linear:
            y = self.proj_out(y)
        y = y.view(b, h, w, d).permute(0, 3, 1, 2)
        return x + (y if self.linear else self.proj_out(y))


class Downsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x):
        return self.conv(x)


class Upsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class TimeEmbedding(nn.Module):
    def __init__(self, width, dim):
        super().__init__()
        self.linear_1, self.linear_2 = nn.Linear(width, dim), nn.Linear(dim, dim)

    def forward(self, x):
        return self.linear_2(F.silu(self.linear_1(x)))


class Stage(nn.Module):
    """The members of one block: resnets, attentions beside them where the block has any."""

    def __init__(self, resnets, attentions, down=None, up=None):
        super().__init__()
        self.resnets = nn.ModuleList(resnets)
        if attentions:
            self.attentions = nn.ModuleList(attentions)
        if down:
            self.downsamplers = nn.ModuleList([down])
        if up:
            self.upsamplers = nn.ModuleList([up])
        self.attends = bool(attentions)
        self.ends = bool(down or up)

    def one(self, j, x, t, c):
        x = self.resnets[j](x, t)
        return self.attentions[j](x, c) if self.attends else x


class UNet(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        widths, layers = cfg["block_out_channels"], cfg["layers_per_block"]
        groups, eps = cfg["norm_num_groups"], cfg["norm_eps"]
        heads = cfg["attention_head_dim"]
        heads = heads if isinstance(heads, list) else [heads] * len(widths)
        self.width, time = widths[0], widths[0] * 4

        def resnet(c_in, c_out):
            return Resnet(c_in, c_out, groups, eps, time)

        def attention(kind, dim, n):
            if not kind.startswith("CrossAttn"):
                return []
            linear = cfg["use_linear_projection"]
            return [Transformer(dim, cfg["cross_attention_dim"], n, groups, linear)]

        self.conv_in = nn.Conv2d(cfg["in_channels"], widths[0], 3, padding=1)
        self.time_embedding = TimeEmbedding(widths[0], time)
        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        skips, c = [widths[0]], widths[0]
        for i, kind in enumerate(cfg["down_block_types"]):
            resnets, attentions = [], []
            for _ in range(layers):
                resnets.append(resnet(c, widths[i]))
                attentions += attention(kind, widths[i], heads[i])
                c = widths[i]
                skips.append(c)
            down = Downsample(c) if i + 1 < len(widths) else None
            skips += [c] if down else []
            self.down_blocks.append(Stage(resnets, attentions, down=down))
        middle = attention("CrossAttn", c, heads[-1])
        self.mid_block = Stage([resnet(c, c), resnet(c, c)], middle)
        for i, kind in enumerate(cfg["up_block_types"]):
            resnets, attentions = [], []
            for _ in range(layers + 1):
                resnets.append(resnet(c + skips.pop(), widths[-1 - i]))
                attentions += attention(kind, widths[-1 - i], heads[-1 - i])
                c = widths[-1 - i]
            up = Upsample(c) if i + 1 < len(widths) else None
            self.up_blocks.append(Stage(resnets, attentions, up=up))
        self.conv_norm_out = nn.GroupNorm(groups, c, eps=eps)
        self.conv_out = nn.Conv2d(c, cfg["out_channels"], 3, padding=1)

    def embed_time(self, t):
        half = self.width // 2
        steps = torch.arange(half, dtype=torch.float32, device=t.device)
        angle = t.float()[:, None] * torch.exp(-math.log(10000.0) * steps / half)
        return F.silu(self.time_embedding(torch.cat([angle.cos(), angle.sin()], 1)))

    def forward(self, x, t, c):
        t = self.embed_time(t)
        x = self.conv_in(x)
        skips = [x]
        for s in self.down_blocks:
            for j in range(len(s.resnets)):
                x = s.one(j, x, t, c)
                skips.append(x)
            if s.ends:
                x = s.downsamplers[0](x)
                skips.append(x)
        m = self.mid_block
        x = m.resnets[1](m.one(0, x, t, c), t)
        for s in self.up_blocks:
            for j in range(len(s.resnets)):
                x = s.one(j, torch.cat([x, skips.pop()], 1), t, c)
            if s.ends:
                x = s.upsamplers[0](x)
        return self.conv_out(F.silu(self.conv_norm_out(x)))


def start_fresh(net):
    """The first prediction is zero, so the first steps do not undo a random picture."""
    nn.init.zeros_(net.conv_out.weight)
    nn.init.zeros_(net.conv_out.bias)
