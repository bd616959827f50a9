"""The flash model, by a controller of the tests' own that shares nothing with the gateware."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.chips.spi_flash import CAPACITY, ID, Command, Fault, Flash, Timing
from tests.support.hw_bench import Bench, few
from tests.support.random_bundles import seeds

MHZ = 1_000_000


class Controller:
    """Pins moved by hand: `half` cycles of low, `half` of high for each bit."""

    def __init__(self, ctx, spi, half):
        self.ctx, self.spi, self.half = ctx, spi, half

    async def select(self, *octets, extra_bits=0, read=0):
        """One selection: octets out, perhaps some more bits, then so many octets in."""
        self.ctx.set(self.spi.cs, 1)
        await self.ctx.tick()
        for octet in octets:
            await self._octet(octet)
        for _ in range(extra_bits):
            await self._bit(1)
        got = bytes([await self._octet(0) for _ in range(read)])
        self.ctx.set(self.spi.cs, 0)
        await self.ctx.tick()
        return got

    async def wait(self, seconds, clock_hz):
        await self.ctx.tick().repeat(max(1, round(seconds * clock_hz)))

    async def read(self, address, count):
        return await self.select(Command.READ, *address.to_bytes(3, "big"), read=count)

    async def _octet(self, octet):
        came = 0
        for place in reversed(range(8)):
            came = came << 1 | await self._bit((octet >> place) & 1)
        return came

    async def _bit(self, bit):
        self.ctx.set(self.spi.copi, bit)
        await self.ctx.tick().repeat(self.half)
        self.ctx.set(self.spi.clk, 1)
        await self.ctx.tick().repeat(self.half)
        came = self.ctx.get(self.spi.cipo)
        self.ctx.set(self.spi.clk, 0)
        return came


def converse(flash, script, half=1):
    """Run `script(controller)`; returns what it returned, and the fault at the end."""
    bench, results = Bench(flash), []

    async def testbench(ctx):
        results.append(await script(Controller(ctx, flash.spi, half)))
        results.append(Fault(ctx.get(flash.fault)))

    bench.script(testbench)
    bench.run()
    return results


def awake(contents=b"\x5a", clock_hz=MHZ, **options):
    return Flash(contents, clock_hz, asleep=False, **options)


@given(seed=seeds, offset=st.integers(0, CAPACITY - 20), start=st.integers(-3, 22), half=st.integers(1, 3))
@few
def test_reading_gives_the_contents_and_all_ones_around_them(seed, offset, start, half):
    contents = np.random.default_rng(seed).bytes(20)
    address = (offset + start) % CAPACITY
    chip = {(offset + index) % CAPACITY: octet for index, octet in enumerate(contents)}

    got, fault = converse(awake(contents, offset=offset), lambda flash: flash.read(address, 8), half)
    assert got == bytes(chip.get((address + index) % CAPACITY, 0xFF) for index in range(8))
    assert fault == Fault.NONE


def test_the_address_wraps_at_the_end_of_the_chip():
    got, fault = converse(awake(b"begins"), lambda flash: flash.read(CAPACITY - 2, 5))
    assert (got, fault) == (b"\xff\xffbeg", Fault.NONE)


def test_it_says_who_it_is():
    got, fault = converse(awake(), lambda flash: flash.select(Command.READ_ID, read=3))
    assert (got, fault) == (ID, Fault.NONE)


def test_one_selection_after_another():
    async def script(flash):
        return [await flash.read(1, 2), await flash.select(Command.READ_ID, read=1), await flash.read(0, 1)]

    assert converse(awake(b"abc"), script) == [[b"bc", ID[:1], b"a"], Fault.NONE]


def test_asleep_it_ignores_all_but_release():
    async def script(flash):
        await flash.wait(Timing.sleep, MHZ)
        ignored = [
            await flash.read(0, 2),
            await flash.select(Command.READ_ID, read=2),
            await flash.select(Command.SLEEP),
            await flash.select(0x02, read=2),
        ]
        await flash.select(Command.RELEASE)
        await flash.wait(Timing.release, MHZ)
        return [*ignored, await flash.read(0, 2)]

    ones = b"\xff\xff"
    assert converse(Flash(b"ab", MHZ), script) == [[ones, ones, b"", ones, b"ab"], Fault.NONE]


@pytest.mark.parametrize(("extra_bits", "asleep"), [(0, True), (1, False), (8, False)])
def test_it_falls_asleep_if_nothing_follows_the_command(extra_bits, asleep):
    async def script(flash):
        await flash.select(Command.SLEEP, extra_bits=extra_bits)
        await flash.wait(Timing.sleep, MHZ)
        return await flash.read(0, 1)

    assert converse(awake(), script) == [b"\xff" if asleep else b"\x5a", Fault.NONE]


@pytest.mark.parametrize("command", [Command.SLEEP, Command.RELEASE])
@pytest.mark.parametrize(("share", "fault"), [(0, Fault.TOO_EARLY), (0.9, Fault.TOO_EARLY), (1, Fault.NONE)])
def test_it_is_to_be_left_alone_after_sleep_and_release(command, share, fault):
    seconds = Timing.sleep if command == Command.SLEEP else Timing.release

    async def script(flash):
        await flash.select(command)
        await flash.wait(share * seconds, MHZ)
        return await flash.read(0, 1)

    answered = command == Command.RELEASE and fault == Fault.NONE
    assert converse(awake(), script) == [b"\x5a" if answered else b"\xff", fault]


@pytest.mark.parametrize("share", [0.5, 1])
def test_it_begins_as_if_it_had_just_been_sent_to_sleep(share):
    async def script(flash):
        await flash.wait(share * Timing.sleep, MHZ)
        await flash.select(Command.RELEASE)

    assert converse(Flash(b"\0", MHZ), script)[1] == (Fault.TOO_EARLY if share < 1 else Fault.NONE)


@pytest.mark.parametrize(
    ("clock_mhz", "half", "fault"),
    [(40, 1, Fault.NONE), (41, 1, Fault.TOO_FAST), (80, 2, Fault.NONE), (81, 2, Fault.TOO_FAST)],
)
def test_reading_has_a_fastest_clock(clock_mhz, half, fault):
    got, found = converse(awake(clock_hz=clock_mhz * MHZ), lambda flash: flash.read(0, 1), half)
    assert (got, found) == (b"\x5a" if fault == Fault.NONE else b"\xff", fault)


def test_other_commands_may_be_faster():
    got, fault = converse(awake(clock_hz=100 * MHZ), lambda flash: flash.select(Command.READ_ID, read=3))
    assert (got, fault) == (ID, Fault.NONE)


def test_a_command_that_it_does_not_know_is_a_fault_and_the_first_one_stays():
    async def script(flash):
        await flash.select(0x02)
        await flash.select(Command.SLEEP)
        return await flash.select(Command.RELEASE)

    assert converse(awake(), script)[1] == Fault.UNKNOWN_COMMAND
