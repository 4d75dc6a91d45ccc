# SPDX-License-Identifier: Apache-2.0
"""What the oracle scripts share: a pipeline folder's parts in float32, and one function per stage.

Everything that leaves this file is channels-last ([h, w, c]), as limner keeps it.
"""

import json
import math
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import diffusers
import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    UNet2DConditionModel,
)
from safetensors.torch import load_file
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

diffusers.logging.set_verbosity_error()
torch.use_deterministic_algorithms(True)
torch.set_grad_enabled(False)

SAMPLERS = {
    "euler": EulerDiscreteScheduler,
    "euler_ancestral": EulerAncestralDiscreteScheduler,
    "ddim": DDIMScheduler,
    "dpmpp_2m": DPMSolverMultistepScheduler,
    "lcm": LCMScheduler,
}
# What limner runs for a scheduler class; PNDM is stood in for (see models/schedule.c).
OWN_SAMPLER = {cls.__name__: name for name, cls in SAMPLERS.items()} | {"PNDMScheduler": "dpmpp_2m"}
NOISY = ("euler_ancestral", "lcm")


def philox(counter, key):
    """Philox4x32-10 on arrays: counter [n, 4], key two words; as base/rng.c."""
    c = counter.astype(np.uint64)
    k0, k1 = np.uint64(key[0]), np.uint64(key[1])
    low = np.uint64(0xFFFFFFFF)
    for _ in range(10):
        a = np.uint64(0xD2511F53) * c[:, 0]
        b = np.uint64(0xCD9E8D57) * c[:, 2]
        c = np.stack(
            [(b >> np.uint64(32)) ^ c[:, 1] ^ k0, b & low, (a >> np.uint64(32)) ^ c[:, 3] ^ k1, a & low],
            axis=1,
        )
        k0 = (k0 + np.uint64(0x9E3779B9)) & low
        k1 = (k1 + np.uint64(0xBB67AE85)) & low
    return c


def normal(shape, seed, stream):
    """rng_normal of base/rng.c: a function of (seed, stream, index) and nothing else."""
    count = int(np.prod(shape))
    blocks = (count + 3) // 4
    index = np.arange(blocks, dtype=np.uint64)
    low = np.uint64(0xFFFFFFFF)
    counter = np.zeros((blocks, 4), dtype=np.uint64)
    counter[:, 0], counter[:, 1], counter[:, 2] = index & low, index >> np.uint64(32), stream
    words = philox(counter, (seed & 0xFFFFFFFF, seed >> 32)).astype(np.float64)
    radius = np.sqrt(-2.0 * np.log((words[:, 0::2] + 0.5) * 2.0**-32))
    angle = 2.0 * np.pi * 2.0**-32 * words[:, 1::2]
    pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
    return torch.from_numpy(pairs.reshape(-1)[:count].astype(np.float32).reshape(shape))


def scheduler_class(config):
    return SAMPLERS[OWN_SAMPLER[config["_class_name"]]]


def make_scheduler(config, sampler=None):
    """The scheduler limner's sampler stands for: the model's own, or X.from_config of its file."""
    cls = SAMPLERS[sampler] if sampler else scheduler_class(config)
    config = dict(config)
    if "clip_sample" not in config:
        config["clip_sample"] = False  # as StableDiffusionPipeline does
    return cls.from_config(config)


