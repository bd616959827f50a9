"""The board's end of the protocol, byte by byte: each frame reaches the network once, whatever the line did to it."""

from binascii import crc_hqx
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.sim import Simulator
from hypothesis import given
from hypothesis import strategies as st

from boards.gateware.link import HostLink
from boards.gateware.link_format import LinkFormat
from boards.gateware.uart import Receiver, Transmitter
from boards.host.protocol import END, Info, Kind, Packet, PacketDecoder, Reason, State, Type, encode
from hw.flow.rtl import to_rtlil
from hw.flow.synth import synthesise
from hw.gateware.network import Network
from hw.shape.family import ECP5, ICE40, Family
from hw.shape.folding import Folding
from model.bundle.bits import Bits
from model.bundle.bundle import Bundle
from model.bundle.read import read_bundle
from model.reference.golden_model import GoldenModel
from tests.support.hw_bench import few
from tests.support.random_bundles import random_bundle, random_features, random_foldings, seeds

pytestmark = pytest.mark.simulator

LIMIT = 60_000


class Linked(wiring.Component):
    """A link with a network, as in a board's core."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.link = HostLink(LinkFormat.of(network.bundle, network.family))
        self.slots = self.link.form.slots
        names = ("i", "o", "loading", "failed", "overrun")
        super().__init__({name: self.link.signature.members[name] for name in names})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.network, m.submodules.link = self.network, self.link
        wiring.connect(m, wiring.flipped(self.i), self.link.i)
        wiring.connect(m, self.link.o, wiring.flipped(self.o))
        wiring.connect(m, self.link.frames, self.network.i)
        wiring.connect(m, self.network.o, self.link.answers)
        m.d.comb += [
            self.link.loading.eq(self.loading),
            self.link.failed.eq(self.failed),
            self.overrun.eq(self.link.overrun),
        ]
        return m


class Host:
    """The other end of a link in a simulation: sends bytes, and waits for packets."""

    def __init__(self, ctx: Any, link: Any, decoder: list[Packet]) -> None:
        self.ctx, self.link, self.got = ctx, link, decoder

    async def send(self, *packets: Packet | bytes) -> None:
        for packet in packets:
            for byte in packet if isinstance(packet, bytes) else encode(packet):
                self.ctx.set(self.link.i.payload, byte)
                self.ctx.set(self.link.i.valid, 1)
                ready = False
                while not ready:
                    *_, ready = await self.ctx.tick().sample(self.link.i.ready)
                self.ctx.set(self.link.i.valid, 0)

    async def receive(self) -> Packet:
        while not self.got:
            await self.ctx.tick()
        return self.got.pop(0)

    async def ask(self, *packets: Packet | bytes) -> Packet:
        await self.send(*packets)
        return await self.receive()

    async def quiet(self, cycles: int = 600) -> None:
        """Nothing comes for a time that is longer than any of these networks takes."""
        await self.ctx.tick().repeat(cycles)
        assert not self.got


def converse(link: Any, script: Callable[[Host], Coroutine[Any, Any, None]]) -> None:
    """Run a script of a host's against a link; what the link says must decode, all of it."""
    top, sync = Module(), ClockDomain("sync")
    top.domains += sync
    top.submodules.link = link
    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    decoder, got = PacketDecoder(), []

    async def listen(ctx: Any) -> None:
        ctx.set(link.o.ready, 1)
        while True:
            *_, valid, byte = await ctx.tick().sample(link.o.valid, link.o.payload)
            if valid:
                got.extend(decoder.feed(bytes([byte])))

    async def watchdog(ctx: Any) -> None:
        for _ in range(LIMIT):
            await ctx.tick()
        raise AssertionError(f"still waiting after {LIMIT} cycles")

    async def bench(ctx: Any) -> None:
        await script(Host(ctx, link, got))

    simulator.add_testbench(bench)
    simulator.add_testbench(listen, background=True)
    simulator.add_testbench(watchdog, background=True)
    simulator.run()
    assert decoder.damaged == 0


def small_link(family: Family = ECP5) -> tuple[Linked, Bits, list[bytes]]:
    """A link with a small network, features of an utterance of 20 frames, and their masks as payloads."""
    rng = np.random.default_rng(7)
    made = random_bundle(rng, [("bgru", 6)], bins=11, qad_bits=2)
    network = Network(made, {"gru0": Folding(2, 5), "mask": Folding(2, 4)}, family, 8, 8)
    features = random_features(rng, made, 20)
    return Linked(network), features, masks_of(made, features)


