# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/sampler.json and sampler.safetensors: diffusers' schedulers on a fixed model.

    python tools/oracle/sampler_golden.py [--out tests/golden]

A case is a scheduler configuration, a sampler and a number of steps. Its latents are 16 numbers;
the model is a smooth function of them and t that tests/test_sampler.c has as well. The steps run in double on
the tables that the scheduler made in float32, so that the golden is the scheduler's arithmetic and
not the rounding of 50 steps; `float` below is how far plain float32 diffusers is from that.
"""

import argparse
import json
import os

import numpy as np
import oracle
import torch
from safetensors.numpy import save_file

COUNT = 16
STEPS = (1, 2, 4, 20, 50)
STEPS_MAX = 50
SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


class Kept(torch.Tensor):
    """Some schedulers cast latents to float32 before the step; these stay what they are."""

    def to(self, *args, **kwargs):
        if torch.float32 in args or kwargs.get("dtype") == torch.float32:
            return self
        return super().to(*args, **kwargs)


def model(prediction, x, t):
    """tests/test_sampler.c: model_output."""
    wave = torch.sin(2.0 * x + t / 100.0 + 0.3 * torch.arange(COUNT, dtype=x.dtype))
    if prediction == "epsilon":
        return 0.9 * x + 0.2 * wave
    if prediction == "v_prediction":
        return -0.3 * x + 0.5 * wave
    return 0.5 * x + 0.3 * wave


def run(case, noise, dtype):
    """(latents after half of the steps, latents at the end, timesteps), in limner's step count."""
    scheduler = oracle.make_scheduler(case["config"], case["sampler"])
    scheduler.set_timesteps(case["steps"])
    for table in ("sigmas", "alphas_cumprod", "final_alpha_cumprod"):
        if hasattr(scheduler, table):
            setattr(scheduler, table, getattr(scheduler, table).to(dtype))
    x = noise[0].to(dtype) * scheduler.init_noise_sigma
    middle = None
    with oracle.FixedNoise(noise[1:].to(dtype)):
        for i, t in enumerate(scheduler.timesteps):
            scaled = scheduler.scale_model_input(x, t)
            out = model(scheduler.config.prediction_type, scaled, t.to(dtype))
            sample = x.reshape(1, -1, 1, 1)
            if dtype == torch.float64:
                sample = sample.as_subclass(Kept)
            x = scheduler.step(out.reshape(1, -1, 1, 1), t, sample).prev_sample
            x = x.as_subclass(torch.Tensor).reshape(-1)
            assert x.dtype == dtype, x.dtype
            if i == (len(scheduler.timesteps) - 1) // 2:
                middle = x
    return middle, x, scheduler.timesteps


def own(sampler, **keys):
    return {"_class_name": oracle.SAMPLERS[sampler].__name__} | keys


