"""SDR SDRAM chips: their data sheets, and the timing that suits all of a board's chips."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from math import ceil, floor

from model.errors import BadInput

__all__ = ["AS4C32M16SB", "BANKS", "BURST", "IS42S16160", "MT48LC16M16A2", "ULX3S_SDRAM", "W9825G6", "Chip", "Cycles"]

BURST = 8
"""Words of a READ, the mode register's longest burst: seven of eight command slots stay free."""

BANKS = 4


@dataclass(frozen=True)
class Cycles:
    """A chip's timing in clock cycles.

    cas : CAS latency
    refi : from one refresh to the next, at most
    power_up : refresh intervals from power-up to the first command
    refreshes : refreshes before the mode register is set
    """

    rcd: int
    rp: int
    ras: int
    rc: int
    rrd: int
    rfc: int
    wr: int
    mrd: int
    refi: int
    cas: int
    power_up: int
    refreshes: int


@dataclass(frozen=True)
class Chip:
    """A chip of 16-bit words in four banks. Times are in ns, and minima but for `refi`.

    rcd, rp, ras, rc, rrd, rfc, wr, mrd : as the data sheets call them (tRCD, ...)
    refi : tREF / rows, from one refresh to the next, at most
    cas_3 : shortest clock period at a CAS latency of 3
    power_up : from a stable clock to the first command
    setup, hold : of its inputs
    access, held : from the clock to read data at CAS latency 3, at most, and to the end of the word before, at least
    rows, columns : of a bank
    """

    rcd: float
    rp: float
    ras: float
    rc: float
    rrd: float
    rfc: float
    wr: float
    mrd: float
    refi: float
    cas_3: float
    power_up: float
    setup: float
    hold: float
    access: float
    held: float
    rows: int = 8192
    columns: int = 512

    @property
    def words(self) -> int:
        """Capacity in words of 16 bits."""
        return BANKS * self.rows * self.columns

    @classmethod
    def slowest(cls, chips: Iterable["Chip"]) -> "Chip":
        """The timing and the size with which a controller suits each of these chips."""
        least = ("refi", "held", "rows", "columns")
        several = list(chips)
        return cls(
            **{
                one.name: (min if one.name in least else max)(getattr(chip, one.name) for chip in several)
                for one in fields(cls)
            }
        )

    def cycles(self, clock_hz: float) -> Cycles:
        """The timing at a clock: minima rounded up, the refresh interval down. `BadInput` for too fast a clock."""
        period = 1e9 / clock_hz
        if period < self.cas_3:
            raise BadInput(f"sdram: expected a clock of at most {1e3 / self.cas_3:.1f} MHz, got {clock_hz / 1e6:g} MHz")

        def least(time: float, floor_: int = 1) -> int:
            return max(floor_, ceil(round(time / period, 6)))

        refi = floor(self.refi / period)
        return Cycles(
            rcd=least(self.rcd, 2),
            rp=least(self.rp, 2),
            ras=least(self.ras),
            rc=least(self.rc),
            rrd=least(self.rrd, 2),  # Winbond: two clocks
            rfc=least(self.rfc, 2),
            wr=least(self.wr, 2),  # Winbond: two clocks
            mrd=least(self.mrd, 2),  # all: two clocks
            refi=refi,
            cas=3,  # a latency of 2 would cost set-up time of the read data, and gain no throughput
            power_up=ceil(self.power_up / (refi * period)),
            refreshes=8,
        )


MT48LC16M16A2 = Chip(
    rcd=20,
    rp=20,
    ras=44,
    rc=66,
    rrd=15,
    rfc=66,
    wr=15,
    mrd=15,
    refi=7812.5,
    cas_3=7.5,
    power_up=100e3,
    setup=1.5,
    hold=0.8,
    access=5.4,
    held=2.7,
)
"""Micron, 256Mb SDR SDRAM data sheet, tables of AC characteristics, grade -75."""

AS4C32M16SB = Chip(
    rcd=21,
    rp=21,
    ras=42,
    rc=63,
    rrd=14,
    rfc=63,
    wr=14,
    mrd=14,
    refi=7800,
    cas_3=7,
    power_up=200e3,
    setup=1.5,
    hold=0.8,
    access=5.4,
    held=2.5,
    columns=1024,
)
"""Alliance, AS4C32M16SB-7 data sheet, Table 16. AS4C16M16SA-7 (Rev. 3.0, Table 16) is the same with 512 columns."""

W9825G6 = Chip(
    rcd=15,
    rp=15,
    ras=42,
    rc=60,
    rrd=12,
    rfc=60,
    wr=12,
    mrd=12,
    refi=7812.5,
    cas_3=6,
    power_up=200e3,
    setup=1.5,
    hold=0.8,
    access=5,
    held=3,
)
"""Winbond, W9825G6JH data sheet (Rev. A04), 9.5, grade -6; tRRD, tWR and tRSC are two clocks. W9825G6KH follows it."""

IS42S16160 = Chip(
    rcd=20,
    rp=20,
    ras=44,
    rc=70,
    rrd=14,
    rfc=70,
    wr=15,
    mrd=14,
    refi=7812.5,
    cas_3=7,
    power_up=100e3,
    setup=1.5,
    hold=0.8,
    access=5.4,
    held=2.5,
)
"""ISSI, grade -7. Its data sheet was not available: tRCD, tRP and tRFC are LiteDRAM's (litedram/modules.py), which are
no shorter than the sheet's figures that other controllers quote, the rest is the slowest of the other chips."""

ULX3S_SDRAM = Chip.slowest((MT48LC16M16A2, AS4C32M16SB, W9825G6, IS42S16160))
"""Of any ULX3S. Which chip a board has depends on its year (github.com/emard/ulx3s, doc/MANUAL.md)."""
