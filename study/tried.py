"""Levers that were tried on `small` and not kept: `python -m study.tried NAME [lever=value ...] [setting=value ...]`.

A short run (8 epochs) with one change, scored on 64 validation mixtures after the last epoch: as it is, and with the
weights averaged over some 50 steps. Levers: delay (frames that a mask is late), signal (share of the loss that is the
masked signal's own error), teacher and share (distillation from a run of the study), muon and momentum (Muon in place
of Adam for the weights, its step in Adam's), previous (1: the features of the frame before are given as well),
thresholds and initial (0: biases, or initial states, stay as they begin), fixed (1: every epoch has the same mixtures).
"""

import copy
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from model import config, metrics, trainer
from model.batches import Mixtures
from model.mixing import mask_targets
from model.network import BGRU, REAL, Network, Pi
from study import protocol

LEVERS = (
    "delay",
    "signal",
    "teacher",
    "share",
    "muon",
    "momentum",
    "previous",
    "thresholds",
    "initial",
    "fixed",
    "data",
)
AVERAGE = 0.98
NEWTON = (3.4445, -4.7750, 2.0315)


class Bit(torch.autograd.Function):
    """The mask's bit, with the gradient of its sigmoid."""

    @staticmethod
    def forward(ctx: Any, v: Tensor) -> Tensor:
        ctx.save_for_backward(v)
        return (v >= 0).to(v.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (v,) = ctx.saved_tensors
        p = torch.sigmoid(2 * v)
        return gradients[0] * 2 * p * (1 - p)


def orthogonal(gradient: Tensor) -> Tensor:
    """Newton and Schulz's iteration on each gate."""
    x = gradient.bfloat16()
    x = x / (x.float().norm(dim=(-2, -1), keepdim=True) + 1e-7).bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    for _ in range(5):
        square = x @ x.mT
        x = NEWTON[0] * x + (NEWTON[1] * square + NEWTON[2] * square @ square) @ x
    return (x.mT if tall else x).float()


def main(name: str, arguments: list[str]) -> dict[str, Any]:
    """Train and score: losses of the epochs, scores of the last weights and of their average."""
    given = dict(argument.split("=", 1) for argument in arguments)
    lever = {key: given.pop(key) for key in LEVERS if key in given}
    given.setdefault("stages", "8:1:1:0.01:0.001")
    settings = config.with_settings("small", [f"{key}={value}" for key, value in given.items()])
    data, delay, share = Path(lever.get("data", "data")), int(lever.get("delay", 0)), float(lever.get("share", 0))
    fixed = "fixed" in lever
    signal, muon, momentum = (float(lever.get(key, 0)) for key in ("signal", "muon", "momentum"))
    source = protocol.source(data, "disjoint", [data / "open" / "speech"])
    mixtures, mean = trainer.fit_front_end(source, settings)
    front_end, bits = mixtures.front_end, settings.mask_bits
    network = trainer.make_network(front_end, settings)
    if "previous" in lever:
        torch.manual_seed(settings.seed)
        binary, mean = network.layers[0].rows.binary, torch.cat([mean, mean])
        network = Network(2 * front_end.features, settings.hidden, front_end.bins * bits, settings.kind, binary)
    network.centre(mean)
    for layer in network.layers:
        layer.rows.bias.requires_grad_("thresholds" not in lever)
        if isinstance(layer, BGRU):
            layer.initial.requires_grad_("initial" not in lever)
    average, weights = copy.deepcopy(network), [layer.rows.weight for layer in network.layers]
    rest = [
        p for p in network.parameters() if p.requires_grad and (not muon or all(p is not weight for weight in weights))
    ]
    optimiser = torch.optim.Adam(rest, betas=(settings.beta1, settings.beta2), fused=True)
    moments = [torch.zeros_like(weight) for weight in weights]
    teacher = trainer.load(Path(lever["teacher"]), settings, REAL)[0] if "teacher" in lever else None

    held_out = Mixtures(front_end, *source.signals("validation", settings.sample_rate))
    speech, noise = held_out.spectra(settings.frames, (0, 0), [np.random.default_rng([0, i]) for i in range(64)])

    def given_bits(bits: Any) -> Tensor:
        x = trainer.bipolar(bits)
        return torch.cat([x, torch.cat([x[:1], x[:-1]])], -1) if "previous" in lever else x

    heard = given_bits(held_out.features(speech + noise, np.zeros(64)))

    def scores(of: Network, pi: Pi) -> dict[str, float]:
        with torch.no_grad():
            mask = (of(heard, pi=pi)[0] >= 0).numpy().swapaxes(0, 1)
        gains = np.stack([front_end.gains(item) for item in mask])
        gains = np.concatenate([gains[:, delay:], np.repeat(gains[:, -1:], delay, 1)], 1)
        samples, found = (settings.frames - 1) * settings.hop, []
        for clean, dirty, gain in zip(speech, speech + noise, gains, strict=True):
            pair = front_end.istft(clean, samples), front_end.istft(dirty * gain, samples)
            found.append([metrics.sdr(*pair), metrics.si_sdr(*pair), metrics.stoi(*pair, settings.sample_rate)])
        return dict(zip(("sdr", "si_sdr", "stoi"), np.mean(found, 0).round(4).tolist(), strict=True))

    losses, step = [], 0
    for epoch, (stage, rate) in enumerate(settings.plan()):
        pi, found = Pi(stage.weights, stage.activations), []
        for batch in range(settings.batches):
            sources = [
                np.random.default_rng([0, epoch * (not fixed), batch, index]) for index in range(settings.sequences)
            ]
            clean, other = mixtures.spectra(settings.frames, (settings.snr_low, settings.snr_high), sources)
            levels = np.array([rng.uniform(-settings.level_db, settings.level_db) for rng in sources])
            x = given_bits(mixtures.features(clean + other, levels))
            mask, cost = mask_targets(clean, other, bits)
            weight = np.power(cost, settings.loss_power / 2)
            weight /= weight.mean(axis=(1, 2), keepdims=True)
            both = clean + other
            parts = (2.0 * mask - 1.0, weight, np.abs(both) ** 2, np.real(clean * both.conj()), np.abs(clean) ** 2)
            late = [torch.from_numpy(np.roll(part, delay, 1).swapaxes(0, 1).astype(np.float32)) for part in parts]
            late[1][:delay] = 0.0
            states = taught = None
            for start in range(0, settings.frames, settings.truncation):
                now = slice(start, start + settings.truncation)
                target, cost_now, loud, cross, wanted = (part[now] for part in late)
                with torch.autocast("cpu", torch.bfloat16):
                    v, states = network(x[now], states, pi)
                if teacher:
                    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                        other_v, taught = teacher(x[now], taught, REAL)
                    target = (1 - share) * target + share * torch.tanh(other_v)
                loss = (cost_now * (torch.nn.functional.softplus(-2 * v) + (1 - target) * v)).mean()
                if signal:
                    gain = Bit.apply(v).view(*v.shape[:2], front_end.bins, bits).mean(-1)
                    error = (gain * gain * loud - 2 * gain * cross + wanted).sum((0, 2)) / wanted.sum((0, 2))
                    loss = (1 - signal) * loss + signal * torch.log10(error + 0.03).mean()
                network.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
                optimiser.param_groups[0]["lr"] = rate
                optimiser.step()
                step, keep = step + 1, min(AVERAGE, 1 - 1 / (step + 2))
                with torch.no_grad():
                    for own, moment in zip(weights, moments, strict=True) if muon else ():
                        assert own.grad is not None
                        moment.lerp_(own.grad, 1 - momentum)
                        towards = orthogonal(torch.lerp(own.grad, moment, momentum))
                        own.add_(towards, alpha=-rate * muon * max(own.shape[-2:]) ** 0.5)
                    for mine, theirs in zip(average.parameters(), network.parameters(), strict=True):
                        mine.lerp_(theirs, 1 - keep)
                found.append(loss.item())
        losses.append(round(float(np.mean(found)), 4))
        print(name, epoch + 1, losses[-1], flush=True)
    return {"loss": losses, "last": scores(network, pi), "averaged": scores(average, pi)}


if __name__ == "__main__":
    print(json.dumps({sys.argv[1]: main(sys.argv[1], sys.argv[2:])}))
