// Compares the weights in headers, which synthesis takes, with those in text files, which C simulation reads.
//     weights HEADER.h ...     beside each lies the text file of the same name. Written by firmware-flows.
// Ends with 0 if all are equal, 1 if one differs, 2 if a file cannot be read.

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

std::string read(const std::string& path) {
    std::ifstream file(path);
    if (!file) throw std::runtime_error(path + " is missing");
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Decimals, separated by commas.
std::vector<double> numbers(const std::string& text, const std::string& path) {
    std::vector<double> result;
    const char* at = text.c_str();
    while (*at != '\0') {
        char* end = nullptr;
        result.push_back(std::strtod(at, &end));
        if (end == at) throw std::runtime_error(path + ": number " + std::to_string(result.size()) + " is none");
        while (*end == ',' || *end == ' ' || *end == '\n' || *end == '\r') ++end;
        at = end;
    }
    return result;
}

}  // namespace

int main(int argc, char** argv) try {
    std::size_t count = 0;
    bool equal = true;
    for (int k = 1; k < argc; ++k) {
        const std::string header = argv[k], text = header.substr(0, header.size() - 1) + "txt";
        const std::string content = read(header);
        const std::size_t first = content.find('{'), last = content.find('}');
        if (first == std::string::npos || last == std::string::npos) throw std::runtime_error(header + " has no array");
        const std::vector<double> synthesised = numbers(content.substr(first + 1, last - first - 1), header);
        const std::vector<double> simulated = numbers(read(text), text);
        if (synthesised.size() != simulated.size()) throw std::runtime_error(header + " and " + text + " differ in size");
        bool same = true;  // the first difference of every file is told
        for (std::size_t n = 0; n < simulated.size() && same; ++n)
            if (synthesised[n] != simulated[n]) {
                std::printf("FAIL HLS weights: %s, element %zu: %a in the header, %a in the text file\n", header.c_str(), n,
                            synthesised[n], simulated[n]);
                same = equal = false;
            }
        count += simulated.size();
    }
    if (equal) std::printf("PASS HLS weights: %zu numbers, equal in headers and text files\n", count);
    return equal ? 0 : 1;
} catch (const std::exception& error) {
    std::fprintf(stderr, "ERROR HLS weights: %s\n", error.what());
    return 2;
}