class Pipeline:
    """A folder's parts, loaded when they are first asked for; `drop` gives memory back."""

    def __init__(self, folder):
        self.folder = folder
        self.parts = {}
        with open(self.at("model_index.json")) as f:
            index = json.load(f)
        self.xl = index["_class_name"] == "StableDiffusionXLPipeline"
        self.zeros = self.xl and index.get("force_zeros_for_empty_prompt", True)
        with open(self.at("scheduler", "scheduler_config.json")) as f:
            self.scheduler_config = json.load(f)
        with open(self.at("vae", "config.json")) as f:
            self.tiny = json.load(f)["_class_name"] == "AutoencoderTiny"

    def at(self, *parts):
        return os.path.join(self.folder, *parts)

    def load(self, part, cls, stem="diffusion_pytorch_model", **how):
        if part not in self.parts:
            variant = "fp16" if os.path.exists(self.at(part, stem + ".fp16.safetensors")) else None
            if os.path.exists(self.at(part, stem + ".safetensors.index.json")) and hasattr(cls, "load_config"):
                module = sharded(cls, self.at(part), stem)
            else:
                module = cls.from_pretrained(self.at(part), variant=variant, **how)
            self.parts[part] = module.float().eval()
        return self.parts[part]

    @property
    def scale(self):
        """Pixels per latent."""
        with open(self.at("vae", "config.json")) as f:
            vae = json.load(f)
        blocks = vae.get("decoder_block_out_channels") or vae["block_out_channels"]
        return 2 ** (len(blocks) - 1)

    def latent_shape(self, height, width):
        """[h, w, c] from the configurations alone: weights may be big."""
        with open(self.at("unet", "config.json")) as f:
            channels = json.load(f)["in_channels"]
        return height // self.scale, width // self.scale, channels

    def drop(self, *parts):
        for part in parts:
            self.parts.pop(part, None)

    @property
    def text_encoder(self):
        return self.load("text_encoder", CLIPTextModel, "model")

    @property
    def text_encoder_2(self):
        return self.load("text_encoder_2", CLIPTextModelWithProjection, "model")

    @property
    def unet(self):
        return self.load("unet", UNet2DConditionModel, low_cpu_mem_usage=False)

    @property
    def vae(self):
        cls = AutoencoderTiny if self.tiny else AutoencoderKL
        return self.load("vae", cls, low_cpu_mem_usage=False)

    def ids(self, negative, prompt):
        """"ids", and for SDXL "ids_2": [2, T] each, negative first."""
        out = {}
        for name in ("tokenizer", "tokenizer_2")[: 1 + self.xl]:
            tokenizer = CLIPTokenizer.from_pretrained(self.at(name))
            ids = tokenizer(
                [negative, prompt],
                padding="max_length",
                max_length=tokenizer.model_max_length,
                truncation=True,
                return_tensors="pt",
            ).input_ids
            out[name.replace("tokenizer", "ids")] = ids.int()
        return out

    def condition(self, ids, negative):
        """"context" [2, T, C], and for SDXL "pooled" [2, P], of such ids."""
        ids = {name: torch.as_tensor(ids[name]).long() for name in ("ids", "ids_2") if name in ids}
        if not self.xl:
            return {"context": self.text_encoder(ids["ids"])[0]}
        first = self.text_encoder(ids["ids"], output_hidden_states=True)
        second = self.text_encoder_2(ids["ids_2"], output_hidden_states=True)
        context = torch.cat([first.hidden_states[-2], second.hidden_states[-2]], dim=-1)
        pooled = second.text_embeds.clone()
        if self.zeros and not negative:
            context[0], pooled[0] = 0, 0
        return {"context": context, "pooled": pooled}

    def rows(self, x, t, condition, guidance):
        """What the UNet says about scaled latents x [h, w, c]: [2, h, w, c], negative first, or
        [1, h, w, c] where guidance does not look at the negative prompt."""
        first = 0 if guidance > 1 else 1
        added = None
        if self.xl:
            height, width = (float(self.scale * side) for side in x.shape[:2])
            sizes = torch.tensor([[height, width, 0, 0, height, width]]).repeat(2 - first, 1)
            added = {"text_embeds": condition["pooled"][first:], "time_ids": sizes}
        context = condition["context"][first:]
        x = to_nchw(x).repeat(len(context), 1, 1, 1)
        y = self.unet(x, t, encoder_hidden_states=context, added_cond_kwargs=added).sample
        return y.permute(0, 2, 3, 1).contiguous()

    def decode(self, x):
        """Latents [h, w, c] to a picture [H, W, 3] in about [-1, 1]."""
        z = to_nchw(x) / self.vae.config.scaling_factor + (self.vae.config.shift_factor or 0.0)
        return to_hwc(self.vae.decode(z).sample)

    def encode(self, rgb):
        """The other way round: the mean, scaled as the UNet wants it."""
        y = self.vae.encode(to_nchw(rgb))
        z = y.latents if self.tiny else y.latent_dist.mode()
        z = (z - (self.vae.config.shift_factor or 0.0)) * self.vae.config.scaling_factor
        return to_hwc(z)


