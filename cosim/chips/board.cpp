// A simulated board on a terminal: standard input is the line from the host, standard output the line to it.
//
// Drives and samples the design's pins clock by clock as a USB-serial chip would. When both directions have been silent
// for so long that the board can't send on its own any more, the clock stops until the host sends a byte.
// Standard error says when the error LED changes, and when the other one blinks faster or slower.

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <poll.h>
#include <unistd.h>

#include "Vboard.h"
#include "clocks.h"
#include "verilated.h"

int main(int, char** argv) {
    const int bit = std::atoi(argv[1]);              // cycles per bit
    const std::int64_t settled = std::atoll(argv[2]);  // cycles after which the board sends nothing on its own
    const std::int64_t second = std::atoll(argv[3]);   // cycles of a second
    VerilatedContext context;
    Vboard board{&context};
    const auto cycle = [&board] {
        fall(board);
        rise(board);
    };

    std::int64_t now = 0, lit_at = -second;
    bool alive = false, fast = false, error = false;
    const auto say = [&now](const char* what) {
        std::fprintf(stderr, "cycle %lld: LED %s\n", static_cast<long long>(now), what);
    };
    const auto watch = [&] {
        ++now;
        if (board.error != error) {
            error = board.error;
            say(error ? "error: on" : "error: off");
        }
        if (board.alive && !alive) {
            const bool sooner = now - lit_at < second / 2;
            if (sooner != fast) {
                fast = sooner;
                say(fast ? "alive: fast" : "alive: slow");
            }
            lit_at = now;
        }
        alive = board.alive;
    };

    board.rx = 1;
    reset(board);

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
        watch();

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
