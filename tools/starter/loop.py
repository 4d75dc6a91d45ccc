# SPDX-License-Identifier: Apache-2.0
"""What both trainers share: device, schedule, running average, log, checkpoint.

A run moves `progress` from where the checkpoint left it (0 at first) to `--to`, spread over the
steps or the time given; learning rates depend on progress alone. So one schedule may be cut into
several commands: `--to 0.5 --minutes 8`, later `--resume --to 1 --minutes 8`.
"""

import math
import os
import time

import torch


def arguments(parser):
    parser.add_argument("--ckpt", required=True, help="checkpoint to write")
    parser.add_argument("--resume", action="store_true", help="continue from --ckpt if it exists")
    parser.add_argument("--log", help="TSV to append to (default: beside the checkpoint)")
    parser.add_argument("--to", type=float, default=1.0, help="share of the schedule at the end")
    parser.add_argument("--start", type=float, default=0.0, help="share done before this run")
    parser.add_argument("--steps", type=int, default=0, help="length of this run in steps, or")
    parser.add_argument("--minutes", type=float, default=0, help="in minutes, or")
    parser.add_argument("--until", type=float, default=0, help="its end in Unix seconds")
    parser.add_argument("--flat", type=float, default=0.3, help="share before the cosine decay")
    parser.add_argument("--warm", type=int, default=200, help="steps of warm-up")
    parser.add_argument("--every", type=float, default=120, help="seconds between checkpoints")
    parser.add_argument("--log-steps", type=int, default=50)
    device_arguments(parser)


def device_arguments(parser):
    cuda = torch.cuda.is_available()
    parser.add_argument("--device", default="cuda" if cuda else "cpu")
    parser.add_argument("--precision", choices=("bf16", "f32"), default="bf16" if cuda else "f32")
    parser.add_argument("--compile", action="store_true", default=cuda)
    parser.add_argument("--threads", type=int, default=0, help="of the CPU (default: torch's)")
    parser.add_argument("--seed", type=int, default=1)


class Place:
    """Where the work runs, and how: device, autocast, compilation, one seeded generator."""

    def __init__(self, a, salt=0):
        self.device = torch.device(a.device)
        self.bf16, self.compiles = a.precision == "bf16", a.compile
        if a.threads:
            torch.set_num_threads(a.threads)
        torch.manual_seed(a.seed)
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
        self.generator = torch.Generator(self.device)
        self.reseed(a.seed, salt)

    def reseed(self, seed, salt):
        self.generator.manual_seed(seed * 1_000_003 + salt)

    def autocast(self):
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16)

    def put(self, net):
        return net.to(self.device, memory_format=torch.channels_last)

    def compiled(self, net):
        return torch.compile(net) if self.compiles else net


class Schedule:
    def __init__(self, a, start, step):
        self.a, self.first, self.first_step = a, start, step
        self.begin = time.time()
        self.seconds = (a.until - self.begin) if a.until else a.minutes * 60
        if not a.steps and self.seconds <= 0:
            raise SystemExit("say how long: --steps, --minutes or --until")

    def share(self, step):
        """Of this run, 0 to 1."""
        if self.a.steps:
            return min(1.0, (step - self.first_step) / self.a.steps)
        return min(1.0, (time.time() - self.begin) / self.seconds)

    def progress(self, step):
        return self.first + (self.a.to - self.first) * self.share(step)

    def rate(self, peak, step):
        """Warm-up of this run, flat, then a cosine down to 2 % of the peak."""
        flat = self.a.flat
        down = max(0.0, (self.progress(step) - flat) / (1 - flat))
        warm = min(1.0, (step - self.first_step + 1) / self.a.warm)
        return peak * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * down)))


class Average:
    """A running average of the weights; it leans on the newest at first."""

    def __init__(self, net, copy, decay):
        self.net, self.copy, self.decay = net, copy, decay
        copy.load_state_dict(net.state_dict())
        copy.requires_grad_(False)
        self.pairs = list(copy.parameters()), list(net.parameters())

    @torch.no_grad()
    def update(self, step):
        keep = min(self.decay, (step + 1) / (step + 10))
        torch._foreach_lerp_(self.pairs[0], self.pairs[1], 1 - keep)


