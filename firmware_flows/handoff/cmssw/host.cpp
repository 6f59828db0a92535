// Loads any number of models at once and compares every one with its golden vectors, event by event and in turn, so
// that a symbol of one that answers for another is noticed.
//     host MODEL VECTORS [MODEL VECTORS ...]       MODEL is the path of a shared object without .so
// Ends with 0 if every bit of every output is as expected, 1 if one differs, 2 if something cannot be read.

#include "hls4ml/emulator.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

struct Golden {
    std::string name;
    std::unique_ptr<hls4mlEmulator::ModelLoader> loader;  // an experiment's own closes the library when it goes
    std::shared_ptr<hls4mlEmulator::Model> model;
    std::vector<std::size_t> inputs, outputs;  // elements of every port
    std::vector<std::vector<double>> events;   // inputs, then outputs
};

std::vector<std::size_t> sizes(std::istringstream& line) {
    std::size_t count = 0, n = 0;
    std::vector<std::size_t> result;
    if (!(line >> count)) throw std::runtime_error("the first line must give the ports' sizes");
    while (count-- > 0 && line >> n) result.push_back(n);
    return result;
}

Golden read(const std::string& name, const std::string& file) {
    // a message names the library, wherever it lies
    Golden golden{name.substr(name.rfind('/') + 1), std::make_unique<hls4mlEmulator::ModelLoader>(name), {}, {}, {}, {}};
    golden.model = golden.loader->load_model();
    std::ifstream stream(file);
    std::string text, word;
    if (!std::getline(stream, text)) throw std::runtime_error(file + " is missing or empty");
    std::istringstream header(text);
    golden.inputs = sizes(header);
    golden.outputs = sizes(header);
    std::size_t wanted = 0;
    for (std::size_t n : golden.inputs) wanted += n;
    for (std::size_t n : golden.outputs) wanted += n;
    while (std::getline(stream, text)) {
        std::istringstream line(text);
        std::vector<double> event;
        while (line >> word) event.push_back(std::strtod(word.c_str(), nullptr));
        if (event.size() != wanted) {
            throw std::runtime_error(file + ": event " + std::to_string(golden.events.size()) + " has " +
                                     std::to_string(event.size()) + " numbers, not " + std::to_string(wanted));
        }
        golden.events.push_back(event);
    }
    if (golden.events.empty()) throw std::runtime_error(file + " holds no events");
    return golden;
}

bool agrees(Golden& golden, std::size_t event) {
    const std::vector<double>& numbers = golden.events[event];
    std::vector<std::vector<float>> inputs;
    std::vector<std::vector<double>> outputs;
    std::size_t at = 0;
    for (std::size_t n : golden.inputs) {
        inputs.emplace_back(numbers.begin() + at, numbers.begin() + at + n);
        at += n;
    }
    for (std::size_t n : golden.outputs) outputs.emplace_back(n);
    std::vector<const float*> from;
    std::vector<double*> to;
    for (const auto& input : inputs) from.push_back(input.data());
    for (auto& output : outputs) to.push_back(output.data());
    golden.model->prepare_input(from);
    golden.model->predict();
    golden.model->read_result(to);
    for (std::size_t port = 0; port < outputs.size(); ++port)
        for (std::size_t k = 0; k < outputs[port].size(); ++k, ++at)
            if (outputs[port][k] != numbers[at]) {
                std::printf("FAIL %s: event %zu, output %zu, element %zu: %a found, %a expected\n", golden.name.c_str(),
                            event, port, k, outputs[port][k], numbers[at]);
                return false;
            }
    return true;
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc < 3 || argc % 2 == 0) throw std::runtime_error("usage: host MODEL VECTORS [MODEL VECTORS ...]");
    std::vector<Golden> models;
    std::size_t most = 0;
    for (int k = 1; k < argc; k += 2) {
        models.push_back(read(argv[k], argv[k + 1]));
        most = std::max(most, models.back().events.size());
    }
    for (std::size_t event = 0; event < most; ++event)
        for (Golden& golden : models)
            if (event < golden.events.size() && !agrees(golden, event)) return 1;
    for (const Golden& golden : models)
        std::printf("PASS %s: %zu events, every bit as expected\n", golden.name.c_str(), golden.events.size());
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "ERROR %s\n", error.what());
    return 2;
}
