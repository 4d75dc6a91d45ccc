# SPDX-License-Identifier: Apache-2.0
"""Makes the tiny random pipelines of tests/golden/tiny_*: real classes, real files, few numbers.

    python tools/oracle/tiny.py [--only NAME] [--out tests/golden]

Each is a folder in diffusers layout plus golden.safetensors: what diffusers computes at every stage,
under the names that `limner generate --dump` uses. Weights are random but scaled like trained ones
(fan-in, norms near one), so every stage carries numbers of order one and an error anywhere shows.
"""

import argparse
import json
import os
import shutil

import oracle
import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import load_file, save_file
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)
from transformers.models.clip.tokenization_clip import bytes_to_unicode

MERGES = """t h|th e</w>|i n|a n|r e|o n</w>|e r|in g</w>|s t|o r|a t|e n|o u|a r|f o|fo x</w>|re d</w>|
b l|u e</w>|bl ue</w>|an d</w>|c at</w>|l o|w i|wi th</w>|p a|in t|pa int|g r|e en</w>|gr een</w>|
b u|bu r|bur r|h o|ho u|s e</w>|hou se</w>|m o|mo u|mou n|i n</w>|a</w> x|t re|tre e</w>"""


def write_tokenizer(folder, length, pad):
    """CLIP's byte alphabet and a handful of merges."""
    symbols = list(bytes_to_unicode().values())
    vocabulary = symbols + [s + "</w>" for s in symbols]
    merges = []
    for line in MERGES.replace("\n", "").split("|"):
        a, b = line.split(" ")
        if (a in vocabulary) and (b in vocabulary) and a + b not in vocabulary:
            merges.append(line)
            vocabulary.append(a + b)
    vocabulary += ["<|startoftext|>", "<|endoftext|>"]
    os.makedirs(folder)
    vocab_file, merges_file = os.path.join(folder, "vocab.json"), os.path.join(folder, "merges.txt")
    with open(vocab_file, "w") as f:
        json.dump({s: i for i, s in enumerate(vocabulary)}, f, ensure_ascii=False)
    with open(merges_file, "w") as f:
        f.write("#version: 0.2\n" + "\n".join(merges) + "\n")
    t = CLIPTokenizer(vocab_file, merges_file, pad_token=pad, model_max_length=length)
    shutil.rmtree(folder)
    return t


def healthy(module, generator, gain=1.0):
    module.load_state_dict(dict(oracle.healthy(module, generator, gain)), strict=False)
    return module


TEXT = dict(hidden_size=32, intermediate_size=64, num_attention_heads=4, num_hidden_layers=2)

