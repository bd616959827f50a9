"""Packets on a line of bytes, in hardware: the same bytes as the host's `encode`, whatever is in them."""

from hypothesis import given
from hypothesis import strategies as st

from boards.gateware.slip import Stuff, Unstuff
from boards.host.protocol import END, ESC, ESCAPED, Packet, encode
from tests.support.hw_bench import Bench, few, some
from tests.support.random_bundles import seeds

octets = st.one_of(st.integers(0, 255), st.sampled_from([END, ESC, *ESCAPED.values()]))
packets = st.builds(Packet, octets, octets, st.lists(octets, max_size=12).map(bytes))


def body(packet: Packet) -> bytes:
    """All of a packet but its CRC."""
    return bytes([packet.type, packet.sequence, len(packet.payload), 0]) + packet.payload


@given(st.lists(packets, min_size=1, max_size=3), seeds, st.sampled_from([0.0, 0.4]))
@some
def test_a_packet_goes_out_as_the_host_would_send_it(sent, seed, rough):
    dut = Stuff()
    items = [{"data": byte, "last": n == len(body(p)) - 1} for p in sent for n, byte in enumerate(body(p))]
    line = b"".join(map(encode, sent))
    bench = Bench(dut)
    bench.feed(dut.i, items, rough)
    got = bench.drain(dut.o, len(line), rough)
    bench.run()
    assert bytes(byte for _, byte in got) == line


@given(st.lists(packets, min_size=1, max_size=3), st.sampled_from([0.0, 0.4]))
@some
def test_a_packet_comes_in_as_the_host_sent_it(sent, rough):
    dut = Unstuff()
    line = b"".join(map(encode, sent))
    expected = [[*body(packet), None, None] for packet in sent]
    bench = Bench(dut)
    bench.feed(dut.i, line, rough)
    ends = 2 * len(sent)
    watched = bench.watch(dut.o.valid, dut.o.ready, dut.right)
    got = bench.drain(dut.o, sum(map(len, expected)) + ends, rough)
    bench.run()
    rights = [right for valid, ready, right in watched if valid and ready]
    came: list[list[int]] = [[]]
    for (_, item), right in zip(got, rights, strict=True):
        if item.end:
            assert right or not came[-1]
            came.append([])
        else:
            came[-1].append(int(item.data))
    assert [packet[:-2] for packet in came if packet] == [packet[:-2] for packet in expected]


@given(packets, st.data())
@few
def test_a_wrong_byte_is_found_unless_it_means_the_same(packet, data):
    line = bytearray(encode(packet))
    place = data.draw(st.integers(1, len(line) - 2))
    line[place] = data.draw(st.integers(0, 255).filter(lambda byte: byte not in (END, ESC, line[place])))
    dut = Unstuff()
    bench = Bench(dut)
    bench.feed(dut.i, line)
    watched = bench.watch(dut.o.valid & dut.o.ready, dut.o.payload, dut.right)

    async def listen(ctx):
        ctx.set(dut.o.ready, 1)
        await ctx.tick().repeat(2 * len(line))

    bench.script(listen)
    bench.run()
    came = bytes(int(item.data) for moved, item, _ in watched if moved and not item.end)
    ((*_, right),) = [entry for entry in watched[3:] if entry[0] and entry[1].end]
    assert not right or came[:-2] == body(packet)
