# SPDX-License-Identifier: Apache-2.0
"""Makes the tiny random safety checker of tests/golden/tiny_safety, and what it says.

    python tools/oracle/safety.py [--out tests/golden/tiny_safety]

A folder as safety_checker/ of a checkpoint is, of diffusers' own StableDiffusionSafetyChecker with
few numbers, and beside it golden.safetensors: pictures as bytes [H, W, 3] ("picture.N"), what
transformers' CLIPImageProcessor makes of them ("pixels.N", as bytes, before they are normalised), the
tower's vectors ("vector.N"), the margins of all concepts ("special.N", "margin.N"), and which are
flagged ("flagged"). Thresholds are set so that some pictures are flagged, some only because a
special concept adds 0.01, and some margins are zero after rounding.
"""
import argparse
import json
import os

import numpy as np
import torch
from diffusers.pipelines.stable_diffusion.safety_checker import (StableDiffusionSafetyChecker,
                                                                 cosine_distance)
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPImageProcessor, CLIPVisionConfig

# Width and height. Pillow 13 resizes what is about twice as high as wide in another order than those
# before it, which changes some bytes by one: nothing so tall is in here.
SIZES = [(32, 32), (64, 48), (31, 77), (100, 65), (1, 1), (5, 3), (33, 32), (61, 80)]


def checker():
    vision = CLIPVisionConfig(hidden_size=32, intermediate_size=64, num_hidden_layers=3,
                              num_attention_heads=4, image_size=32, patch_size=8, projection_dim=16)
    config = CLIPConfig(vision_config=vision.to_dict(), projection_dim=16,
                        text_config={"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1,
                                     "num_attention_heads": 1, "vocab_size": 64})
    torch.manual_seed(7)
    model = StableDiffusionSafetyChecker(config).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() > 1 and "embeds" not in name and "position" not in name:
                p.normal_(0, 1.4 / np.sqrt(p[0].numel()))
            elif name.endswith("norm.weight") or "layer_norm" in name and name.endswith("weight"):
                p.normal_(1, 0.1)
            elif "embeds" not in name:
                p.normal_(0, 0.3)
        model.concept_embeds.normal_()
        model.special_care_embeds.normal_()
    return model


def pictures():
    out = []
    for i, (width, height) in enumerate(SIZES):
        random = np.random.RandomState(i)
        y, x = np.mgrid[0:height, 0:width]
        wave = 128 + 90 * np.sin(x[..., None] / (3 + i) + np.arange(3) + i) * np.cos(y[..., None] / 7)
        out.append(np.clip(wave + 40 * random.randn(height, width, 3), 0, 255).astype(np.uint8))
    return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default="tests/golden/tiny_safety")
    out = parser.parse_args().out
    os.makedirs(out, exist_ok=True)
    model, images = checker(), pictures()
    plain = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    raw = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32},
                             do_rescale=False, do_normalize=False)
    pixels = [plain(im, return_tensors="pt", input_data_format="channels_last").pixel_values for im in images]
    golden = {}
    with torch.no_grad():
        vectors = [model.visual_projection(model.vision_model(p)[1]) for p in pixels]
        all_vectors = torch.cat(vectors)
        special = cosine_distance(all_vectors, model.special_care_embeds)
        concept = cosine_distance(all_vectors, model.concept_embeds)
        care = special.max(dim=0).values + 0.005  # above 0 only when an earlier one was
        care[0] = torch.quantile(special[:, 0], 0.6)
        model.special_care_embeds_weights.copy_(care)
        limit = concept.max(dim=0).values + 0.03
        limit[0] = torch.quantile(concept[:, 0], 0.8)  # flags some
        for i in (3, 5, 6, 7, 9, 10):
            limit[i] -= 0.025  # flags the first only with special care
        for i in (4, 8):
            limit[i] -= 0.0304  # a margin that rounds to nothing
        model.concept_embeds_weights.copy_(limit)
        flagged = []
        for i, (image, p) in enumerate(zip(images, pixels)):
            _, found = model(p, [image.copy()])
            flagged.append(int(found[0]))
            golden[f"picture.{i}"] = torch.from_numpy(image)
            bytes_ = raw(image, return_tensors="np", input_data_format="channels_last").pixel_values[0]
            golden[f"pixels.{i}"] = torch.from_numpy(
                np.ascontiguousarray(np.transpose(bytes_, (1, 2, 0))).astype(np.uint8))
            golden[f"vector.{i}"] = vectors[i].reshape(-1).clone()
            golden[f"margin.{i}"] = torch.tensor(margins(model, special[i], concept[i]))
    golden["flagged"] = torch.tensor(flagged, dtype=torch.int32)
    model.save_pretrained(out, safe_serialization=True)
    save_file(golden, os.path.join(out, "golden.safetensors"))
    path = os.path.join(out, "config.json")
    with open(path) as f:
        config = json.load(f)
    config.pop("_name_or_path", None)
    with open(path, "w") as f:
        json.dump(config, f, indent=2, sort_keys=True)
        f.write("\n")
    print("flagged:", flagged, "margins:", [round(float(golden[f"margin.{i}"].max()), 4)
                                            for i in range(len(images))])


def margins(model, special, concept):
    """The rule once more, with all its margins."""
    adjustment = 0.0
    for cosine, threshold in zip(special.tolist(), model.special_care_embeds_weights.tolist()):
        if round(cosine - threshold + adjustment, 3) > 0:
            adjustment = 0.01
    return [round(c - t + adjustment, 3)
            for c, t in zip(concept.tolist(), model.concept_embeds_weights.tolist())]


if __name__ == "__main__":
    main()