PIPELINES = {
    # Like SD 1.5: 1x1 convolutions around the transformers, quick_gelu, epsilon, a PNDM-era config;
    # float16 files named *.fp16.safetensors, the decoder's attention under its old names.
    "sd1": dict(
        seed=1,
        dtype=torch.float16,
        variant="fp16",
        length=77,
        pad="<|endoftext|>",
        text=dict(TEXT, hidden_act="quick_gelu"),
        unet=dict(
            sample_size=16,
            block_out_channels=(16, 16, 24),
            down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
            layers_per_block=2,
            attention_head_dim=4,
            cross_attention_dim=32,
            norm_num_groups=8,
        ),
        vae=dict(
            block_out_channels=(8, 8, 16, 16),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
            norm_num_groups=4,
            latent_channels=4,
            sample_size=128,
            scaling_factor=0.18215,
        ),
        old_attention_names=True,
        scheduler={
            "_class_name": "DDIMScheduler",
            "beta_start": 0.00085,
            "beta_end": 0.012,
            "beta_schedule": "scaled_linear",
            "clip_sample": False,
            "num_train_timesteps": 1000,
            "set_alpha_to_one": False,
            "skip_prk_steps": True,
            "steps_offset": 1,
            "trained_betas": None,
        },
        picture=dict(h=8, w=16, steps=4, guidance=3.0, prompt="a red fox, and the blue house",
                     negative="", seed=7),
    ),
    # Like SD 2.1: linear projections, a list of head counts, v-prediction, gelu, padding with "!".
    "sd2": dict(
        seed=2,
        dtype=torch.float32,
        length=24,
        pad="!",
        text=dict(TEXT, hidden_size=40, num_attention_heads=5, hidden_act="gelu"),
        unet=dict(
            sample_size=16,
            block_out_channels=(16, 24),
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
            layers_per_block=1,
            attention_head_dim=(2, 3),
            cross_attention_dim=40,
            norm_num_groups=4,
            use_linear_projection=True,
            upcast_attention=True,
        ),
        unet_shard="250KB",
        vae=dict(
            block_out_channels=(8, 8, 16),
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
            layers_per_block=1,
            norm_num_groups=8,
            latent_channels=4,
            sample_size=64,
            scaling_factor=0.18215,
        ),
        scheduler={
            "_class_name": "EulerDiscreteScheduler",
            "beta_start": 0.00085,
            "beta_end": 0.012,
            "beta_schedule": "scaled_linear",
            "num_train_timesteps": 1000,
            "prediction_type": "v_prediction",
            "timestep_spacing": "trailing",
            "steps_offset": 1,
        },
        picture=dict(h=16, w=18, steps=4, guidance=4.5, prompt="Grüne Bäume \U0001f98a with 東京 in the mountain",
                     negative="blurry, red", seed=12345678901),
    ),
    # AutoencoderTiny, one resnet per block, channel counts that fill no vector, two transformer
    # layers, a block without attention first, DPM++ 2M on Karras sigmas.
    "odd": dict(
        seed=3,
        dtype=torch.float16,
        length=20,
        pad="<|endoftext|>",
        text=dict(TEXT, hidden_size=36, num_attention_heads=3, num_hidden_layers=1,
                  hidden_act="quick_gelu"),
        unet=dict(
            sample_size=(16, 16),
            block_out_channels=(12, 15),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            layers_per_block=1,
            transformer_layers_per_block=2,
            attention_head_dim=(2, 3),
            cross_attention_dim=36,
            norm_num_groups=3,
            use_linear_projection=True,
        ),
        tiny_vae=dict(
            encoder_block_out_channels=(11, 11, 11, 11),
            decoder_block_out_channels=(11, 11, 11, 11),
            num_encoder_blocks=(1, 2, 1, 1),
            num_decoder_blocks=(2, 1, 1, 1),
            latent_channels=4,
            scaling_factor=1.0,
        ),
        scheduler={
            "_class_name": "DPMSolverMultistepScheduler",
            "beta_start": 0.00085,
            "beta_end": 0.012,
            "beta_schedule": "scaled_linear",
            "num_train_timesteps": 1000,
            "prediction_type": "v_prediction",
            "use_karras_sigmas": True,
            "timestep_spacing": "leading",
            "steps_offset": 1,
        },
        picture=dict(h=8, w=8, steps=5, guidance=2.0, prompt="The  fox's TREE\tpainting 123!",
                     negative="house", seed=0),
    ),
    # Latent consistency: four steps with fresh noise, no guidance, bfloat16 files, a wide latent.
    "lcm": dict(
        seed=4,
        dtype=torch.bfloat16,
        length=16,
        pad="<|endoftext|>",
        text=dict(TEXT, num_hidden_layers=1, hidden_act="gelu"),
        unet=dict(
            sample_size=8,
            in_channels=8,
            out_channels=8,
            block_out_channels=(16, 24),
            down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
            layers_per_block=1,
            attention_head_dim=2,
            cross_attention_dim=32,
            norm_num_groups=8,
            flip_sin_to_cos=False,
            freq_shift=1,
        ),
        vae=dict(
            block_out_channels=(8, 16, 16),
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
            layers_per_block=1,
            norm_num_groups=4,
            latent_channels=8,
            sample_size=32,
            scaling_factor=0.5,
        ),
        scheduler={
            "_class_name": "LCMScheduler",
            "steps_offset": 1,
            "beta_start": 0.00085,
            "beta_end": 0.012,
            "beta_schedule": "scaled_linear",
            "num_train_timesteps": 1000,
            "original_inference_steps": 50,
            "timestep_scaling": 10.0,
        },
        picture=dict(h=8, w=8, steps=4, guidance=1.0, prompt="a", negative="", seed=99),
    ),
    # Like SDXL: two text encoders, the second one's texts padded with "!" and their end at the
    # largest id (eos_token_id 2), no attention at the finest level, transformers of several depths,
    # float16 files; no negative prompt, so a row of zeros.
    "sdxl": dict(
        seed=5,
        dtype=torch.float16,
        variant="fp16",
        length=77,
        pad="<|endoftext|>",
        eos=2,
        text=dict(TEXT, hidden_size=24, num_attention_heads=3, hidden_act="quick_gelu"),
        text_2=dict(TEXT, num_hidden_layers=3, hidden_act="gelu", projection_dim=20),
        unet=dict(
            sample_size=16,
            block_out_channels=(8, 16, 16),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            layers_per_block=1,
            transformer_layers_per_block=(1, 2, 3),
            attention_head_dim=(2, 2, 4),
            cross_attention_dim=56,
            norm_num_groups=4,
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=20 + 6 * 8,
        ),
        vae=dict(
            block_out_channels=(8, 8, 16),
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
            layers_per_block=1,
            norm_num_groups=4,
            latent_channels=4,
            sample_size=64,
            scaling_factor=0.13025,
            force_upcast=False,
        ),
        scheduler={
            "_class_name": "EulerDiscreteScheduler",
            "beta_start": 0.00085,
            "beta_end": 0.012,
            "beta_schedule": "scaled_linear",
            "interpolation_type": "linear",
            "num_train_timesteps": 1000,
            "prediction_type": "epsilon",
            "steps_offset": 1,
            "timestep_spacing": "leading",
            "use_karras_sigmas": False,
        },
        picture=dict(h=8, w=10, steps=4, guidance=5.0, prompt="a red fox, and the blue house",
                     negative="", seed=11),
    ),
    # Like SDXL-Turbo: two steps without guidance, trailing and ancestral; an empty prompt is read,
    # the end of a text is its first eos_token_id, waves are flipped and shifted, AutoencoderTiny,
    # bfloat16 files.
    "turbo": dict(
        seed=6,
        dtype=torch.bfloat16,
        length=20,
        pad="<|endoftext|>",
        zeros=False,
        text=dict(TEXT, hidden_size=16, num_attention_heads=2, hidden_act="quick_gelu"),
        text_2=dict(TEXT, hidden_act="gelu", projection_dim=9),
        unet=dict(
            sample_size=8,
            block_out_channels=(8, 16),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            layers_per_block=1,
            transformer_layers_per_block=(1, 2),
            attention_head_dim=(1, 2),
            cross_attention_dim=48,
            norm_num_groups=4,
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=6,
            projection_class_embeddings_input_dim=9 + 6 * 6,
            flip_sin_to_cos=False,
            freq_shift=1,
        ),
        tiny_vae=dict(
            encoder_block_out_channels=(6, 6, 6, 6),
            decoder_block_out_channels=(6, 6, 6, 6),
            num_encoder_blocks=(1, 1, 1, 1),
            num_decoder_blocks=(1, 1, 1, 1),
            latent_channels=4,
            scaling_factor=1.0,
        ),
        scheduler={
            "_class_name": "EulerAncestralDiscreteScheduler",
            "beta_start": 0.00085,
            "beta_end": 0.012,
            "beta_schedule": "scaled_linear",
            "num_train_timesteps": 1000,
            "prediction_type": "epsilon",
            "steps_offset": 1,
            "timestep_spacing": "trailing",
        },
        picture=dict(h=8, w=8, steps=2, guidance=0.0, prompt="a green mountain with a tree",
                     negative="", seed=21),
    ),
}


