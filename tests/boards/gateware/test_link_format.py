"""What a link carries: the slots fit in block RAM, and its ROM is the packets' constant bytes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boards.gateware.link_format import AREA, LinkFormat, Sent
from boards.host.protocol import HEADER, Info, Kind, Packet, State, Type
from hw.shape.family import ECP5, GOWIN, ICE40
from tests.support.hw_bench import few
from tests.support.random_bundles import random_bundle


@given(features=st.integers(1, 4000), family=st.sampled_from([ECP5, ICE40]))
@few
def test_a_slot_has_room_for_a_packet_and_the_slots_for_a_window(features, family):
    form = LinkFormat.of(random_bundle(np.random.default_rng(0), [], bins=features), family)
    assert 4 <= form.slots <= 8 and form.slots.bit_count() == 1
    assert 1 << form.frame_bits >= form.frame_bytes
    assert 1 << form.answer_bits >= form.answer_bytes
    if form.slots > 4:
        assert form.slots << form.frame_bits <= max(n for n, bits in family.block_ram.items() if bits >= 8)


@pytest.mark.parametrize(
    ("frame_bytes", "family", "slots"),
    [(64, ICE40, 8), (65, ICE40, 4), (129, ICE40, 4), (256, ECP5, 8), (257, ECP5, 4), (256, GOWIN, 8), (257, GOWIN, 4)],
)
def test_the_window_that_docs_host_md_gives(frame_bytes, family, slots):
    assert LinkFormat.of(random_bundle(np.random.default_rng(0), [], bins=8 * frame_bytes), family).slots == slots


def test_the_rom_begins_each_packet_that_a_board_sends():
    made = random_bundle(np.random.default_rng(0), [("bgru", 2)], bins=11, qad_bits=2)
    form = LinkFormat.of(made, ECP5)
    assert len(form.rom) == 4 * AREA
    area = {kind: bytes(form.rom[kind * AREA : (kind + 1) * AREA]) for kind in Sent}
    length = int.from_bytes(area[Sent.INFO][2:4], "little")
    payload = area[Sent.INFO][HEADER : HEADER + len(form.info)] + bytes([State.FAILED, 3, 4, 5, 0])
    assert length == len(payload)
    assert Info.of(Packet(Type.INFO, 9, payload)) == Info(
        9, made.identity, Kind.NETWORK, 22, 11, form.slots, State.FAILED, 3, 4, 5
    )
    assert area[Sent.ANSWER][:HEADER] == bytes([Type.ANSWER, 0, 2, 0])
    assert area[Sent.REFUSAL][:HEADER] == bytes([Type.REFUSAL, 0, 1, 0])
