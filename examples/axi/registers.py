"""The Python driver in a cocotb bench: it finds its core over Wishbone, as it does on a board."""

import cocotb
from bgru_driver import Core
from cocotb.clock import Clock
from cocotb.task import bridge, resume
from cocotb.triggers import ClockCycles, RisingEdge


class Wishbone:
    """The core's bus for the driver, which is no coroutine and runs in a thread of its own (`bridge`)."""

    def __init__(self, dut):
        self.dut = dut

    @resume
    async def read32(self, offset):
        """Read the register at a byte offset."""
        return await self._access(offset, 0)

    @resume
    async def write32(self, offset, value):
        """Write to it; the value does not matter to this core."""
        await self._access(offset, 1)

    async def _access(self, offset, write):
        dut = self.dut
        dut.wb_adr_i.value, dut.wb_we_i.value = offset // 4, write
        dut.wb_cyc_i.value = dut.wb_stb_i.value = 1
        while True:
            await RisingEdge(dut.aclk)
            if dut.wb_ack_o.value == 1:
                break
        dut.wb_cyc_i.value = dut.wb_stb_i.value = 0
        return int(dut.wb_dat_o.value)


@cocotb.test()
async def the_driver_finds_its_core_idle(dut):
    """Identity and status, from reset."""
    for name in ("s_axis_tvalid", "m_axis_tready", "wb_cyc_i", "wb_stb_i", "aresetn"):
        getattr(dut, name).value = 0
    Clock(dut.aclk, 10, "ns").start()
    await ClockCycles(dut.aclk, 4)
    dut.aresetn.value = 1
    core = await bridge(Core)(Wishbone(dut))  # raises ValueError if it is another core
    assert not await bridge(lambda: core.busy or core.loading)()
    assert await bridge(lambda: core["stalled"])() == 0