class Log:
    """One TSV row per call; the header says what the columns are."""

    def __init__(self, a, columns):
        self.path = a.log or os.path.splitext(a.ckpt)[0] + ".tsv"
        fresh = not (a.resume and os.path.exists(self.path))
        os.makedirs(os.path.dirname(os.path.abspath(self.path)), exist_ok=True)
        with open(self.path, "w" if fresh else "a", encoding="utf-8") as f:
            f.write("\t".join(columns) + "\n" if fresh else "")
        self.columns = columns

    def row(self, **values):
        cells = [values.get(c, "") for c in self.columns]
        line = [f"{v:.5g}" if isinstance(v, float) else str(v) for v in cells]
        with open(self.path, "a", encoding="utf-8") as f:
            f.write("\t".join(line) + "\n")
        print("  ".join(f"{c} {v}" for c, v in zip(self.columns, line) if v), flush=True)


def load_checkpoint(a, device):
    if not (a.resume and os.path.exists(a.ckpt)):
        return None
    return torch.load(a.ckpt, map_location=device, weights_only=True)


def save_checkpoint(path, state):
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    torch.save(state, path + ".new")
    os.replace(path + ".new", path)


class Trainer:
    """The loop: `loss_of(step, progress)` gives a loss to go down and a dict of things to log."""

    def __init__(self, a, place, net, copy, ema, rate):
        self.a, self.place, self.net, self.peak = a, place, net, rate
        self.average = Average(net, copy, ema)
        self.optimiser = torch.optim.AdamW(
            net.parameters(), rate, betas=(0.9, 0.99), weight_decay=0.01,
            fused=place.device.type == "cuda")
        self.step, self.seen, start = 0, 0, a.start
        saved = load_checkpoint(a, place.device)
        if saved:
            net.load_state_dict(saved["net"])
            copy.load_state_dict(saved["ema"])
            self.optimiser.load_state_dict(saved["optimiser"])
            self.step, self.seen, start = saved["step"], saved["seen"], saved["progress"]
            place.reseed(a.seed, self.step + 1)
            print(f"resumed at step {self.step}, progress {start:.3f}", flush=True)
        self.schedule = Schedule(a, start, self.step)

    def state(self, extra):
        return {
            "net": self.net.state_dict(), "ema": self.average.copy.state_dict(),
            "optimiser": self.optimiser.state_dict(), "step": self.step, "seen": self.seen,
            "progress": self.schedule.progress(self.step), **extra}

    def descend(self, loss):
        rate = self.schedule.rate(self.peak, self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimiser.step()
        self.average.update(self.step)
        return rate, norm

    def run(self, loss_of, batch, columns, check=None):
        """Until the schedule's share of this run is spent; `check` may add columns at the end."""
        log = Log(self.a, ["step", "seen", "progress", "lr", "norm", "per_s", *columns])
        mean, saved, mark, before = {}, time.time(), time.time(), self.step
        while self.schedule.share(self.step) < 1:
            loss, parts = loss_of(self.step, self.schedule.progress(self.step))
            rate, norm = self.descend(loss)
            self.step += 1
            self.seen += batch
            for k, v in parts.items():  # stays on the device: reading it would wait for the GPU
                v = v.detach()
                mean[k] = v.clone() if k not in mean else mean[k].lerp_(v, 0.05)
            if self.step % self.a.log_steps:
                continue
            values = {k: v.item() for k, v in mean.items()}
            if not all(map(math.isfinite, values.values())):
                raise SystemExit(f"step {self.step}: the loss is not a number: {values}")
            speed = batch * (self.step - before) / (time.time() - mark)
            mark, before = time.time(), self.step
            log.row(step=self.step, seen=self.seen, progress=self.schedule.progress(self.step),
                    lr=rate, norm=norm.item(), per_s=speed, **values)
            if time.time() - saved > self.a.every:
                saved = time.time()
                save_checkpoint(self.a.ckpt, self.state({}))
        extra = check() if check else {}
        save_checkpoint(self.a.ckpt, self.state(extra))
        last = {k: v.item() for k, v in mean.items()}
        scores = {k: v for k, v in extra.items() if k in columns}
        log.row(step=self.step, seen=self.seen, progress=self.schedule.progress(self.step),
                **{**last, **scores})