def configs():
    """(configuration, sampler or None for the model's own)"""
    for sampler in oracle.SAMPLERS:
        yield own(sampler), None  # every default of the class
        for spacing in ("leading", "trailing", "linspace"):
            for prediction in ("epsilon", "v_prediction"):
                if sampler == "lcm" and spacing != "leading":
                    continue
                keys = SD | {"timestep_spacing": spacing, "prediction_type": prediction, "steps_offset": 1}
                yield own(sampler, **keys), None
                if sampler in ("euler", "dpmpp_2m"):
                    yield own(sampler, **keys, use_karras_sigmas=True), None
        if sampler != "euler_ancestral":
            yield own(sampler, **SD, prediction_type="sample"), None
        zero = {"rescale_betas_zero_snr": True, "prediction_type": "v_prediction"}
        yield own(sampler, **SD, **zero, timestep_spacing="trailing"), None
        yield own(sampler, beta_schedule="squaredcos_cap_v2"), None
        yield own(sampler, trained_betas=[0.001 + 0.0001 * i for i in range(200)], num_train_timesteps=200,
                  **({"original_inference_steps": 50} if sampler == "lcm" else {})), None
    for one in (True, False):
        yield own("ddim", **SD, set_alpha_to_one=one, steps_offset=0), None
        yield own("lcm", **SD, set_alpha_to_one=one), None
    yield own("lcm", **SD, original_inference_steps=100, timestep_scaling=2.5), None
    for final in ("zero", "sigma_min"):
        for karras in (True, False):
            for sampler in ("euler", "dpmpp_2m"):
                yield own(sampler, **SD, final_sigmas_type=final, use_karras_sigmas=karras), None
    for keys in (
        {"lower_order_final": False},
        {"lower_order_final": False, "final_sigmas_type": "sigma_min"},
        {"euler_at_final": True, "final_sigmas_type": "sigma_min"},
        {"solver_order": 1},
        {"solver_type": "heun"},
        {"solver_type": "bh2"},
        {"algorithm_type": "deis", "final_sigmas_type": "sigma_min"},
        {"lambda_min_clipped": -5.1, "beta_schedule": "squaredcos_cap_v2"},
        {"lambda_min_clipped": -2.0, "timestep_spacing": "trailing"},
        {"lambda_min_clipped": -2.0, "timestep_spacing": "leading"},
    ):
        yield own("dpmpp_2m", **(SD | keys)), None
    # What SD 1.5 folders say, and one folder under every other sampler.
    sd1 = {"_class_name": "PNDMScheduler", **SD, "set_alpha_to_one": False, "skip_prk_steps": True,
           "steps_offset": 1, "trained_betas": None, "clip_sample": False}
    yield sd1, None
    for sampler in oracle.SAMPLERS:
        yield sd1, sampler
        yield own("ddim", **SD, timestep_spacing="trailing", prediction_type="v_prediction"), sampler
        yield own("euler", **SD, use_karras_sigmas=True, final_sigmas_type="sigma_min"), sampler
        yield own("lcm"), sampler


def cases():
    for config, sampler in configs():
        name = sampler or oracle.OWN_SAMPLER[config["_class_name"]]
        for steps in STEPS:
            yield {"config": config, "sampler": name, "steps": steps}


def write_cases(path, cases):
    """One line per configuration; the rows of the other file go on from line to line."""
    groups = {}
    for c in cases:
        key = json.dumps({"config": c["config"], "sampler": c["sampler"]})
        group = groups.setdefault(key, json.loads(key) | {"steps": [], "counts": []})
        group["steps"].append(c["steps"])
        group["counts"].append(c["count"])
    assert [s for g in groups.values() for s in g["steps"]] == [c["steps"] for c in cases]
    with open(path, "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(g) for g in groups.values()) + "\n]\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default=os.path.join(os.path.dirname(__file__), "../../tests/golden"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    noise = torch.stack([oracle.normal((COUNT,), 5, i) for i in range(STEPS_MAX + 1)])
    kept, seen, middles, finals, times, worst = [], set(), [], [], [], {}
    for case in cases():
        text = json.dumps(case, sort_keys=True)
        if text in seen:
            continue
        seen.add(text)
        middle, final, t = run(case, noise, torch.float64)
        if not torch.isfinite(final).all():
            print("not finite, left out:", text)
            continue
        single = run(case, noise, torch.float32)[1]
        error = oracle.relative_l2(single, final)
        worst[case["sampler"]] = max(worst.get(case["sampler"], (0, "")), (error, text))
        if error > 1e-5:
            print(f"{error:.1e} {text}")
        case["count"] = len(t)
        kept.append(case)
        middles.append(middle.numpy()), finals.append(final.numpy())
        times.append(np.pad(t.numpy().astype(np.float32), (0, STEPS_MAX - len(t))))
    for name, (error, text) in worst.items():
        print(f"float {name:16} {error:.1e} {text}")
    write_cases(os.path.join(args.out, "sampler.json"), kept)
    tensors = {"noise": noise.numpy(), "middle": np.stack(middles), "final": np.stack(finals), "t": np.stack(times)}
    tensors = {k: np.ascontiguousarray(v.astype(np.float32)) for k, v in tensors.items()}
    save_file(tensors, os.path.join(args.out, "sampler.safetensors"))
    os.chmod(os.path.join(args.out, "sampler.safetensors"), 0o644)
    print(len(kept), "cases")


if __name__ == "__main__":
    main()
