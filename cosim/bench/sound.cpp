// Run a Verilated denoiser on samples from a file, and write down what comes out and what passes inside.
//
// Arguments: seed, cycle limit, bypass, cycles from sample in to sample in (0: as soon as it is taken), then for samples
// in and out the probability in percent of a pause after a transfer and its longest length in cycles; then the number of
// samples that must come out, and the folder. It holds i.bin: an int32 per sample, bit 16 set where an utterance begins.
// Writes feature.bin, mask.bin and o.bin: the words as int32; i_cycles.bin and o_cycles.bin: the cycle of each sample in
// and out as int64. Prints the number of samples so far from time to time. Exit status 1 if the samples have not come
// within the limit.

#include <cstdio>
#include <cstdlib>

#include "Vsound.h"
#include "clocks.h"
#include "streams.h"
#include "verilated.h"

int main(int, char** argv) {
    std::mt19937 random(std::strtoul(argv[1], nullptr, 10));
    const std::int64_t limit = std::atoll(argv[2]);
    const unsigned period = std::atoi(argv[4]);
    Pauses in{unsigned(std::atoi(argv[5])), unsigned(std::atoi(argv[6]))};
    Pauses out{unsigned(std::atoi(argv[7])), unsigned(std::atoi(argv[8]))};
    const std::size_t wanted = std::strtoul(argv[9], nullptr, 10);
    const std::string folder = std::string(argv[10]) + "/";
    const auto samples = read(folder + "i.bin");
    std::vector<std::int32_t> features, masks, heard;
    std::vector<std::int64_t> taken_at, given_at;

    VerilatedContext context;
    Vsound dut{&context};
    dut.bypass = std::atoi(argv[3]);
    reset(dut);

    std::size_t next = 0;
    std::int64_t tail = 1000;  // nothing may come after the last sample
    for (std::int64_t cycle = 0; cycle < limit && (heard.size() < wanted || tail-- > 0); ++cycle) {
        const bool go_in = in.over(), go_out = out.over();
        dut.i_valid = dut.i_valid || (go_in && next < samples.size());
        if (dut.i_valid) {
            dut.i_payload = samples[next];
        }
        dut.o_ready = go_out;
        dut.eval();
        const bool taken = dut.i_valid && dut.i_ready, given = dut.o_valid && dut.o_ready;
        const unsigned one = MASK_BITS;  // `valid` is above the data
        if (dut.feature >> FEATURE_BITS) {
            features.push_back(dut.feature & ((1u << FEATURE_BITS) - 1));
        }
        if (dut.mask >> one) {
            masks.push_back(dut.mask & ((1u << one) - 1));
        }
        if (given) {
            heard.push_back(static_cast<std::int16_t>(dut.o_payload));
            given_at.push_back(cycle);
            out.draw(random);
            if (heard.size() % 4096 == 0) {
                std::printf("%zu\n", heard.size());
                std::fflush(stdout);
            }
        }
        rise(dut);
        fall(dut);
        if (taken) {
            dut.i_valid = 0;
            ++next;
            taken_at.push_back(cycle);
            in.draw(random);
            if (period != 0) {
                in.left = period;
            }
        }
    }
    write(folder + "feature.bin", features);
    write(folder + "mask.bin", masks);
    write(folder + "o.bin", heard);
    write(folder + "i_cycles.bin", taken_at);
    write(folder + "o_cycles.bin", given_at);
    return heard.size() < wanted;
}
