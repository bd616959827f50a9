"""Speed of training next to PyTorch's own GRU of the same shape: `bgru speed`."""

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.table import Table
from torch import Tensor, nn

from model.bundle.front_end import limits_of
from model.console import console
from model.corpora.float_front_end import FloatFrontEnd
from model.files import replacing
from model.training.batches import Mixtures
from model.training.bernoulli import Draw
from model.training.config import Config, with_settings
from model.training.distributed import join
from model.training.loss import weighted_loss
from model.training.network import REAL, Binarisation, MaskNetwork, Pi
from model.training.trainer import augmentation, bipolar

HALF = Pi(0.5, 0.5)
"""The pi at which Bernoulli masks are drawn for every weight and activation: the most expensive of round 2."""


class Reference(nn.Module):
    """`torch.nn.GRU` and `Linear`, as real-valued training would use them."""

    def __init__(self, features: int, units: int, outputs: int) -> None:
        super().__init__()
        self.gru, self.mask = nn.GRU(features, units), nn.Linear(units, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """From x (frames, batch, features) to (frames, batch, outputs)."""
        v: Tensor = self.mask(self.gru(x)[0])
        return v


def frames_per_second(step: Callable[[], None], frames: int, seconds: float, device: torch.device) -> float:
    """Frames per second of a training step: the median over as many steps as fit, at least three."""
    step()
    taken: list[float] = []
    while len(taken) < 3 or sum(taken) < seconds:
        _synchronise(device)
        began = time.perf_counter()
        step()
        _synchronise(device)
        taken.append(time.perf_counter() - began)
    return frames / float(np.median(taken))


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def training_step(network: nn.Module, forward: Callable[[Tensor], Tensor], x: Tensor, outputs: int, mixed: bool) -> Any:
    """A step of training on x (frames, batch, features): loss, gradient, clipping and Adam."""
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
    mask = bipolar(np.random.default_rng(0).integers(0, 2, (*x.shape[:2], outputs), dtype=np.uint8)).to(x.device)
    weight = torch.ones_like(mask)

    def step() -> None:
        with torch.autocast(x.device.type, torch.bfloat16, enabled=mixed):
            v = forward(x)
        optimiser.zero_grad()
        weighted_loss(v.float(), mask, weight).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()

    return step


def pipeline(settings: Config, seconds: float) -> float:
    """Frames of training mixtures per second, from recordings in memory to features, masks and weights."""
    rng, bins = np.random.default_rng(0), settings.fft_size // 2 + 1
    limits = np.sort(rng.random((bins, limits_of(settings.qad_code, settings.qad_bits)), dtype=np.float32), axis=1)
    front_end = FloatFrontEnd(
        settings.sample_rate, settings.fft_size, settings.hop, settings.window, settings.rms, limits
    )
    sounds = [rng.normal(0, 0.1, 10 * settings.sample_rate).astype(np.float32) for _ in range(4)]
    noises, rooms = {"a": sounds[2], "b": sounds[3]}, [sounds[0][: settings.sample_rate // 2]]
    mixtures = Mixtures(front_end, sounds[:2], noises, augmentation(settings), noises, rooms)

    def step() -> None:
        sources = [np.random.default_rng(index) for index in range(settings.sequences)]
        mixtures.batch(settings.frames, (-5.0, 5.0), settings.level_db, settings.loss_power, sources)

    return frames_per_second(step, settings.sequences * settings.frames, seconds, torch.device("cpu"))


def bitwise(network: MaskNetwork, pi: Pi, x: Tensor) -> Tensor:
    """The network's output at `pi`, with fresh Bernoulli masks."""
    v: Tensor = network(x, pi=pi, draw=Draw(0, x.device))[0]
    return v


def measure(preset: str, seconds: float, device: torch.device) -> dict[str, Any]:
    """Frames per second of the reference, of round 1 and of pi = 0.5, in float32 and bfloat16; and of the mixtures."""
    settings = with_settings(preset, [])
    bins = settings.fft_size // 2 + 1
    features, units, outputs = bins * settings.qad_bits, settings.hidden[0], bins * settings.mask_bits
    shape = (settings.truncation, settings.sequences, features)
    x = bipolar(np.random.default_rng(0).integers(0, 2, shape, dtype=np.uint8)).to(device)
    found: dict[str, Any] = {"preset": preset, "mixtures": pipeline(settings, seconds)}
    for name, mixed in (("float32", False), ("bfloat16", True)):
        torch.manual_seed(0)
        reference = Reference(features, units, outputs).to(device)
        network = MaskNetwork(features, (units,), outputs, "bgru", Binarisation(settings.rho, settings.slope)).to(
            device
        )
        runs: dict[str, tuple[nn.Module, Callable[[Tensor], Tensor]]] = {
            "torch.nn.GRU": (reference, reference),
            "pi = 0": (network, partial(bitwise, network, REAL)),
            "pi = 0.5": (network, partial(bitwise, network, HALF)),
        }
        for what, (module, forward) in runs.items():
            step = training_step(module, forward, x, outputs, mixed)
            found[f"{what}, {name}"] = frames_per_second(step, shape[0] * shape[1], seconds, device)
    return found


def run(preset: list[str] | None, seconds: float, threads: int, out: Path) -> None:
    """Measure training steps next to those of torch.nn.GRU and Linear of the same shape: `bgru speed`."""
    torch.set_num_threads(threads)
    with join() as team:
        results = [measure(name, seconds, team.device) for name in preset or ["small", "paper"]]
    for found in results:
        table = Table(
            "", *(f"{name}, frames/s" for name in ("float32", "bfloat16")), "of torch.nn.GRU", title=found["preset"]
        )
        for what in ("torch.nn.GRU", "pi = 0", "pi = 0.5"):
            speeds = [found[f"{what}, {name}"] for name in ("float32", "bfloat16")]
            ratios = [found[f"{what}, {name}"] / found[f"torch.nn.GRU, {name}"] for name in ("float32", "bfloat16")]
            table.add_row(what, *(f"{speed:,.0f}" for speed in speeds), ", ".join(f"{ratio:.2f} x" for ratio in ratios))
        table.add_row("making mixtures", f"{found['mixtures']:,.0f}", "", "")
        console.print(table)
    with replacing(out) as temporary:
        temporary.write_text(
            json.dumps({"device": team.device.type, "threads": threads, "results": results}, indent=1) + "\n"
        )
