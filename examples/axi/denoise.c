/* Denoise a recording with the core: raw 16-bit samples from standard input to standard output.
 *
 * `simulated_core` is the core in Verilator (simulated_core.cpp); docs/axi.md has the commands. */
#include <stdio.h>

#include "bgru_driver.h"

#define MOST (60u * BGRU_SAMPLE_RATE_VALUE)

struct bgru simulated_core(void);

static int16_t samples[MOST], denoised[MOST];

int main(void) {
    struct bgru core = simulated_core();
    struct bgru_status status;
    size_t count = fread(samples, sizeof *samples, MOST, stdin);
    int result = bgru_check(&core);
    if (result == BGRU_OK && count > 0)
        result = bgru_denoise(&core, samples, denoised, count);
    if (result != BGRU_OK) {
        fprintf(stderr, "error %d\n", result);
        return 1;
    }
    bgru_read_status(&core, &status);
    fprintf(stderr, "%lu samples in, %lu out\n", (unsigned long)status.samples_in, (unsigned long)status.samples_out);
    return fwrite(denoised, sizeof *denoised, count, stdout) == count ? 0 : 1;
}
