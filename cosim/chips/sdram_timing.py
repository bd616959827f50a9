"""What an SDRAM chip requires of its controller: commands, and the minimum times between them."""

from dataclasses import dataclass
from enum import IntEnum
from math import ceil, floor

from amaranth.utils import exact_log2

__all__ = ["BURST", "BURST_BITS", "Command", "Cycles", "Timing", "data_share"]

BURST = 8
"""Words per READ: the mode register's longest burst, so seven of eight command slots are free."""

BURST_BITS = exact_log2(BURST)


class Command(IntEnum):
    """What the controller tells the chip in a cycle."""

    NOP = 0
    ACTIVATE = 1
    READ = 2
    PRECHARGE = 3
    PRECHARGE_ALL = 4
    REFRESH = 5


@dataclass(frozen=True)
class Cycles:
    """`Timing` in clock cycles, and the CAS latency that this clock needs."""

    rcd: int
    rp: int
    ras: int
    rc: int
    rrd: int
    rfc: int
    refi: int
    cas: int

    @property
    def gap(self) -> int:
        """Cycles for which a refresh stops the data: precharge, refresh, activate again."""
        return self.rp + self.rfc + self.rcd


@dataclass(frozen=True)
class Timing:
    """A chip's timing in ns, and its geometry: the slowest figures of the chips on these boards.

                    tRCD  tRP  tRAS  tRC  tRRD  tRFC  tCK at CL 2, CL 3
    AS4C32M16SB-7    21   21    42   63    14    63    10     7     Alliance, data sheet, Table 16
    MT48LC16M16A2    20   20    44   66    15    66    10     7.5   Micron 256Mb SDR SDRAM, Table 12, grade -75
    IS42S16160       20   20     -   70     -    70     -     -     LiteDRAM, litedram/modules.py

    AS4C16M16SA-7 (Rev. 3.0, March 2015, Table 16) is the same as the first. The manual does not give Micron's grade:
    -75 is the slowest. ISSI's own sheet was not available; LiteDRAM's figures replace it. ISSI states one figure for
    tRC and tRFC, and so does this. ESMT's chip, of the faster grade -6, was not looked up.

    All refresh 8192 rows in 64 ms; Alliance rounds that down to 7.8 us per row, and so does this. A row may stay
    open for 100 us, which the refreshes guarantee. Four banks of 8192 rows; rows of 512 columns, AS4C32M16SB's of 1024.
    Here they are powers of two, and a row has at least one burst.
    """

    rcd: float = 21
    rp: float = 21
    ras: float = 44
    rc: float = 70
    rrd: float = 15
    rfc: float = 70
    refi: float = 7800
    period_at_cas_2: float = 10
    period_at_cas_3: float = 7.5
    banks: int = 4
    rows: int = 8192
    columns: int = 512

    @property
    def capacity(self) -> int:
        """Words of 16 bits."""
        return self.banks * self.rows * self.columns

    def cycles(self, clock_mhz: float) -> Cycles:
        """Minimum times rounded up; the refresh interval, a maximum, rounded down."""
        period = 1000 / clock_mhz
        if period < self.period_at_cas_3:
            limit = 1000 / self.period_at_cas_3
            raise ValueError(f"clock_mhz: expected at most {limit:.1f}, got {clock_mhz}")
        return Cycles(
            rcd=ceil(self.rcd / period),
            rp=ceil(self.rp / period),
            ras=ceil(self.ras / period),
            rc=ceil(self.rc / period),
            rrd=max(2, ceil(self.rrd / period)),  # a pin-compatible chip, W9825G6JH (Rev. A04, 9.5), says two clocks
            rfc=ceil(self.rfc / period),
            refi=floor(self.refi / period),
            cas=2 if period >= self.period_at_cas_2 else 3,
        )


def data_share(clock_mhz: float, timing: Timing | None = None) -> float:
    """The share of cycles that carry a word to a reader that always takes it: only refreshes stop the data.

    Exact if rows have two bursts or more and the contents are whole rows, the last in another bank than the first;
    otherwise each pass loses a few more cycles.
    """
    cycles = (timing or Timing()).cycles(clock_mhz)
    return 1 - cycles.gap / cycles.refi
