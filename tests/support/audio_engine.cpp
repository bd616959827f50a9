// Run a Verilated audio engine on streams from files: samples and mask words in, feature bits and samples out.
//
// Arguments: seed, cycle limit, bypass, floor, then for each of the streams i, mask, features and o the probability in percent
// of a pause after a transfer and its longest length; then the folder. It holds i.bin and mask.bin with an int32 per
// word, counts.bin with the numbers of words that must come on features and o, and frames.bin with the number of
// features that must have come before each mask word is offered. Writes features.bin and o.bin: (cycle, word) as int64,
// and i_taken.bin, mask_taken.bin: cycles. Exit status 1 if the words have not come within the limit.

#include <cstdlib>

#include "Vengine.h"
#include "streams.h"
#include "verilated.h"

int main(int, char** argv) {
    std::mt19937 random(std::strtoul(argv[1], nullptr, 10));
    const std::int64_t limit = std::atoll(argv[2]);
    Pauses pauses[4];
    for (int stream = 0; stream < 4; ++stream) {
        pauses[stream].percent = std::atoi(argv[5 + 2 * stream]);
        pauses[stream].longest = std::atoi(argv[6 + 2 * stream]);
    }
    const std::string folder = std::string(argv[13]) + "/";
    const auto samples = read(folder + "i.bin"), masks = read(folder + "mask.bin");
    const auto counts = read(folder + "counts.bin"), after = read(folder + "frames.bin");
    std::vector<std::int64_t> features, out, samples_taken, masks_taken;

    VerilatedContext context;
    Vengine engine{&context};
    engine.clk = 0;
    engine.rst = 1;
    engine.bypass = std::atoi(argv[3]);
#ifdef LIMITED
    engine.floor = std::atoi(argv[4]);
#endif
    for (int edge = 0; edge < 4; ++edge) {
        engine.clk = !engine.clk;
        engine.eval();
    }
    engine.rst = 0;

    std::size_t sample = 0, mask = 0;
    std::int64_t tail = 100;  // nothing may come after the last word
    const auto wanted = [&] { return features.size() >= 2u * counts[0] && out.size() >= 2u * counts[1]; };
    std::int64_t cycle = 0;
    for (; cycle < limit && (!wanted() || tail-- > 0); ++cycle) {
        bool go[4];
        for (int stream = 0; stream < 4; ++stream) {
            go[stream] = pauses[stream].over();
        }
        engine.i_valid = engine.i_valid || (go[0] && sample < samples.size());
        if (engine.i_valid) {
            engine.i_payload = samples[sample];
        }
        engine.mask_valid =
            engine.mask_valid || (go[1] && mask < masks.size() && features.size() >= 2u * after[mask]);
        if (engine.mask_valid) {
            engine.mask_payload = masks[mask];
        }
        engine.features_ready = go[2];
        engine.o_ready = go[3];
        engine.eval();
        const bool moved[4] = {engine.i_valid && engine.i_ready, engine.mask_valid && engine.mask_ready,
                               engine.features_valid && engine.features_ready, engine.o_valid && engine.o_ready};
        if (moved[2]) {
            features.insert(features.end(), {cycle, std::int64_t{engine.features_payload}});
        }
        if (moved[3]) {
            out.insert(out.end(), {cycle, std::int64_t{static_cast<std::int16_t>(engine.o_payload)}});
        }
        engine.clk = 1;
        engine.eval();
        engine.clk = 0;
        if (moved[0]) {
            samples_taken.push_back(cycle);
            engine.i_valid = 0;
            ++sample;
        }
        if (moved[1]) {
            masks_taken.push_back(cycle);
            engine.mask_valid = 0;
            ++mask;
        }
        for (int stream = 0; stream < 4; ++stream) {
            if (moved[stream]) {
                pauses[stream].draw(random);
            }
        }
    }
    write(folder + "features.bin", features);
    write(folder + "o.bin", out);
    write(folder + "i_taken.bin", samples_taken);
    write(folder + "mask_taken.bin", masks_taken);
    return !wanted();
}
