# amaranth: UnusedElaboratable=no
"""Sound over the host link: hops of samples in packets, and the reference's samples back, each hop once."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from hypothesis import given, settings
from hypothesis import strategies as st

from boards.gateware.byte_denoiser import ByteDenoiser
from boards.gateware.link import HostLink
from boards.gateware.link_format import LinkFormat
from boards.host.protocol import Info, Kind, Packet, Reason, State, Type, encode
from boards.host.sound import from_payload, to_payload
from cosim.bench.sound import expected
from hw.gateware.network import Network
from hw.shape.family import ECP5
from hw.shape.folding import Folding
from model.bundle.bundle import Bundle
from model.bundle.random_bundle import random_layer
from model.reference.analysis import Analysis
from model.reference.golden_model import GoldenModel
from model.reference.synthesis import Synthesis
from tests.boards.gateware.test_link import IDENTIFY, converse, refusal
from tests.support.audio_engine import random_front_end, random_samples
from tests.support.hw_bench import few
from tests.support.random_bundles import seeds

pytestmark = pytest.mark.simulator


# A hop takes some 4,000 cycles of Amaranth's simulator, so there are few examples.


def made(seed: int = 2) -> Bundle:
    rng = np.random.default_rng(seed)
    front_end = random_front_end(rng, 16, 2)
    gru = random_layer(rng, "bgru", front_end.features, 6, name="gru0")
    return Bundle("random", front_end, (gru, random_layer(rng, "dense", 6, 2 * front_end.bins, name="mask")))


class Linked(wiring.Component):
    """A link with a denoiser, as in a board's core."""

    def __init__(self, bundle: Bundle, slots: int = 8) -> None:
        folding = {layer.name: Folding(pe=2, simd=6) for layer in bundle.layers}
        self.link = HostLink(replace(LinkFormat.of(bundle, ECP5, Kind.SOUND), slots=slots))
        self.denoiser = ByteDenoiser(Network(bundle, folding, ECP5, 1, 2), slots)
        super().__init__({name: self.link.signature.members[name] for name in ("i", "o")})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.denoiser, m.submodules.link = self.denoiser, self.link
        wiring.connect(m, wiring.flipped(self.i), self.link.i)
        wiring.connect(m, self.link.o, wiring.flipped(self.o))
        wiring.connect(m, self.link.frames, self.denoiser.i)
        wiring.connect(m, self.denoiser.o, self.link.answers)
        m.d.comb += self.denoiser.passed.eq(self.link.passed)
        return m


def packets(samples: np.ndarray[Any, Any], hop: int, first: int = 0) -> list[Packet]:
    """The packets of an utterance, numbered from `first` on."""
    return [
        Packet(Type.FRAME if n else Type.START, first + n & 0xFF, to_payload(one))
        for n, one in enumerate(samples.reshape(-1, hop))
    ]


@given(seed=seeds, hops=st.lists(st.integers(1, 4), min_size=1, max_size=2))
@settings(few, max_examples=3)
def test_samples_are_the_references_for_utterances_of_any_length(seed, hops):
    bundle = made(seed)
    hop = bundle.front_end.hop
    rng = np.random.default_rng(seed)

    async def script(host):
        first = 0
        for count in hops:
            samples = random_samples(rng, count * hop)
            wanted = expected(bundle, samples)[2]
            sent = packets(samples, hop, first)
            for n, packet in enumerate(sent):
                answer = await host.ask(packet)
                assert (answer.type, answer.sequence) == (Type.ANSWER, packet.sequence)
                assert from_payload(answer.payload).tolist() == wanted[n * hop : (n + 1) * hop].tolist()
            first += count

    converse(Linked(bundle), script)


def test_utterances_that_follow_each_other_without_a_pause_begin_again():
    bundle = made()
    hop = bundle.front_end.hop
    first, second = (random_samples(np.random.default_rng(seed), 3 * hop) for seed in (5, 6))
    wanted = np.concatenate([expected(bundle, one)[2] for one in (first, second)]).reshape(-1, hop)

    async def script(host):
        await host.send(*packets(first, hop), *packets(second, hop, 3))
        for n, hop_out in enumerate(wanted):
            assert await host.receive() == Packet(Type.ANSWER, n, to_payload(hop_out))

    converse(Linked(bundle), script)