def sharded(cls, folder, stem):
    """diffusers itself wants another package to read shards."""
    module = cls.from_config(cls.load_config(folder))
    with open(os.path.join(folder, stem + ".safetensors.index.json")) as f:
        shards = sorted(set(json.load(f)["weight_map"].values()))
    state = {}
    for shard in shards:
        state |= load_file(os.path.join(folder, shard))
    module.load_state_dict(state)
    return module


def healthy(module, generator, gain=1.0):
    """Yields (name, random tensor) for every parameter of a module, scaled like trained ones: by
    fan-in, norms near one. Activations stay of order one through any depth."""
    for prefix, m in module.named_modules():
        kind = type(m).__name__
        for name, p in m.named_parameters(recurse=False):
            x = torch.randn(p.shape, generator=generator)
            if kind in ("GroupNorm", "LayerNorm"):
                x = 1 + 0.2 * x if name == "weight" else 0.1 * x
            elif kind == "Embedding":
                x *= 0.7
            elif kind in ("Linear", "Conv2d"):
                x *= gain / math.sqrt(p[0].numel()) if name == "weight" else 0.1
            else:
                raise SystemExit(f"{kind}: no initialisation for its {name}")
            yield (f"{prefix}.{name}" if prefix else name), x


def to_nchw(x):
    return torch.as_tensor(x).float().permute(2, 0, 1)[None].contiguous()


def to_hwc(x):
    return x[0].permute(1, 2, 0).contiguous()


def noisy_modules():
    from diffusers.schedulers import (
        scheduling_dpmsolver_multistep,
        scheduling_euler_ancestral_discrete,
        scheduling_euler_discrete,
        scheduling_lcm,
    )

    return [
        scheduling_dpmsolver_multistep,
        scheduling_euler_ancestral_discrete,
        scheduling_euler_discrete,
        scheduling_lcm,
    ]


class FixedNoise:
    """Schedulers draw their noise through randn_tensor: hand out ours instead, in order."""

    def __init__(self, noises):
        self.noises = noises

    def __enter__(self):
        self.saved = [m.randn_tensor for m in noisy_modules()]
        left = iter(self.noises)
        for m in noisy_modules():
            m.randn_tensor = lambda shape, **_: next(left).reshape(shape)
        return self

    def __exit__(self, *_):
        for m, f in zip(noisy_modules(), self.saved):
            m.randn_tensor = f


def guide(rows, guidance):
    return rows[0] if len(rows) == 1 else rows[0] + guidance * (rows[1] - rows[0])


def guided_size(rows, guidance):
    """What a guided output is judged by. Guidance g adds g times one row to 1 - g times the other:
    the rows' rounding errors grow by that while the output may cancel to less than a row."""
    sizes = [float(r.double().norm()) for r in rows]
    return sizes[0] if len(rows) == 1 else (guidance - 1) * sizes[0] + guidance * sizes[1]


def relative_l2(a, b, size=None):
    """|a - b| / |b|, in double; or by another size."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape != b.shape:
        raise SystemExit(f"shapes differ: {a.shape} and {b.shape}")
    return float(np.linalg.norm(a - b) / max(size or np.linalg.norm(b), 1e-30))
