# SPDX-License-Identifier: Apache-2.0
"""The noise schedule of scheduler_config.json, v-prediction, and a plain DDIM to see results."""

import torch


def alphas(cfg):
    """Cumulative products of 1 - beta; scaled_linear, as the folder's scheduler says."""
    low, high = cfg["beta_start"] ** 0.5, cfg["beta_end"] ** 0.5
    n = cfg["num_train_timesteps"]
    return (1 - torch.linspace(low, high, n, dtype=torch.float64) ** 2).cumprod(0).float()


def add_noise(z, noise, a):
    """The noisy latents, and v, which the network shall say."""
    a = a[:, None, None, None]
    s, q = a.sqrt(), (1 - a).sqrt()
    return s * z + q * noise, s * noise - q * z


def min_snr(a, gamma=5.0):
    """Weight of a v loss such that no noise level counts more than `gamma` times its noise."""
    snr = a / (1 - a)
    return snr.clamp(max=gamma) / (snr + 1)


@torch.no_grad()
def ddim(predict, x, ab, steps, guidance):
    """`predict(x, t)` gives v for the prompts' rows, then for the empty ones. Trailing steps."""
    times = [round(len(ab) * (1 - i / steps)) - 1 for i in range(steps)]
    for t, later in zip(times, times[1:] + [None]):
        with_prompt, without = predict(torch.cat([x, x]), t).float().chunk(2)
        v = without + guidance * (with_prompt - without)
        a = ab[t]
        z, noise = a.sqrt() * x - (1 - a).sqrt() * v, (1 - a).sqrt() * x + a.sqrt() * v
        b = ab[later] if later is not None else torch.ones_like(a)
        x = b.sqrt() * z + (1 - b).sqrt() * noise
    return x
