# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/tiles.safetensors: what diffusers decodes in tiles.

    python tools/oracle/tiles_golden.py

The autoencoders are those of the tiny pipelines; the latents are small random waves, so that tiles
differ from each other. For every case `NAME.z` [h, w, c] and `NAME.rgb` [H, W, 3], and in the
metadata `NAME`: the pipeline and the latents per tile. Names that end in `_own` have the tile that
the autoencoder's own configuration asks for.
"""

import os

import oracle
import torch
from safetensors.torch import save_file
from tiny import sort_metadata

GOLDEN = os.path.join(os.path.dirname(__file__), "../../tests/golden")

# name, pipeline, latents per tile or None, height and width in latents
CASES = (
    ("even", "sd1", 8, (14, 20)),
    ("ragged_own", "sd2", None, (25, 31)),  # the last tiles are one latent high and seven wide
    ("wide_own", "lcm", None, (5, 21)),  # one row of tiles
    ("tall_own", "lcm", None, (19, 8)),
    ("xl_own", "sdxl", None, (18, 29)),
    ("fine", "sdxl", 12, (22, 13)),
)


def waves(shape, seed):
    """Smooth in space, of order one, with some noise on top."""
    h, w, channels = shape
    i, j = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    planes = [torch.sin(0.3 * (c + 1) * i + 0.2 * j) + torch.cos(0.25 * j - 0.1 * c * i) for c in range(channels)]
    return (0.7 * torch.stack(planes, dim=-1) + 0.4 * oracle.normal(shape, seed, 0)).float().contiguous()


def main():
    torch.set_num_threads(1)
    out, metadata = {}, {}
    for seed, (name, pipeline, tile, (h, w)) in enumerate(CASES):
        p = oracle.Pipeline(os.path.join(GOLDEN, "tiny_" + pipeline))
        vae = p.vae
        vae.enable_tiling()
        if tile:
            vae.tile_latent_min_size, vae.tile_sample_min_size = tile, tile * p.scale
        z = waves((h, w, vae.config.latent_channels), 100 + seed)
        out[name + ".z"], out[name + ".rgb"] = z * vae.config.scaling_factor, p.decode(z * vae.config.scaling_factor)
        metadata[name] = f"{pipeline} {vae.tile_latent_min_size}"
        vae.disable_tiling()
        whole = p.decode(z * vae.config.scaling_factor)
        print(f"  {name:12} {metadata[name]:8} {tuple(out[name + '.rgb'].shape)}, from the whole"
              f" {oracle.relative_l2(out[name + '.rgb'], whole):.1e}")
    path = os.path.join(GOLDEN, "tiles.safetensors")
    save_file({k: v.clone().contiguous() for k, v in out.items()}, path, metadata)
    sort_metadata(path)


if __name__ == "__main__":
    main()