def masks_of(made: Bundle, features: Bits) -> list[bytes]:
    return [row.tobytes() for row in np.packbits(GoldenModel(made).masks(features), axis=1, bitorder="little")]


def frames(features: Bits, first: int = 0) -> list[Packet]:
    """The packets of an utterance, numbered from `first` on."""
    rows = np.packbits(features, axis=1, bitorder="little")
    kinds = [Type.START] + [Type.FRAME] * (len(rows) - 1)
    return [Packet(kind, first + n, row.tobytes()) for n, (kind, row) in enumerate(zip(kinds, rows, strict=True))]


def refusal(reason: Reason, expected: int) -> Packet:
    return Packet(Type.REFUSAL, expected, bytes([reason]))


IDENTIFY = Packet(Type.IDENTIFY, 0)


@given(seed=seeds)
@few
def test_masks_are_the_golden_models_for_any_network(seed):
    rng = np.random.default_rng(seed)
    made = random_bundle(rng, [("bgru", int(rng.integers(1, 9)))], bins=int(rng.integers(1, 20)), qad_bits=2)
    link = Linked(Network(made, random_foldings(rng, made), ECP5, 8, 8))
    features = random_features(rng, made, 3)

    async def script(host):
        for packet, mask in zip(frames(features), masks_of(made, features), strict=True):
            assert await host.ask(packet) == Packet(Type.ANSWER, packet.sequence, mask)

    converse(link, script)


@pytest.mark.parametrize("family", [ECP5, ICE40], ids=["ecp5", "ice40"])
def test_a_window_of_frames_is_on_the_way_at_once(family):
    link, features, masks = small_link(family=family)
    assert link.slots == 8

    async def script(host):
        packets = frames(features)
        await host.send(*packets[:8])
        for n, mask in enumerate(masks):
            assert await host.receive() == Packet(Type.ANSWER, n, mask)
            await host.send(*packets[n + 8 : n + 9])

    converse(link, script)


def test_a_second_utterance_begins_again():
    link, features, masks = small_link()

    async def script(host):
        for first in (0, 20):
            for packet, mask in zip(frames(features, first), masks, strict=True):
                assert await host.ask(packet) == Packet(Type.ANSWER, packet.sequence, mask)

    converse(link, script)


def test_a_frame_that_comes_again_is_answered_from_what_was_kept():
    link, features, masks = small_link()

    async def script(host):
        packets = frames(features)
        for n in range(10):
            assert await host.ask(packets[n]) == Packet(Type.ANSWER, n, masks[n])
        for n in (9, 2):  # the last one alone, then the oldest that is kept: all after it come again too
            assert await host.ask(packets[n]) == Packet(Type.ANSWER, n, masks[n])
        for n in range(3, 10):
            assert await host.receive() == Packet(Type.ANSWER, n, masks[n])
        assert await host.ask(packets[1]) == refusal(Reason.ORDER, 10)
        for n in range(10, 20):  # the network was asked for each only once: its state is right
            assert await host.ask(packets[n]) == Packet(Type.ANSWER, n, masks[n])

    converse(link, script)


def test_a_frame_that_comes_again_before_its_mask_is_answered_once():
    link, features, masks = small_link()

    async def script(host):
        packets = frames(features)
        await host.send(packets[0], packets[0], packets[1], packets[1])
        for n in range(2):
            assert await host.receive() == Packet(Type.ANSWER, n, masks[n])
        await host.quiet()

    converse(link, script)


