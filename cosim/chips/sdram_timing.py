"""What an SDRAM chip requires of its controller: minimum times between commands. Simulation only.

`boards.definitions.sdram` says the same to the controller. The two share nothing, so a slip in one is found.
"""

from dataclasses import dataclass
from enum import IntEnum
from math import ceil, floor

__all__ = ["Command", "Cycles", "Rule", "Timing"]


class Command(IntEnum):
    """RAS#, CAS# and WE#, from the highest bit to the lowest."""

    MODE = 0
    REFRESH = 1
    PRECHARGE = 2
    ACTIVATE = 3
    WRITE = 4
    READ = 5
    STOP = 6
    NOP = 7


class Rule(IntEnum):
    """What a controller can break. Of two broken in one cycle, the lower counts.

    ROW : READ or WRITE in a closed bank, ACTIVATE of an open one, REFRESH or MODE with a bank open
    ORDER : not power-up time, PRECHARGE of all banks, eight refreshes, MODE, before anything else
    MODE : a mode the chip doesn't have at this clock, or that the model doesn't know
    UNKNOWN : a command that the model doesn't know: STOP, auto-precharge; or the clock disabled
    BUS : both ends drive the data pins in the same cycle or in consecutive ones, or none does with WRITE
    """

    NONE = 0
    UNKNOWN = 1
    ORDER = 2
    MODE = 3
    ROW = 4
    T_RCD = 5
    T_RP = 6
    T_RAS = 7
    T_RC = 8
    T_RRD = 9
    T_RFC = 10
    T_WR = 11
    T_MRD = 12
    T_REF = 13
    BUS = 14


@dataclass(frozen=True)
class Cycles:
    """`Timing` in clock cycles; `cas` is the least CAS latency at this clock."""

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


@dataclass(frozen=True)
class Timing:
    """A chip's timing in ns, and its geometry: the slowest figures of the chips on ULX3S boards.

                    tRCD  tRP  tRAS  tRC  tRRD  tRFC  tWR  tCK at CL 2, CL 3
    AS4C32M16SB-7    21   21    42   63    14    63    14    10     7     Alliance, data sheet, Table 16
    MT48LC16M16A2    20   20    44   66    15    66    15    10     7.5   Micron 256Mb SDR SDRAM, Table 12, grade -75
    IS42S16160       20   20     -   70     -    70     -     -     -     LiteDRAM, litedram/modules.py

    AS4C16M16SA-7 (Rev. 3.0, March 2015, Table 16) is the same as the first. The manual does not give Micron's grade:
    -75 is the slowest. ISSI's own sheet was not available; LiteDRAM's figures replace it. ISSI states one figure for
    tRC and tRFC, and so does this. Winbond asks for two clocks where others give 14 or 15 ns (W9825G6JH, Rev. A04,
    9.5).

    All refresh 8192 rows in 64 ms; Alliance rounds that down to 7.8 us per row. A row may stay open for 100 us, which
    the refreshes guarantee: they need all banks closed. Four banks of 8192 rows; rows of 512 columns, AS4C32M16SB's
    of 1024.
    """

    rcd: float = 21
    rp: float = 21
    ras: float = 44
    rc: float = 70
    rrd: float = 15
    rfc: float = 70
    wr: float = 15
    mrd: float = 15
    refi: float = 7812.5
    period_at_cas_2: float = 10
    period_at_cas_3: float = 7.5
    power_up: float = 200_000
    rows: int = 8192
    columns: int = 512

    def cycles(self, clock_mhz: float) -> Cycles:
        """Minimum times rounded up; the refresh interval, a maximum, rounded down."""
        period = 1000 / clock_mhz
        if period < self.period_at_cas_3:
            limit = 1000 / self.period_at_cas_3
            raise ValueError(f"clock_mhz: expected at most {limit:.1f}, got {clock_mhz}")
        clocks = {name: max(2, ceil(getattr(self, name) / period)) for name in ("rrd", "wr", "mrd")}
        times = {name: ceil(getattr(self, name) / period) for name in ("rcd", "rp", "ras", "rc", "rfc", "power_up")}
        cas = 2 if period >= self.period_at_cas_2 else 3
        return Cycles(**clocks, **times, refi=floor(self.refi / period), cas=cas)
