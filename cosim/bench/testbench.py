"""The cocotb side: drive a network, watch every layer, compare every bit.

Started by `cosim.bench.runner`, which writes a job (a folder with `job.json` and `job.npz`) and reads `result.json`.
All signals are driven and sampled at the falling edge, half a cycle from the hardware's active edge, so the simulator's
order of events does not matter.
"""

import json
import os
import random
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.simtime import get_sim_time
from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge, Timer, ValueChange, with_timeout

from hw.shape.words import words

JOB = Path(os.environ.get("BGRU_JOB", "."))


class Differs(Exception):
    """The hardware and the golden model differ; the arguments say where."""


class Bench:
    """One device under test and the job to do on it."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.job = json.loads((JOB / "job.json").read_text())
        with np.load(JOB / "job.npz", allow_pickle=False) as arrays:
            self.arrays = {name: arrays[name] for name in arrays.files}
        self.random = random.Random(self.job["seed"])
        self.period: int = self.job["period_ps"]
        self.frames = len(self.arrays["features"])
        # First and last cycle in which each layer held each frame.
        self.held: dict[str, list[tuple[int, int]]] = {name: [] for name in self.job["layers"]}
        self.mask = np.zeros_like(self.arrays["mask"])
        self.finished: list[int] = []  # the cycle in which each frame's last output word was taken
        self.entered: list[int] = []  # and in which its first input word was

    @property
    def cycle(self) -> int:
        return int(get_sim_time("ps")) // self.period

    async def start(self) -> None:
        """Start the clocks, keep the inputs quiet, reset once."""
        dut = self.dut
        dut.i__valid.value = 0
        dut.o__ready.value = 0
        Clock(dut.clk, self.period, unit="ps").start()
        if self.job["sdram_period_ps"]:
            dut.sdram_rst.value = 1
            Clock(dut.sdram_clk, self.job["sdram_period_ps"], unit="ps").start()
        await FallingEdge(dut.clk)
        await self.reset()

    async def reset(self) -> None:
        dut = self.dut
        dut.i__valid.value = 0
        for name in (*self.job["loaded"], *self.job["streamed"]):
            getattr(dut, f"load_{name}__valid").value = 0
        dut.rst.value = 1
        for _ in range(self.random.randint(1, 3)):
            await FallingEdge(dut.clk)
        if self.job["sdram_period_ps"]:
            dut.sdram_rst.value = 1
            for _ in range(3):
                await FallingEdge(dut.sdram_clk)
            dut.sdram_rst.value = 0
            await FallingEdge(dut.clk)
        dut.rst.value = 0
        self.entered.clear()
        self.finished.clear()
        for held in self.held.values():
            held.clear()

    async def idle(self, probability: float) -> None:
        while probability and self.random.random() < probability:
            await FallingEdge(self.dut.clk)

    async def send(self, valid: Any, ready: Any, assign: Any, idle: float, items: list[Any], first: Any = None) -> None:
        """Offer items on a stream, each until it is taken; begins and ends at a falling edge."""
        for index, item in enumerate(items):
            await self.idle(idle)
            assign(item)
            valid.value = 1
            await ReadOnly()
            while not ready.value:
                await RisingEdge(ready)
                await FallingEdge(self.dut.clk)
                await ReadOnly()
            if first is not None:
                first(index)
            await FallingEdge(self.dut.clk)
            valid.value = 0

    async def send_weights(self, name: str) -> None:
        """A layer's weights, once."""
        payload = getattr(self.dut, f"load_{name}__payload")
        await self.send(
            getattr(self.dut, f"load_{name}__valid"),
            getattr(self.dut, f"load_{name}__ready"),
            lambda word: setattr(payload, "value", word),
            self.job["idle"],
            [int.from_bytes(row.tobytes(), "little") for row in self.arrays[f"load_{name}"]],
        )

    async def load_weights(self) -> None:
        for name in self.job["loaded"]:
            await self.send_weights(name)

    async def stream_weights(self, name: str) -> None:
        while True:
            await self.send_weights(name)

    def streams(self) -> list[Any]:
        """What goes on for as long as the session does."""
        tasks = [cocotb.start_soon(self.stream_weights(name)) for name in self.job["streamed"]]
        if self.job["sdram_period_ps"]:
            tasks.append(cocotb.start_soon(self.guarded(self.memory())))
        return tasks

    async def drive(self) -> None:
        """Send every frame; padding bits are random, because the hardware must ignore them."""
        width = self.job["in_width"]
        features = self.arrays["features"]
        count = words(features.shape[1], width)
        spare = count * width - features.shape[1]
        items = []
        for frame, bits in enumerate(features):
            padding = [self.random.randint(0, 1) for _ in range(spare)]
            table = np.concatenate([bits, np.array(padding, dtype=np.uint8)]).reshape(count, width)
            start = int(self.arrays["starts"][frame])
            items += [_integer(row) | start << width for row in table]

        def note(index: int) -> None:
            if index % count == 0:
                self.entered.append(self.cycle)

        dut = self.dut
        await self.send(
            dut.i__valid,
            dut.i__ready,
            lambda word: setattr(dut.i__payload, "value", word),
            self.job["idle"],
            items,
            note,
        )

    async def collect(self) -> None:
        """Take every output word, ready at random if asked to, and compare it and its padding."""
        dut, width, probability = self.dut, self.job["out_width"], self.job["backpressure"]
        expected = self.arrays["mask"]
        count = words(expected.shape[1], width)
        for frame in range(self.frames):
            bits = np.zeros(0, dtype=np.uint8)
            for index in range(count):
                payload = await self.take(dut.o__valid, dut.o__ready, dut.o__payload, probability)
                bits = np.append(bits, _bits(payload & (1 << width) - 1, width))
                if payload >> width != int(self.arrays["starts"][frame]):
                    raise Differs("output", frame, "start", index, int(self.arrays["starts"][frame]), payload >> width)
            padded = np.pad(expected[frame], (0, count * width - expected.shape[1]))
            _compare("output", frame, "mask", padded, bits)
            self.mask[frame] = bits[: expected.shape[1]]
            self.finished.append(self.cycle)
            (JOB / "progress").write_text(str(frame + 1))

    async def take(self, valid: Any, ready: Any, payload: Any, backpressure: float) -> int:
        """One item of a stream; begins and ends at a falling edge."""
        offered: int | None = None
        # Sometimes ready waits for valid: a valid that waits for ready would then never come.
        patient = backpressure > 0 and self.random.random() < 0.5
        while True:
            go = not (backpressure and self.random.random() < backpressure) and not (patient and offered is None)
            ready.value = int(go)
            await ReadOnly()
            before, offered = offered, int(payload.value) if valid.value else None
            if before is not None and offered != before:
                raise Differs("output", len(self.finished), "payload held until taken", 0, before, offered)
            if offered is not None and go:
                await FallingEdge(self.dut.clk)
                return offered
            if offered is None and backpressure == 0:
                await RisingEdge(valid)
            await FallingEdge(self.dut.clk)

    async def watch(self, name: str) -> None:
        """Compare a layer's vectors, frame by frame."""
        record = self.job["layers"][name]
        frames = getattr(self.dut, f"rec_{name}__frames")
        handles = {vector: getattr(self.dut, f"rec_{name}__{vector}") for vector in record["vectors"]}
        for frame in range(self.frames):
            await ValueChange(frames)
            await ReadOnly()  # the vectors may be written after the counter, within the same edge
            for vector, handle in handles.items():
                expected = self.arrays[f"{name}.{vector}"][frame]
                actual = _bits(int(handle.value), len(handle))
                _compare(name, frame, vector, np.pad(expected, (0, len(actual) - len(expected))), actual)

    async def time(self, name: str) -> None:
        """Record when a layer holds each frame."""
        releases, cycles = (getattr(self.dut, f"rec_{name}__{what}") for what in ("releases", "cycles"))
        for _ in range(self.frames):
            await ValueChange(releases)
            await ReadOnly()
            self.held[name].append((self.cycle - int(cycles.value), self.cycle))

    async def guarded(self, checking: Any) -> None:
        """Await a comparing coroutine and report a mismatch, which ends the test at once."""
        try:
            await checking
        except Differs as mismatch:
            keys = ("layer", "frame", "signal", "unit", "expected", "actual")
            report({"mismatch": dict(zip(keys, mismatch.args, strict=True))})
            raise

    async def memory(self) -> None:
        """The SDRAM's weights never fail; the rule that was broken is reported as the unit."""
        await RisingEdge(self.dut.failed)
        raise Differs("SDRAM", len(self.finished), "failed", int(self.dut.broken.value), 0, 1)

    def check(self) -> list[Any]:
        layers = self.job["layers"]
        checks = [*map(self.watch, layers), *map(self.time, layers), self.collect()]
        return [cocotb.start_soon(self.guarded(check)) for check in checks]

    async def session(self) -> None:
        tasks, streams = self.check(), self.streams()
        if self.job["sdram_period_ps"] and not self.dut.ready.value:
            await RisingEdge(self.dut.ready)
            await FallingEdge(self.dut.clk)
        await self.drive()
        for task in tasks:
            await task
        for _ in range(100):  # nothing may come after the last word
            await ReadOnly()
            if self.dut.o__valid.value:
                raise Differs("output", self.frames, "valid after the last word", 0, 0, 1)
            await FallingEdge(self.dut.clk)
        for task in streams:
            task.cancel()

    async def aborted_session(self) -> None:
        """Run for a random time, then reset in the middle."""
        tasks = [*self.check(), *self.streams(), cocotb.start_soon(self.drive())]
        await Timer(self.random.randint(1, self.job["reset_within"]) * self.period, unit="ps")
        for task in tasks:
            task.cancel()
        await FallingEdge(self.dut.clk)