def make_text_encoder(cls, text, spec, tokenizer, generator):
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=spec["length"],
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=spec.get("eos", tokenizer.eos_token_id),
        pad_token_id=tokenizer.pad_token_id,
        **text,
    )
    return healthy(cls(config), generator).eval().to(spec["dtype"])


def make_parts(spec, tokenizer):
    g = torch.Generator().manual_seed(spec["seed"])
    text_encoder = make_text_encoder(CLIPTextModel, spec["text"], spec, tokenizer, g)
    unet = healthy(UNet2DConditionModel(**spec["unet"]), g)
    if "vae" in spec:
        vae = healthy(AutoencoderKL(**spec["vae"]), g)
    else:
        vae = healthy(AutoencoderTiny(**spec["tiny_vae"]), g, gain=1.2)
    return text_encoder, *(m.eval().to(spec["dtype"]) for m in (unet, vae))


def rename_attention(folder):
    """The names that SD 1.5's own autoencoder file still has."""
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    for name in os.listdir(folder):
        if not name.endswith(".safetensors"):
            continue
        path = os.path.join(folder, name)
        tensors = {}
        for key, value in load_file(path).items():
            for new, was in old.items():
                key = key.replace(f"attentions.0.{new}.", f"attentions.0.{was}.")
            tensors[key] = value
        save_file(tensors, path, metadata={"format": "pt"})


