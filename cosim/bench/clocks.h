// The clocks of a Verilated design: `clk` and, if SDRAM_CYCLES is defined, so many cycles of `sdram_clk` in each of its own.

#ifndef CLOCKS_H
#define CLOCKS_H

template <typename Dut>
void rise(Dut& dut) {
    dut.clk = 1;
#ifdef SDRAM_CYCLES
    for (int cycle = 0; cycle < SDRAM_CYCLES; ++cycle) {
        dut.sdram_clk = 0;
        if (cycle != 0) {
            dut.eval();
        }
        dut.sdram_clk = 1;
        dut.eval();
    }
#else
    dut.eval();
#endif
}

template <typename Dut>
void fall(Dut& dut) {
    dut.clk = 0;
#ifdef SDRAM_CYCLES
    dut.sdram_clk = 0;
#endif
    dut.eval();
}

// Two cycles of reset.
template <typename Dut>
void reset(Dut& dut) {
    for (int on = 1; on >= 0; --on) {
        dut.rst = on;
#ifdef SDRAM_CYCLES
        dut.sdram_rst = on;
#endif
        for (int cycle = 0; cycle < 2 * on; ++cycle) {
            fall(dut);
            rise(dut);
        }
    }
    fall(dut);
}

#endif
