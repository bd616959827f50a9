// A simulated board on a terminal: standard input is the line from the host, standard output the line to it.
//
// Drives and samples the design's pins clock by clock as a USB-serial chip would. When both directions have been silent
// for so long that the board can't send on its own any more, the clock stops until the host sends a byte.

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <poll.h>
#include <unistd.h>

#include "Vboard.h"
#include "verilated.h"

int main(int, char** argv) {
    const int bit = std::atoi(argv[1]);              // cycles per bit
    const std::int64_t settled = std::atoll(argv[2]);  // cycles after which the board sends nothing on its own
    VerilatedContext context;
    Vboard board{&context};
    const auto cycle = [&board] {
        board.clk = 0;
        board.eval();
        board.clk = 1;
        board.eval();
    };

    board.rx = 1;
    board.rst = 1;
    cycle();
    cycle();
    board.rst = 0;

    int sending = 1, send_left = 0, send_timer = 0;  // the rest of a byte with its stop bit, bits left, cycles to the next
    int received = 0, receive_left = 0, receive_timer = 0;
    for (std::int64_t quiet = 0;; ++quiet) {
        if (send_timer > 0) {
            --send_timer;
        } else if (send_left > 0) {
            board.rx = sending & 1;
            sending >>= 1;
            --send_left;
            send_timer = bit - 1;
        } else {
            if (quiet > settled) {
                pollfd line = {STDIN_FILENO, POLLIN, 0};
                poll(&line, 1, -1);
            }
            std::uint8_t byte;
            const auto count = read(STDIN_FILENO, &byte, 1);
            if (count == 0 || (count < 0 && errno != EAGAIN)) {
                return 0;  // the terminal is gone
            }
            if (count == 1) {
                board.rx = 0;
                sending = byte | 0x100;
                send_left = 9;
                quiet = 0;
            }
            send_timer = bit - 1;
        }

        cycle();

        if (receive_timer > 0) {
            --receive_timer;
        } else if (receive_left > 0) {
            received = received >> 1 | board.tx << 9;
            receive_timer = bit - 1;
            if (--receive_left == 0) {
                receive_timer = 0;  // half of the stop bit is left; no start bit can come in it
                quiet = 0;
                const std::uint8_t byte = received >> 1 & 0xff;
                if ((received & 1) || !(received >> 9) || write(STDOUT_FILENO, &byte, 1) != 1) {
                    // No start or stop bit, or nobody reads: the byte is lost, as on a line.
                }
            }
        } else if (!board.tx) {
            receive_left = 10;
            receive_timer = bit / 2 - 1;
        }
    }
}
