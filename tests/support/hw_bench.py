"""A testbench for components: it feeds and drains streams and logs the cycle of every transfer.

Cycle 0 ends at the first clock edge. A transfer's cycle is the one in which valid and ready were both high, so a
block of latency n answers an item of cycle c in cycle c + n.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from amaranth.hdl import ClockDomain, Const, Module
from amaranth.lib import data
from amaranth.sim import Simulator
from hypothesis import HealthCheck, Phase, settings
from numpy.typing import NDArray

from hw.shape.words import words

few = settings(
    max_examples=8,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
"""Simulation is slow: few examples, the same in every run, no shrinking, for shapes are small anyway."""

some = settings(few, max_examples=20)


class Bench:
    """One simulation of `dut`: say what to feed, drain and watch, then `run`, which fills the logs.

    `rng` draws idle cycles and back-pressure. A bench that still waits after `limit` cycles fails.
    """

    def __init__(self, dut: Any, rng: np.random.Generator | None = None, limit: int = 20_000) -> None:
        self.dut, self.limit = dut, limit
        self.rng = rng if rng is not None else np.random.default_rng(0)
        top = Module()
        self.sync = ClockDomain("sync")
        top.domains += self.sync
        top.submodules.dut = dut
        self.simulator = Simulator(top)
        self.simulator.add_clock(1e-6)
        self.first_cycle = 0

    def run(self) -> None:
        async def watchdog(ctx: Any) -> None:
            for _ in range(self.limit):  # a trigger that is left waiting, like `repeat`'s, complains at the end
                await ctx.tick()
            raise AssertionError(f"still waiting after {self.limit} cycles")

        self.simulator.add_testbench(watchdog, background=True)
        self.simulator.run()

    def aborted_run(self, cycles: int, streams_in: Sequence[Any], streams_out: Sequence[Any]) -> None:
        """Start with random traffic for some cycles, then reset. Cycle 0 is the first after it."""
        self.first_cycle = cycles + 2

        async def bench(ctx: Any) -> None:
            for _ in range(cycles):
                for stream in streams_in:
                    ctx.set(stream.valid, int(self.rng.integers(4)) > 0)
                    ctx.set(stream.payload, _random_payload(self.rng, stream.payload))
                for stream in streams_out:
                    _set_ready(ctx, stream, int(self.rng.integers(2)))
                await ctx.tick()
            ctx.set(self.sync.rst, 1)
            for stream in streams_in:
                ctx.set(stream.valid, 0)
            for stream in streams_out:
                _set_ready(ctx, stream, 0)
            await ctx.tick()
            await ctx.tick()
            ctx.set(self.sync.rst, 0)

        self.simulator.add_testbench(bench)

    async def begun(self, ctx: Any) -> None:
        for _ in range(self.first_cycle):
            await ctx.tick()

    def feed(self, stream: Any, items: Iterable[Any], idle: float = 0.0) -> list[int]:
        """Offer each item until it is taken; returns the log of cycles."""
        log: list[int] = []

        async def bench(ctx: Any) -> None:
            await self.begun(ctx)
            cycle = 0
            for item in items:
                while idle and self.rng.random() < idle:
                    await ctx.tick()
                    cycle += 1
                ctx.set(stream.payload, item)
                ctx.set(stream.valid, 1)
                ready = False
                while not ready:
                    *_, ready = await ctx.tick().sample(stream.ready)
                    cycle += 1
                ctx.set(stream.valid, 0)
                log.append(cycle - 1)

        self.simulator.add_testbench(bench)
        return log

    def drain(self, stream: Any, count: int, stall: float = 0.0) -> list[tuple[int, Any]]:
        """Take `count` items; returns the log of (cycle, payload)."""
        log: list[tuple[int, Any]] = []

        async def bench(ctx: Any) -> None:
            await self.begun(ctx)
            cycle = 0
            while len(log) < count:
                go = not (stall and self.rng.random() < stall)
                _set_ready(ctx, stream, go)
                *_, valid, ready, payload = await ctx.tick().sample(stream.valid, stream.ready, stream.payload)
                if valid and ready:
                    log.append((cycle, payload))
                cycle += 1
            _set_ready(ctx, stream, 0)

        self.simulator.add_testbench(bench)
        return log

    def watch(self, *signals: Any) -> list[tuple[Any, ...]]:
        """The signals' values in every cycle."""
        log: list[tuple[Any, ...]] = []

        async def bench(ctx: Any) -> None:
            await self.begun(ctx)
            while True:
                _, _, *values = await ctx.tick().sample(*signals)
                log.append(tuple(values))

        self.simulator.add_testbench(bench, background=True)
        return log

    def script(self, bench: Callable[[Any], Any]) -> None:
        """Any other testbench."""
        self.simulator.add_testbench(bench)


def _set_ready(ctx: Any, stream: Any, value: int) -> None:
    if not isinstance(stream.ready, Const):
        ctx.set(stream.ready, value)


def _random_payload(rng: np.random.Generator, payload: Any) -> Any:
    if isinstance(payload, data.View):
        layout = payload.shape()
        return layout.from_bits(int.from_bytes(rng.bytes(-(-layout.size // 8)), "little") % (1 << layout.size))
    return int.from_bytes(rng.bytes(-(-len(payload) // 8)), "little") % (1 << len(payload))


def integer(bits: NDArray[Any]) -> int:
    """Bits, lowest first, as an integer."""
    return int.from_bytes(np.packbits(np.asarray(bits, dtype=np.uint8), bitorder="little").tobytes(), "little")


def bits_of(value: int, width: int) -> NDArray[np.uint8]:
    octets = np.frombuffer(value.to_bytes(-(-width // 8), "little"), dtype=np.uint8)
    return np.unpackbits(octets, count=width, bitorder="little")


def to_words(
    rng: np.random.Generator, vectors: NDArray[Any], starts: Iterable[int], width: int
) -> list[dict[str, int]]:
    """Vectors (frames, length) as words of a stream, with random bits beyond the length."""
    length = vectors.shape[1]
    spare = words(length, width) * width - length
    items = []
    for vector, start in zip(vectors, starts, strict=True):
        padded = np.concatenate([vector, rng.integers(0, 2, spare)])
        items += [{"data": integer(word), "start": start} for word in padded.reshape(-1, width)]
    return items


def from_words(log: Iterable[tuple[int, Any]], length: int, width: int) -> tuple[NDArray[np.uint8], list[int]]:
    """The vectors (frames, length) and the starts that a drained stream carried; bits beyond the length must be 0."""
    count = words(length, width)
    payloads = [payload for _, payload in log]
    assert len(payloads) % count == 0
    bits = np.stack([bits_of(int(payload.data), width) for payload in payloads]).reshape(-1, count * width)
    assert not bits[:, length:].any(), "bits beyond the vector must be 0"
    starts = np.array([int(payload.start) for payload in payloads]).reshape(-1, count)
    assert (starts == starts[:, :1]).all(), "start must be the same on every word of a vector"
    return bits[:, :length], starts[:, 0].tolist()
