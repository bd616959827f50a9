"""An I2S bus in Python, with absolute positions, and its gateware on a clock that is quick to simulate."""

from boards.gateware.sample_rate import rate

CLOCK_HZ = 8 * 64 * 16_000
"""A bit clock is eight cycles, a master clock two."""

RATE = rate(CLOCK_HZ, 16_000, mclk=True)

EXTREMES = [-(1 << 23), (1 << 23) - 1, 0, -1, 1, 0x555555, -0x555556]


def slots(sclk, ws, sd):
    """What SD was at each rise of SCLK, cut where WS changed: (right, bits) of each whole slot, lists of cycles in."""
    found, bits, right = [], None, None
    for before, now, select, line in zip(sclk, sclk[1:], ws[1:], sd[1:], strict=False):
        if before or not now:
            continue
        if right is not None and select != right:
            if bits is not None:
                found.append((right, bits))
            bits = []
        right = select
        if bits is not None:
            bits.append(line)
    return found


def slot_of(word, bits):
    """A slot: nothing in period 0, the word from its highest bit on in periods 1 to `bits`, then nothing."""
    return [0, *((word >> place) & 1 for place in reversed(range(bits))), *[0] * (31 - bits)]


def plain_level(word, shift):
    """A 24-bit word as 16 bits, by the words of `boards.gateware.level`."""
    dropped = 8 - shift
    rounded = (word + (1 << dropped) // 2) // (1 << dropped)
    return max(-0x8000, min(0x7FFF, rounded))


async def into_left_slots(ctx, core, words, cycles, look):
    """The ADC of a core that makes the clocks: words of 24 bits into the left slots, zeros after them and in the right.

    For so many cycles; `look` sees each of them before its edge.
    """
    left, bits, last = iter(words), iter(()), (0, 1)
    for _ in range(cycles):
        now = ctx.get(core.sclk), ctx.get(core.ws)
        if last[0] and not now[0]:  # data changes with the fall of SCLK
            if now[1] != last[1]:
                bits = iter(slot_of(0 if now[1] else next(left, 0), 24))
            ctx.set(core.sd_in, next(bits, 0))
        last = now if last[0] != now[0] else (now[0], last[1])
        look()
        await ctx.tick()
