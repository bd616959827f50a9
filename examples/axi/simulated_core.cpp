// The core in Verilator as the C driver's bus and DMA. On an FPGA, a memory map and a real DMA take its place:
//
//   struct bgru core = {bgru_mapped_read32, bgru_mapped_write32, (void *)BGRU_BASE, my_dma, &my_channels};
#include "Vbgru.h"
#include "bgru_driver.h"
#include "verilated.h"

namespace {

#ifdef BGRU_FRAME_BYTES  // a core with features in and masks out
constexpr size_t IN_BYTES = BGRU_IN_WIDTH / 8, OUT_BYTES = BGRU_OUT_WIDTH / 8;
#else
constexpr size_t IN_BYTES = BGRU_SAMPLE_BITS / 8, OUT_BYTES = IN_BYTES;
#endif

constexpr long PATIENCE = 100'000'000;  // cycles without an answer

Vbgru &at(void *pointer) { return *static_cast<Vbgru *>(pointer); }

void clock(Vbgru &core) {
    core.aclk = 1;
    core.eval();
    core.aclk = 0;
    core.eval();
}

uint32_t access(Vbgru &core, uint32_t offset, bool write) {
    core.wb_cyc_i = core.wb_stb_i = 1;
    core.wb_we_i = write;
    core.wb_adr_i = offset / 4;
    do clock(core);
    while (!core.wb_ack_o);
    core.wb_cyc_i = core.wb_stb_i = 0;
    const uint32_t value = core.wb_dat_o;
    clock(core);
    return value;
}

uint32_t read32(void *core, uint32_t offset) { return access(at(core), offset, false); }

void write32(void *core, uint32_t offset, uint32_t) { access(at(core), offset, true); }

int exchange(void *streams, const void *packet, size_t size, int start, void *received, size_t room) {
    Vbgru &core = at(streams);
    const auto *sent = static_cast<const uint8_t *>(packet);
    auto *got = static_cast<uint8_t *>(received);
    size_t in = 0, out = 0;
    core.m_axis_tready = 1;
    for (long waited = 0; (in < size || out < room) && waited < PATIENCE; waited++) {
        core.s_axis_tvalid = in < size;
        core.s_axis_tdata = 0;
        for (size_t byte = 0; byte < IN_BYTES && in + byte < size; byte++)
            core.s_axis_tdata |= sent[in + byte] << 8 * byte;
        core.s_axis_tlast = in + IN_BYTES >= size;
#ifdef BGRU_FRAME_BYTES
        core.s_axis_tuser = start && in == 0;
#endif
        core.eval();
        if (core.m_axis_tvalid) {
            for (size_t byte = 0; byte < OUT_BYTES && out + byte < room; byte++)
                got[out + byte] = static_cast<uint8_t>(core.m_axis_tdata >> 8 * byte);
            out += OUT_BYTES;
            waited = 0;
        }
        if (core.s_axis_tvalid && core.s_axis_tready) in += IN_BYTES;
        clock(core);
    }
    core.s_axis_tvalid = core.m_axis_tready = 0;
    return in < size || out < room ? 1 : BGRU_OK;
}

}  // namespace

extern "C" struct bgru simulated_core() {
    auto *core = new Vbgru;
    for (int cycle = 0; cycle < 4; cycle++) clock(*core);
    core->aresetn = 1;
    clock(*core);
    return {read32, write32, core, exchange, core};
}
