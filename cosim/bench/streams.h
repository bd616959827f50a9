// What the programs that run a Verilated design on streams share: files of words, and pauses.

#ifndef STREAMS_H
#define STREAMS_H

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <random>
#include <string>
#include <vector>

inline std::vector<std::int32_t> read(const std::string& path) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    std::vector<std::int32_t> words(static_cast<std::size_t>(file.tellg()) / sizeof(std::int32_t));
    file.seekg(0);
    file.read(reinterpret_cast<char*>(words.data()), words.size() * sizeof(std::int32_t));
    return words;
}

template <typename T>
void write(const std::string& path, const std::vector<T>& words) {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(words.data()), words.size() * sizeof(T));
}

// A stream's end that pauses after a transfer, with a probability in percent, for at most `longest` cycles.
struct Pauses {
    unsigned percent, longest, left = 0;
    bool over() { return left == 0 || --left == 0; }
    void draw(std::mt19937& random) {
        if (percent != 0 && random() % 100 < percent) {
            left = 1 + random() % longest;
        }
    }
};

#endif
