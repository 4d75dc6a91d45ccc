# SPDX-License-Identifier: Apache-2.0
"""Makes a pipeline folder of a full configuration with random weights, for parity and benchmarks.

    python tools/oracle/full.py DIR [--config sd15|sd21|sdxl|sdxl_shallow]
                                [--dtype float32|float16|bfloat16]
                                [--vae kl|tiny] [--seed 1] [--tokenizer DIR]

The layers have the sizes of the published checkpoints; the numbers are random but scaled like
trained ones. The tokenizer is the starter model's unless another folder is given: its ids fit into
the text encoder's 49408. Float32 SD 1.5 is 4.1 GB on disk, SDXL 14 GB; sdxl_shallow has SDXL's
widths and fewer layers of each kind, for machines that have no room. The same arguments give the
same bytes.
"""

import argparse
import gc
import json
import os
import shutil

import oracle
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")

TEXT = dict(vocab_size=49408, max_position_embeddings=77)
KL = dict(
    block_out_channels=(128, 256, 512, 512),
    down_block_types=("DownEncoderBlock2D",) * 4,
    up_block_types=("UpDecoderBlock2D",) * 4,
    layers_per_block=2,
    latent_channels=4,
    sample_size=512,
    scaling_factor=0.18215,
)
DOWN = ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",)
UP = ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3
UNET = dict(block_out_channels=(320, 640, 1280, 1280), down_block_types=DOWN, up_block_types=UP,
            layers_per_block=2)
BETAS = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000,
             set_alpha_to_one=False, skip_prk_steps=True, steps_offset=1, clip_sample=False)

XL_TEXT = dict(hidden_size=768, intermediate_size=3072, num_attention_heads=12, num_hidden_layers=12,
               hidden_act="quick_gelu", eos_token_id=2)
XL_TEXT_2 = dict(hidden_size=1280, intermediate_size=5120, num_attention_heads=20, num_hidden_layers=32,
                 hidden_act="gelu", projection_dim=1280, eos_token_id=2)
XL_UNET = dict(
    block_out_channels=(320, 640, 1280),
    down_block_types=("DownBlock2D",) + ("CrossAttnDownBlock2D",) * 2,
    up_block_types=("CrossAttnUpBlock2D",) * 2 + ("UpBlock2D",),
    layers_per_block=2,
    transformer_layers_per_block=(1, 2, 10),
    sample_size=128,
    cross_attention_dim=2048,
    attention_head_dim=(5, 10, 20),
    use_linear_projection=True,
    addition_embed_type="text_time",
    addition_time_embed_dim=256,
    projection_class_embeddings_input_dim=2816,
)

CONFIGS = {
    "sd15": dict(
        text=dict(hidden_size=768, intermediate_size=3072, num_attention_heads=12, num_hidden_layers=12,
                  hidden_act="quick_gelu"),
        unet=dict(UNET, sample_size=64, cross_attention_dim=768, attention_head_dim=8),
        scheduler=dict(BETAS, _class_name="PNDMScheduler", trained_betas=None),
    ),
    "sd21": dict(
        text=dict(hidden_size=1024, intermediate_size=4096, num_attention_heads=16, num_hidden_layers=23,
                  hidden_act="gelu"),
        unet=dict(UNET, sample_size=96, cross_attention_dim=1024, attention_head_dim=(5, 10, 20, 20),
                  use_linear_projection=True, upcast_attention=True),
        scheduler=dict(BETAS, _class_name="DDIMScheduler", prediction_type="v_prediction"),
    ),
    "sdxl": dict(
        text=XL_TEXT,
        text_2=XL_TEXT_2,
        unet=XL_UNET,
        vae=dict(sample_size=1024, scaling_factor=0.13025),
        scheduler=dict(BETAS, _class_name="EulerDiscreteScheduler", timestep_spacing="leading"),
    ),
    "sdxl_shallow": dict(
        text=dict(XL_TEXT, num_hidden_layers=2),
        text_2=dict(XL_TEXT_2, num_hidden_layers=3),
        unet=dict(XL_UNET, layers_per_block=1, transformer_layers_per_block=(1, 1, 2)),
        vae=dict(sample_size=1024, scaling_factor=0.13025),
        scheduler=dict(BETAS, _class_name="EulerDiscreteScheduler", timestep_spacing="leading"),
    ),
}


