# SPDX-License-Identifier: Apache-2.0
"""Stage 1a: writes every configuration of a model folder for one of the presets below.

base   256x256, for half an hour of a GPU: UNet 8.87 M, text encoder 2.64 M, autoencoder 3.88 M
       parameters, 30.8 MB in float16
tiny   64x64, for a dry run of the whole chain on one CPU thread; its pictures mean nothing
"""

import argparse

from folder import write_json

PRESETS = {
    "base": {"px": 256, "unet": [64, 128, 160], "text": 256, "layers": 2, "vocab": 4096,
             "length": 32, "vae": [32, 64, 128, 128], "groups": 8, "sizes": (128, 512)},
    "tiny": {"px": 64, "unet": [32, 64], "text": 64, "layers": 1, "vocab": 1024,
             "length": 32, "vae": [16, 16, 32, 32], "groups": 8, "sizes": (64, 128)},
}
VERSION = "0.32.2"


def unet(s):
    widths = s["unet"]
    down = ["DownBlock2D"] + ["CrossAttnDownBlock2D"] * (len(widths) - 1)
    up = [kind.replace("Down", "Up") for kind in down[::-1]]
    return {
        "_class_name": "UNet2DConditionModel", "_diffusers_version": VERSION, "act_fn": "silu",
        "attention_head_dim": [w // 32 for w in widths], "block_out_channels": widths,
        "center_input_sample": False, "cross_attention_dim": s["text"], "down_block_types": down,
        "downsample_padding": 1, "flip_sin_to_cos": True, "freq_shift": 0, "in_channels": 4,
        "layers_per_block": 1, "mid_block_scale_factor": 1,
        "mid_block_type": "UNetMidBlock2DCrossAttn", "norm_eps": 1e-05,
        "norm_num_groups": 32, "out_channels": 4,
        "sample_size": s["px"] // 8, "up_block_types": up, "use_linear_projection": False}


def text_encoder(s):
    top = s["vocab"]
    return {
        "architectures": ["CLIPTextModel"], "attention_dropout": 0.0, "bos_token_id": top - 2,
        "dropout": 0.0, "eos_token_id": top - 1, "hidden_act": "quick_gelu",
        "hidden_size": s["text"], "initializer_factor": 1.0, "initializer_range": 0.02,
        "intermediate_size": 4 * s["text"], "layer_norm_eps": 1e-05,
        "max_position_embeddings": s["length"], "model_type": "clip_text_model",
        "num_attention_heads": max(1, s["text"] // 64), "num_hidden_layers": s["layers"],
        "pad_token_id": top - 1, "projection_dim": s["text"], "torch_dtype": "float16",
        "vocab_size": top}


def vae(s):
    n = len(s["vae"])
    return {
        "_class_name": "AutoencoderKL", "_diffusers_version": VERSION, "act_fn": "silu",
        "block_out_channels": s["vae"], "down_block_types": ["DownEncoderBlock2D"] * n,
        "force_upcast": False, "in_channels": 3, "latent_channels": 4, "layers_per_block": 1,
        "norm_num_groups": s["groups"], "out_channels": 3, "sample_size": s["px"],
        "scaling_factor": 1.0, "up_block_types": ["UpDecoderBlock2D"] * n}


SCHEDULER = {
    "_class_name": "DDIMScheduler", "_diffusers_version": VERSION, "beta_end": 0.012,
    "beta_schedule": "scaled_linear", "beta_start": 0.00085, "clip_sample": False,
    "clip_sample_range": 1.0, "dynamic_thresholding_ratio": 0.995, "num_train_timesteps": 1000,
    "prediction_type": "v_prediction", "rescale_betas_zero_snr": False, "sample_max_value": 1.0,
    "set_alpha_to_one": True, "steps_offset": 1, "thresholding": False,
    "timestep_spacing": "trailing", "trained_betas": None}

INDEX = {
    "_class_name": "StableDiffusionPipeline", "_diffusers_version": VERSION,
    "feature_extractor": [None, None], "image_encoder": [None, None],
    "requires_safety_checker": False, "safety_checker": [None, None],
    "scheduler": ["diffusers", "DDIMScheduler"], "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"], "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"]}


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--preset", choices=PRESETS, default="base")
    p.add_argument("--model", required=True, help="folder to write")
    a = p.parse_args()
    s = PRESETS[a.preset]
    low, high = s["sizes"]
    for path, value in {
        "unet/config.json": unet(s), "text_encoder/config.json": text_encoder(s),
        "vae/config.json": vae(s), "scheduler/scheduler_config.json": SCHEDULER,
        "model_index.json": INDEX,
        "limner.json": {"steps": 25, "guidance": 4.0, "size_min": low, "size_max": high},
    }.items():
        write_json(f"{a.model}/{path}", value)


if __name__ == "__main__":
    main()