def report(result: dict[str, Any]) -> None:
    """Write the result for the runner."""
    (JOB / "result.json").write_text(json.dumps(result))


def _integer(bits: np.ndarray) -> int:
    return int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")


def _bits(value: int, width: int) -> np.ndarray:
    octets = np.frombuffer(value.to_bytes(-(-width // 8), "little"), dtype=np.uint8)
    return np.unpackbits(octets, count=width, bitorder="little")


def _compare(layer: str, frame: int, signal: str, expected: np.ndarray, actual: np.ndarray) -> None:
    different = np.flatnonzero(expected != actual)
    if len(different):
        unit = int(different[0])
        raise Differs(layer, frame, signal, unit, int(expected[unit]), int(actual[unit]))


@cocotb.test()
async def bit_exact(dut: Any) -> None:
    """Every vector of every layer and every output word equals the golden model's."""
    bench = Bench(dut)
    await bench.start()
    for _ in range(bench.job["resets"]):
        await bench.load_weights()
        await bench.aborted_session()
        await bench.reset()
    await bench.load_weights()
    begin = bench.cycle
    await with_timeout(bench.guarded(bench.session()), bench.job["patience"] * bench.period, "ps")
    np.save(JOB / "mask.npy", bench.mask)
    report(
        {
            "mismatch": None,
            "frames": bench.frames,
            "cycles": bench.cycle - begin,
            "held": bench.held,
            "entered": bench.entered,
            "finished": bench.finished,
        }
    )