def add_position_ids(folder, length):
    """An int64 table that old text encoder files carry and nobody needs."""
    for name in os.listdir(folder):
        if name.endswith(".safetensors"):
            path = os.path.join(folder, name)
            tensors = load_file(path)
            tensors["text_model.embeddings.position_ids"] = torch.arange(length)[None]
            save_file(tensors, path, metadata={"format": "pt"})


def write_folder(folder, spec):
    shutil.rmtree(folder, ignore_errors=True)
    tokenizer = write_tokenizer(folder, spec["length"], spec["pad"])
    text_encoder, unet, vae = make_parts(spec, tokenizer)
    scheduler = oracle.make_scheduler(spec["scheduler"])
    if "text_2" in spec:
        tokenizer_2 = write_tokenizer(folder, spec["length"], "!")
        generator = torch.Generator().manual_seed(spec["seed"] + 1000)
        text_encoder_2 = make_text_encoder(CLIPTextModelWithProjection, spec["text_2"], spec, tokenizer_2,
                                           generator)
        pipe = StableDiffusionXLPipeline(
            vae, text_encoder, text_encoder_2, tokenizer, tokenizer_2, unet, scheduler,
            force_zeros_for_empty_prompt=spec.get("zeros", True), add_watermarker=False,
        )
    else:
        pipe = StableDiffusionPipeline(
            vae, text_encoder, tokenizer, unet, scheduler,
            None, None, requires_safety_checker=False,
        )
    pipe.save_pretrained(folder, variant=spec.get("variant"))
    with open(os.path.join(folder, "scheduler", "scheduler_config.json"), "w") as f:
        json.dump(spec["scheduler"], f, indent=2)
        f.write("\n")
    if "unet_shard" in spec:
        shutil.rmtree(os.path.join(folder, "unet"))
        unet.save_pretrained(os.path.join(folder, "unet"), max_shard_size=spec["unet_shard"])
    if spec.get("old_attention_names"):
        rename_attention(os.path.join(folder, "vae"))
        add_position_ids(os.path.join(folder, "text_encoder"), spec["length"])


def denoise(p, spec, out):
    """Every step of the picture, its numbers under limner's names."""
    picture = spec["picture"]
    scheduler = oracle.make_scheduler(p.scheduler_config)
    scheduler.set_timesteps(picture["steps"])
    channels = p.unet.config.in_channels
    shape = (picture["h"], picture["w"], channels)
    noise = oracle.normal(shape, picture["seed"], 0)
    fresh = [oracle.normal(shape, picture["seed"], 1 + i) for i in range(picture["steps"])]
    out["noise"] = noise
    x = noise * float(scheduler.init_noise_sigma)
    with oracle.FixedNoise([oracle.to_nchw(n) for n in fresh]):
        for i, t in enumerate(scheduler.timesteps):
            scaled = oracle.to_hwc(scheduler.scale_model_input(oracle.to_nchw(x), t))
            rows = p.rows(scaled, t, out, picture["guidance"])
            output = oracle.guide(rows, picture["guidance"])
            x = oracle.to_hwc(scheduler.step(oracle.to_nchw(output), t, oracle.to_nchw(x)).prev_sample)
            out[f"unet.{i}"], out[f"output.{i}"], out[f"latents.{i}"] = rows, output, x
    return x


