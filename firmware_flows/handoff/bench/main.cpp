// Compares every output of every golden event, bit by bit. Written by firmware-flows.
//     bench INPUT.hex ... OUTPUT.hex ...     one file a port, in the order of the ports; without arguments,
//                                            inputs_PORT.hex and outputs_PORT.hex of the current directory
// Ends with 0 if all bits are equal, 1 if one differs, 2 if a file cannot be read.

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

struct Port {
    const char* name;
    std::size_t elements;
    int width, fractional;
    bool is_signed;
};

@ports@
constexpr std::size_t input_count = sizeof inputs / sizeof *inputs, output_count = sizeof outputs / sizeof *outputs;

// Mantissas of all events; element 0 lies in the lowest bits of a word.
std::vector<std::int64_t> read(const std::string& path, const Port& port) {
    std::ifstream file(path);
    if (!file) throw std::runtime_error(path + " is missing");
    const std::size_t digits = (port.elements * port.width + 3) / 4;
    std::vector<std::int64_t> mantissas;
    std::string line;
    for (std::size_t number = 1; std::getline(file, line); ++number) {
        if (line.size() != digits || line.find_first_not_of("0123456789abcdef") != std::string::npos)
            throw std::runtime_error(path + ", line " + std::to_string(number) + ": not " + std::to_string(digits) + " hexadecimal digits");
        for (std::size_t k = 0; k < port.elements; ++k) {
            std::uint64_t bits = 0;
            for (int b = 0; b < port.width; ++b) {
                const std::size_t place = k * port.width + b;
                const char digit = line[digits - 1 - place / 4];
                const unsigned value = digit <= '9' ? digit - '0' : digit - 'a' + 10;
                bits |= std::uint64_t(value >> (place % 4) & 1) << b;
            }
            if (port.is_signed && bits >> (port.width - 1) & 1) bits -= std::uint64_t(1) << (port.width - 1) << 1;
            mantissas.push_back(std::int64_t(bits));
        }
    }
    if (mantissas.empty()) throw std::runtime_error(path + " holds no events");
    return mantissas;
}

}  // namespace bench

int main(int argc, char** argv) try {
    using namespace bench;
    if (argc > 1 && argc != int(1 + input_count + output_count))
        throw std::runtime_error("give one file for each of the ports");
    std::vector<std::vector<std::int64_t>> given, expected, found;
    std::size_t events = 0;
    for (std::size_t p = 0; p < input_count + output_count; ++p) {
        const Port& port = p < input_count ? inputs[p] : outputs[p - input_count];
        const std::string path =
            argc > 1 ? argv[1 + p] : (p < input_count ? "inputs_" : "outputs_") + std::string(port.name) + ".hex";
        (p < input_count ? given : expected).push_back(read(path, port));
        const std::size_t count = (p < input_count ? given : expected).back().size() / port.elements;
        if (p && count != events) throw std::runtime_error(path + " holds another number of events");
        events = count;
    }
    for (std::size_t p = 0; p < output_count; ++p) found.emplace_back(events * outputs[p].elements);
    run(given, found, events);
    for (std::size_t event = 0; event < events; ++event)
        for (std::size_t p = 0; p < output_count; ++p)
            for (std::size_t k = 0; k < outputs[p].elements; ++k) {
                const std::size_t at = event * outputs[p].elements + k;
                if (found[p][at] != expected[p][at]) {
                    std::printf("FAIL @form@: event %zu, output %s, element %zu: mantissa %lld found, %lld expected\n", event,
                                outputs[p].name, k, (long long)found[p][at], (long long)expected[p][at]);
                    return 1;
                }
            }
    std::printf("PASS @form@: %zu events, every bit as expected\n", events);
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "ERROR @form@: %s\n", error.what());
    return 2;
}