def test_what_is_wrong_with_a_packet_is_said_and_the_next_is_taken():
    link, features, masks = small_link()
    packets = frames(features)
    damaged = bytearray(encode(packets[1]))
    damaged[6] ^= 0x04
    cases = [
        (bytes(damaged), Reason.CRC),
        (encode(packets[1])[:5] + bytes([END]), Reason.CRC),
        (Packet(ord("W"), 1, packets[1].payload), Reason.TYPE),
        (Packet(Type.PASSED_FRAME, 1, packets[1].payload), Reason.TYPE),
        (Packet(Type.FRAME, 1, packets[1].payload[:-1]), Reason.LENGTH),
        (Packet(Type.FRAME, 1, packets[1].payload + b"\0"), Reason.LENGTH),
        (Packet(Type.FRAME, 1, bytes(1000)), Reason.LENGTH),
        (Packet(Type.IDENTIFY, 0, b"\0"), Reason.LENGTH),
        (packets[2], Reason.ORDER),
        (Packet(Type.FRAME, 200, packets[1].payload), Reason.ORDER),
    ]

    async def script(host):
        assert await host.ask(packets[0]) == Packet(Type.ANSWER, 0, masks[0])
        for packet, reason in cases:
            assert await host.ask(packet) == refusal(reason, 1), packet
        for n in range(1, 20):
            assert await host.ask(packets[n]) == Packet(Type.ANSWER, n, masks[n])
        assert Info.of(await host.ask(IDENTIFY)).refused == len(cases)

    converse(link, script)


def test_a_length_that_is_not_the_payloads_is_refused():
    link, features, _ = small_link()
    (start, *_) = frames(features)
    body = bytes([start.type, 0, len(start.payload) + 1, 0]) + start.payload
    line = bytes([END]) + body + crc_hqx(body, 0xFFFF).to_bytes(2, "big") + bytes([END])
    assert line.count(END) == 2

    async def script(host):
        assert await host.ask(line) == refusal(Reason.LENGTH, 0)

    converse(link, script)


def test_noise_between_packets_is_refused_and_forgotten():
    link, features, masks = small_link()

    async def script(host):
        await host.send(bytes([END] * 5))
        await host.quiet(100)
        assert await host.ask(b"noise", frames(features)[0]) == refusal(Reason.CRC, 0)
        assert await host.receive() == Packet(Type.ANSWER, 0, masks[0])

    converse(link, script)


def test_one_delimiter_may_end_a_packet_and_begin_the_next():
    link, features, masks = small_link()
    first, second, *_ = (encode(packet) for packet in frames(features))

    async def script(host):
        await host.send(first + second[1:])
        for n in range(2):
            assert await host.receive() == Packet(Type.ANSWER, n, masks[n])

    converse(link, script)


def test_after_reset_an_utterance_must_begin():
    link, features, masks = small_link()

    async def script(host):
        begin, then, *_ = frames(features)
        for sequence in (0, 1, 255):
            assert await host.ask(Packet(Type.FRAME, sequence, then.payload)) == refusal(Reason.NO_START, 0)
        assert await host.ask(Packet(Type.START, 255, begin.payload)) == refusal(Reason.ORDER, 0)
        assert await host.ask(begin) == Packet(Type.ANSWER, 0, masks[0])

    converse(link, script)


def test_the_board_says_what_it_is():
    link, features, _ = small_link()
    bundle = link.network.bundle

    async def script(host):
        ready = Info(0, bundle.identity, Kind.NETWORK, 22, 11, link.slots, State.READY, 0, 0)
        assert Info.of(await host.ask(IDENTIFY)) == ready
        await host.ask(frames(features)[0])
        assert Info.of(await host.ask(IDENTIFY)).expected == 1

    converse(link, script)


def test_while_the_weights_are_loading_frames_are_refused():
    link, features, masks = small_link()

    async def script(host):
        host.ctx.set(link.loading, 1)
        packets = frames(features)
        assert Info.of(await host.ask(IDENTIFY)).state == State.LOADING
        for packet in packets[:2]:
            assert await host.ask(packet) == refusal(Reason.NOT_READY, 0)
        host.ctx.set(link.loading, 0)
        assert await host.ask(packets[0]) == Packet(Type.ANSWER, 0, masks[0])

    converse(link, script)


def test_with_weights_that_cannot_be_used_every_bin_passes():
    link, features, _ = small_link()
    asked = []

    async def script(host):
        host.ctx.set(link.failed, 1)
        assert Info.of(await host.ask(IDENTIFY)).state == State.FAILED
        for n, packet in enumerate(frames(features)):
            mask = await host.ask(packet)
            assert (mask.type, mask.sequence) == (Type.ANSWER, n)
            assert np.unpackbits(np.frombuffer(mask.payload, np.uint8), bitorder="little")[:11].all()
            asked.append(host.ctx.get(link.network.probe_gru0.busy))

    converse(link, script)
    assert not any(asked)