@given(seed=seeds, passed=st.lists(st.booleans(), min_size=8, max_size=8))
@settings(few, max_examples=2)
def test_frames_that_are_to_pass_have_masks_of_ones_and_the_others_the_networks(seed, passed):
    """Four hops at once, as fast as the window of four allows; a second utterance begins with hop 5."""
    bundle = made(seed)
    hop = bundle.front_end.hop
    samples = random_samples(np.random.default_rng(seed), len(passed) * hop)
    ones = np.array(passed, np.uint8)[:, None]
    wanted, sent = list[bytes](), list[Packet]()
    for part in (slice(0, 5), slice(5, None)):
        utterance = samples.reshape(-1, hop)[part].ravel()
        spectrum, features = Analysis(bundle.front_end)(utterance)
        mask = GoldenModel(bundle).masks(features) | ones[part]
        wanted += map(to_payload, Synthesis(bundle.front_end)(spectrum, mask).reshape(-1, hop))
        sent += packets(utterance, hop, part.start)
    sent = [replace(one, type=one.type | passing << 5) for one, passing in zip(sent, passed, strict=True)]
    assert {one.type for one in sent} <= set(Type)

    async def script(host):
        await host.send(*sent[:4])
        for n, answer in enumerate(wanted):
            assert await host.receive() == Packet(Type.ANSWER, n, answer)
            await host.send(*sent[n + 4 : n + 5])
        last = replace(sent[-1], type=sent[-1].type ^ 1 << 5)
        assert await host.ask(last) == Packet(Type.ANSWER, last.sequence, wanted[-1])  # kept, not computed again

    converse(Linked(bundle, slots=4), script)


@given(
    trouble=st.lists(st.sampled_from(["damaged", "lost", "again", "stale"]), min_size=4, max_size=4),
    flipped=st.integers(0, 7),
)
@settings(few, max_examples=3)
def test_packets_that_are_damaged_lost_or_repeated_change_no_sample(trouble, flipped):
    bundle = made()
    hop = bundle.front_end.hop
    samples = random_samples(np.random.default_rng(7), 6 * hop)
    wanted = [to_payload(one) for one in expected(bundle, samples)[2].reshape(-1, hop)]
    sent = packets(samples, hop)

    async def script(host):
        assert await host.ask(sent[0]) == Packet(Type.ANSWER, 0, wanted[0])
        for n, what in enumerate(trouble, start=1):
            if what == "damaged":
                line = bytearray(encode(sent[n]))
                line[2] ^= 1 << flipped  # the sequence: no bit of a byte this small makes it a delimiter or an escape
                assert await host.ask(bytes(line)) == refusal(Reason.CRC, n)
            elif what == "lost":
                assert await host.ask(sent[n + 1]) == refusal(Reason.ORDER, n)
            elif what == "stale":
                assert await host.ask(Packet(Type.FRAME, n + 100, sent[n].payload)) == refusal(Reason.ORDER, n)
            assert await host.ask(sent[n]) == Packet(Type.ANSWER, n, wanted[n])
            if what == "again":
                assert await host.ask(sent[n]) == Packet(Type.ANSWER, n, wanted[n])
        assert await host.ask(sent[5]) == Packet(Type.ANSWER, 5, wanted[5])

    converse(Linked(bundle), script)


def test_the_board_says_that_it_is_the_whole_denoiser():
    bundle = made()
    link = Linked(bundle)
    hop = bundle.front_end.hop

    async def script(host):
        info = Info.of(await host.ask(IDENTIFY))
        assert info == Info(0, bundle.identity, Kind.SOUND, hop, hop, link.link.form.slots, State.READY, 0, 0)
        assert info.answer_bytes == 2 * hop

    converse(link, script)
