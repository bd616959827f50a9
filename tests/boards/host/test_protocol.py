"""The packets on the line: whatever is in them comes back, and what was damaged doesn't."""

import re
from binascii import crc_hqx
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boards.host.protocol import END, ESC, ESCAPED, VERSION, Info, Kind, Packet, PacketDecoder, State, Type, encode
from model.bundle.read import read_bundle
from model.errors import BadInput

octets = st.integers(0, 255)
# Bytes that need an escape, and those that stand for them, are as frequent as all others together.
payloads = st.lists(st.one_of(octets, st.sampled_from([END, ESC, *ESCAPED.values()])), max_size=200).map(bytes)
packets = st.builds(Packet, octets, octets, payloads)


@given(st.lists(packets, max_size=5), st.integers(1, 30))
def test_packets_come_back_in_pieces_of_any_size(sent, size):
    line = b"".join(map(encode, sent))
    decoder = PacketDecoder()
    got = [packet for begin in range(0, len(line), size) for packet in decoder.feed(line[begin : begin + size])]
    assert got == sent
    assert decoder.damaged == 0


@given(packets)
def test_a_delimiter_is_nowhere_but_at_the_ends(packet):
    assert encode(packet).strip(bytes([END])).count(END) == 0


@given(packets, st.data())
def test_a_wrong_byte_is_found(packet, data):
    line = bytearray(encode(packet))
    place = data.draw(st.integers(1, len(line) - 2))
    line[place] ^= data.draw(st.integers(1, 255))
    decoder = PacketDecoder()
    assert list(decoder.feed(bytes(line))) == []
    assert decoder.damaged > 0


@given(packets, st.data())
def test_a_lost_byte_is_found(packet, data):
    line = encode(packet)
    place = data.draw(st.integers(1, len(line) - 2))
    decoder = PacketDecoder()
    assert list(decoder.feed(line[:place] + line[place + 1 :])) == []
    assert decoder.damaged == 1


@given(st.binary(max_size=300), packets, packets)
def test_in_step_again_at_the_next_delimiter(noise, first, second):
    decoder = PacketDecoder()
    list(decoder.feed(noise))
    got = list(decoder.feed(encode(first) + encode(second)))
    assert got[-2:] == [first, second]


def test_the_bytes_of_a_packet():
    assert crc_hqx(b"123456789", 0xFFFF) == 0x29B1, "the catalogues' check value of CRC-16/IBM-3740"
    body = bytes([ord("S"), 7, 2, 0, END, 0x12])
    crc = crc_hqx(body, 0xFFFF).to_bytes(2, "big")
    assert encode(Packet(Type.START, 7, body[4:])) == bytes([END, *body[:4], ESC, 0xDC, 0x12, *crc, END])


def test_an_info_says_what_the_board_is():
    payload = bytes([VERSION]) + bytes(range(8)) + bytes.fromhex("00 0404 0101 08 02 03 ff 2a01")
    info = Info.of(Packet(Type.INFO, 9, payload))
    assert info == Info(9, bytes(range(8)), Kind.NETWORK, 1028, 257, 8, State.FAILED, 3, 255, 298)


@pytest.mark.parametrize(
    "payload", [b"", bytes([VERSION + 1]) + bytes(16), bytes([VERSION])], ids=["none", "newer", "cut"]
)
def test_a_board_of_another_version_is_refused(payload):
    with pytest.raises(BadInput, match=r"^board: expected version 4 of the protocol, got .*; build its bitstream"):
        Info.of(Packet(Type.INFO, 0, payload))


PAGE = Path("docs/host.md").read_text(encoding="utf-8")


def test_the_pages_two_packets_are_what_is_sent():
    shown = re.findall(r"^(?:identify|mask of frame 5, bytes c0 and db) +((?:[0-9a-f]{2} ?)+)$", PAGE, re.MULTILINE)
    sent = [Packet(Type.IDENTIFY, 0), Packet(Type.ANSWER, 5, b"\xc0\xdb")]
    assert [bytes.fromhex(line) for line in shown] == [encode(packet) for packet in sent]


def test_one_delimiter_may_serve_two_packets():
    packets = [Packet(Type.IDENTIFY, 0), Packet(Type.START, 7, b"abc")]
    first, second = map(encode, packets)
    assert list(PacketDecoder().feed(first + second[1:])) == packets


@pytest.mark.parametrize("name", ["tiny", "small"])
def test_the_pages_code_prints_a_bundles_identity(name, capsys):
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    exec(code.replace("bundles/small", f"bundles/{name}"), {})  # our own page
    assert capsys.readouterr().out.strip() == read_bundle(Path("bundles") / name).identity.hex()


def test_a_kind_that_no_board_has_is_refused():
    payload = bytes([VERSION]) + bytes(8) + bytes.fromhex("02 8000 8000 04 00 00 00 0000")
    with pytest.raises(BadInput, match=r"^board: expected 0 or 1 as the kind of its payloads, got 2$"):
        Info.of(Packet(Type.INFO, 0, payload))


@given(st.integers(0, 30_000))
def test_a_payload_is_whole_bytes_of_bits_or_two_bytes_a_sample(elements):
    assert 8 * Kind.NETWORK.octets(elements) - elements in range(8)
    assert Kind.SOUND.octets(elements) == 2 * elements