def test_a_frame_beyond_the_window_is_refused_and_the_overrun_stays():
    rng = np.random.default_rng(2)
    made = random_bundle(rng, [("bgru", 10)], bins=11, qad_bits=2)
    slow = Network(made, {"gru0": Folding(1, 1), "mask": Folding(1, 1)}, ECP5, 8, 8)
    link, features = Linked(slow), random_features(rng, made, 14)
    masks = masks_of(made, features)

    async def script(host):
        packets = frames(features)
        await host.send(*packets)
        first = await host.receive()
        accepted = first.sequence
        assert first == refusal(Reason.FULL, accepted) and link.slots <= accepted < len(packets)
        for n in range(accepted):
            while (answer := await host.receive()).type == Type.REFUSAL:
                assert answer == refusal(Reason.ORDER, accepted)
            assert answer == Packet(Type.ANSWER, n, masks[n])
        for n in range(accepted, len(packets)):
            assert await host.ask(packets[n]) == Packet(Type.ANSWER, n, masks[n])
        assert host.ctx.get(link.overrun) == 1
        assert Info.of(await host.ask(IDENTIFY)).overruns == 1

    converse(link, script)


class Echo(wiring.Component):
    """A link behind which each frame's first bytes, inverted, come back: no network, and lengths of any kind."""

    def __init__(self, form: LinkFormat) -> None:
        self.form, self.link = form, HostLink(form)
        super().__init__({name: self.link.signature.members[name] for name in ("i", "o")})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.link = link = self.link
        wiring.connect(m, wiring.flipped(self.i), link.i)
        wiring.connect(m, link.o, wiring.flipped(self.o))
        place = Signal(range(self.form.frame_bytes))
        m.d.comb += [
            link.frames.ready.eq(1),
            link.answers.valid.eq(link.frames.valid & (place < self.form.answer_bytes)),
            link.answers.payload.data.eq(~link.frames.payload.data),
        ]
        with m.If(link.frames.valid):
            m.d.sync += place.eq(Mux(place == self.form.frame_bytes - 1, 0, place + 1))
        return m


@given(data=st.data(), frame_bytes=st.integers(1, 40), slots=st.sampled_from([2, 4, 8]), info=st.binary(max_size=20))
@few
def test_payloads_of_any_length_and_meaning_go_through(data, frame_bytes, slots, info):
    answer_bytes = data.draw(st.integers(1, frame_bytes))
    link = Echo(LinkFormat(frame_bytes, answer_bytes, slots, info))
    payloads = [data.draw(st.binary(min_size=frame_bytes, max_size=frame_bytes)) for _ in range(3)]

    async def script(host):
        answer = await host.ask(IDENTIFY)
        assert answer == Packet(Type.INFO, 0, info + bytes([State.READY, 0, 0, 0, 0]))
        for n, payload in enumerate(payloads):
            answer = await host.ask(Packet(Type.FRAME if n else Type.START, n, payload))
            assert answer == Packet(Type.ANSWER, n, bytes(255 - byte for byte in payload[:answer_bytes]))

    converse(link, script)


class OnUart(wiring.Component):
    """A link behind its UART, with the streams of the network as ports."""

    def __init__(self, form: LinkFormat, divisor: int) -> None:
        self.link, self.divisor = HostLink(form), divisor
        members = self.link.signature.members
        names = ("frames", "answers", "loading", "failed", "overrun")
        super().__init__({"rx": wiring.In(1), "tx": wiring.Out(1)} | {name: members[name] for name in names})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.link = link = self.link
        m.submodules.receiver = receiver = Receiver(self.divisor)
        m.submodules.transmitter = transmitter = Transmitter(self.divisor)
        wiring.connect(m, receiver.o, link.i)
        wiring.connect(m, link.o, transmitter.i)
        wiring.connect(m, link.frames, wiring.flipped(self.frames))
        wiring.connect(m, wiring.flipped(self.answers), link.answers)
        m.d.comb += [
            receiver.pin.eq(self.rx),
            self.tx.eq(transmitter.pin),
            link.loading.eq(self.loading),
            link.failed.eq(self.failed),
            self.overrun.eq(link.overrun),
        ]
        return m