def check_by_pipeline(folder, spec, noise, latents):
    """diffusers' own pipeline, with nothing of ours but the noise, must end at the same latents."""
    picture = spec["picture"]
    pipe = StableDiffusionXLPipeline.from_pretrained(folder, variant=spec.get("variant"),
                                                     add_watermarker=False).to(torch.float32)
    pipe.set_progress_bar_config(disable=True)
    factor = pipe.vae_scale_factor
    fresh = [oracle.normal(noise.shape, picture["seed"], 1 + i) for i in range(picture["steps"])]
    with oracle.FixedNoise([oracle.to_nchw(n) for n in fresh]):
        got = pipe(
            picture["prompt"], negative_prompt=picture["negative"] or None,
            height=picture["h"] * factor, width=picture["w"] * factor,
            num_inference_steps=picture["steps"], guidance_scale=picture["guidance"],
            latents=oracle.to_nchw(noise), output_type="latent",
        ).images
    error = oracle.relative_l2(oracle.to_hwc(got), latents)
    print(f"  by {type(pipe).__name__}: {error:.1e}")
    if error > 1e-5:
        raise SystemExit(f"{folder}: the pipeline itself comes to other latents")


def readable(folder):
    for base, _, names in os.walk(folder):
        for name in names:
            os.chmod(os.path.join(base, name), 0o644)


def sort_metadata(path):
    """safetensors writes metadata in the order of a hash table: the same file every time, please."""
    with open(path, "r+b") as f:
        length = int.from_bytes(f.read(8), "little")
        header = json.loads(f.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode().ljust(length)
        assert len(text) == length
        f.seek(8)
        f.write(text)


def write_golden(folder, spec):
    p = oracle.Pipeline(folder)
    picture = spec["picture"]
    out = {}
    negative = picture["negative"] if picture["guidance"] > 1 else ""
    out |= p.ids(negative, picture["prompt"])
    out |= p.condition(out, negative)
    x = denoise(p, spec, out)
    out["rgb"] = p.decode(x)
    # A smooth picture for the encoder, with some texture in it.
    height, width = (side // 2 for side in out["rgb"].shape[:2])
    i, j = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    waves = [torch.sin(0.13 * i + 0.07 * j), torch.cos(0.05 * i * 1.3 - 0.11 * j), torch.sin(0.9 * i) * 0.5]
    out["encode_in"] = torch.stack(waves, dim=-1).float()
    out["encode_out"] = p.encode(out["encode_in"])
    factor = out["rgb"].shape[0] // picture["h"]
    metadata = {k: str(v) for k, v in picture.items() if k not in ("h", "w")}
    metadata |= {"height": str(picture["h"] * factor), "width": str(picture["w"] * factor)}
    metadata["sampler"] = oracle.OWN_SAMPLER[p.scheduler_config["_class_name"]]
    for name, value in out.items():
        spread = value.float().std().item() if value.numel() else 0
        print(f"  {name:12} {str(tuple(value.shape)):16} std {spread:.3f} max {value.abs().max().item():.3f}")
    path = os.path.join(folder, "golden.safetensors")
    save_file({k: v.clone().contiguous() for k, v in out.items()}, path, metadata)
    sort_metadata(path)
    if p.xl:
        p.drop(*list(p.parts))  # a full size does not fit twice
        check_by_pipeline(folder, spec, out["noise"], x)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only")
    parser.add_argument("--out", default=os.path.join(os.path.dirname(__file__), "../../tests/golden"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    for name, spec in PIPELINES.items():
        if args.only and name != args.only:
            continue
        folder = os.path.join(args.out, "tiny_" + name)
        write_folder(folder, spec)
        print(folder)
        write_golden(folder, spec)
        readable(folder)


if __name__ == "__main__":
    main()