def write_config(folder, module):
    os.makedirs(folder, exist_ok=True)
    if hasattr(module, "save_config"):
        module.save_config(folder)
    else:
        module.config.architectures = [type(module).__name__]
        module.config.save_pretrained(folder)


def write_part(folder, file, make, seed, dtype):
    """One part at a time, and never more than its numbers in memory."""
    with torch.device("meta"):
        module = make()
    write_config(folder, module)
    generator = torch.Generator().manual_seed(seed)
    tensors = {name: x.to(dtype).contiguous() for name, x in oracle.healthy(module, generator)}
    save_file(tensors, os.path.join(folder, file), metadata={"format": "pt"})
    os.chmod(os.path.join(folder, file), 0o644)
    count = sum(t.numel() for t in tensors.values())
    print(f"{folder}: {count / 1e6:.1f} million parameters, {str(dtype)[6:]}", flush=True)
    del tensors, module
    gc.collect()


def change(path, **keys):
    with open(path) as f:
        config = json.load(f)
    with open(path, "w") as f:
        json.dump(config | keys, f, indent=2, sort_keys=True)
        f.write("\n")


def copy_tokenizer(source, folder, **keys):
    shutil.copytree(source, folder, dirs_exist_ok=True)
    change(os.path.join(folder, "tokenizer_config.json"), model_max_length=77, **keys)
    change(os.path.join(folder, "special_tokens_map.json"), **keys)


def write_index(folder, vae, xl):
    index = {
        "_class_name": "StableDiffusionXLPipeline" if xl else "StableDiffusionPipeline",
        "_diffusers_version": "0.32.2",
        "feature_extractor": [None, None],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", vae],
    }
    if xl:
        index |= {
            "force_zeros_for_empty_prompt": True,
            "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
            "tokenizer_2": ["transformers", "CLIPTokenizer"],
        }
    else:
        index |= {"requires_safety_checker": False, "safety_checker": [None, None]}
    with open(os.path.join(folder, "scheduler", "scheduler_config.json")) as f:
        index["scheduler"] = ["diffusers", json.load(f)["_class_name"]]
    with open(os.path.join(folder, "model_index.json"), "w") as f:
        json.dump(index, f, indent=2, sort_keys=True)
        f.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--config", choices=CONFIGS, default="sd15")
    parser.add_argument("--dtype", choices=("float32", "float16", "bfloat16"), default="float32")
    parser.add_argument("--vae", choices=("kl", "tiny"), default="kl")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tokenizer", default=os.path.join(ROOT, "starter", "tokenizer"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    spec, dtype = CONFIGS[args.config], getattr(torch, args.dtype)

    def at(part):
        return os.path.join(args.folder, part)

    os.makedirs(at("scheduler"), exist_ok=True)
    with open(os.path.join(at("scheduler"), "scheduler_config.json"), "w") as f:
        json.dump(spec["scheduler"], f, indent=2, sort_keys=True)
        f.write("\n")
    copy_tokenizer(args.tokenizer, at("tokenizer"))
    text = CLIPTextConfig(**TEXT, **spec["text"])
    write_part(at("text_encoder"), "model.safetensors", lambda: CLIPTextModel(text), args.seed, dtype)
    if "text_2" in spec:
        copy_tokenizer(args.tokenizer, at("tokenizer_2"), pad_token="!")
        text_2 = CLIPTextConfig(**TEXT, **spec["text_2"])
        write_part(at("text_encoder_2"), "model.safetensors", lambda: CLIPTextModelWithProjection(text_2),
                   args.seed + 3, dtype)
    name = "diffusion_pytorch_model.safetensors"
    write_part(at("unet"), name, lambda: UNet2DConditionModel(**spec["unet"]), args.seed + 1, dtype)
    tiny = args.vae == "tiny"
    vae = (lambda: AutoencoderTiny()) if tiny else (lambda: AutoencoderKL(**KL | spec.get("vae", {})))
    write_part(at("vae"), name, vae, args.seed + 2, dtype)
    write_index(args.folder, "AutoencoderTiny" if tiny else "AutoencoderKL", "text_2" in spec)


if __name__ == "__main__":
    main()