@pytest.mark.synthesis
@pytest.mark.parametrize(
    ("family", "name", "divisor"), [(ECP5, "ECP5", 120), (ICE40, "iCE40", 24)], ids=["ecp5", "ice40"]
)
def test_the_cost_is_as_docs_host_md_has_it(family, name, divisor):
    form = LinkFormat.of(read_bundle(Path("bundles/tiny")), family)
    cost = synthesise(to_rtlil(OnUart(form, divisor), "link"), "link", family)
    row = f"| {name}, window of {form.slots} | {cost['lut4']} | {cost['ff']} | {cost['block_ram']} |"
    assert row in Path("docs/host.md").read_text(encoding="utf-8"), row


class Loaded(wiring.Component):
    """A link that takes weights, with nothing behind it."""

    def __init__(self, form: LinkFormat) -> None:
        self.link = HostLink(form)
        names = ("i", "o", "loading", "failed", "loadable", "image")
        super().__init__({name: self.link.signature.members[name] for name in names})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.link = link = self.link
        wiring.connect(m, wiring.flipped(self.i), link.i)
        for name in ("o", "image"):
            wiring.connect(m, getattr(link, name), wiring.flipped(getattr(self, name)))
        m.d.comb += [getattr(link, name).eq(getattr(self, name)) for name in ("loading", "failed", "loadable")]
        return m


FIVE = LinkFormat(frame_bytes=3, answer_bytes=2, slots=4, info=b"", image_bytes=14)
IMAGE = bytes(range(10, 25))  # with the last block's filling


def blocks_of(answer: Packet) -> int:
    return int.from_bytes(answer.payload[-2:], "little")


def weights(place: int, image: bytes = IMAGE) -> Packet:
    return Packet(Type.WEIGHTS, place % 256, image[3 * place : 3 * place + 3])


@given(seed=seeds)
@few
def test_blocks_of_weights_come_once_in_order_whatever_else_comes(seed):
    """Blocks again, too early, damaged; the reader waits. After the last one another image may begin."""
    rng = np.random.default_rng(seed)
    link = Loaded(FIVE)
    got: list[tuple[int, int]] = []

    async def script(host):
        async def read() -> None:
            """Take what is there, sometimes."""
            host.ctx.set(link.image.ready, int(rng.random() < 0.7))
            *_, valid, ready, byte = await host.ctx.tick().sample(
                link.image.valid, link.image.ready, link.image.payload
            )
            if valid and ready:
                got.append((byte.data, byte.first))
            host.ctx.set(link.image.ready, 0)

        host.ctx.set(link.loadable, 1)
        host.ctx.set(link.failed, 1)
        for done in range(2 * FIVE.blocks):
            expected = done % FIVE.blocks
            for wrong in rng.permutation([place for place in range(FIVE.blocks) if place != expected])[:2]:
                await host.send(weights(int(wrong)))
            damaged = bytearray(encode(weights(expected)))
            damaged[5] ^= 4
            assert await host.ask(bytes(damaged)) == refusal(Reason.CRC, 0)
            assert blocks_of(await host.ask(IDENTIFY)) == (expected or (FIVE.blocks if done else 0))
            await host.send(weights(expected))
            for _ in range(60):
                await read()
            assert blocks_of(await host.ask(IDENTIFY)) == expected + 1
        host.ctx.set(link.loadable, 0)
        await host.send(weights(0))
        assert blocks_of(await host.ask(IDENTIFY)) == FIVE.blocks
        assert not host.got

    converse(link, script)
    assert got == 2 * [(byte, int(place == 0)) for place, byte in enumerate(IMAGE)]


def test_a_block_that_is_not_taken_yet_is_not_overwritten():
    link = Loaded(FIVE)
    got: list[int] = []

    async def script(host):
        host.ctx.set(link.loadable, 1)
        host.ctx.set(link.loading, 1)
        await host.send(weights(0), weights(1), weights(1))
        assert blocks_of(await host.ask(IDENTIFY)) == 1
        host.ctx.set(link.image.ready, 1)
        for _ in range(20):
            *_, valid, byte = await host.ctx.tick().sample(link.image.valid, link.image.payload.data)
            if valid:
                got.append(byte)

    converse(link, script)
    assert got == list(IMAGE[:3])


def test_a_link_without_room_for_weights_refuses_them():
    link, *_ = small_link()

    async def script(host):
        assert await host.ask(Packet(Type.WEIGHTS, 0, bytes(3))) == refusal(Reason.TYPE, 0)

    converse(link, script)
