// @model@ @version@: the model that an experiment's software loads. Written by firmware-flows.
//
// prepare_input takes, of every input port, a pointer to the elements of one event: real numbers (const float*, rounded
// and limited by the input's type) or mantissas (const std::int64_t*). read_result takes pointers that are written to:
// double* for exact values, std::int64_t* for mantissas. Where there is one port, the pointer itself; where there are
// more, a std::vector of them in the order of the ports. With AP_TYPES defined, for one port of each, also pointers to
// the port's own type, as hls4ml's emulators take (input_t*, result_t*): @input_types@ to @output_types@.

#define FIRMWARE_FLOWS_BLOCK 1

#include "hls4ml/emulator.h"
#include "@header@"
#ifdef AP_TYPES
#include "ap_fixed.h"
#endif

namespace @namespace@ {

class Emulator final : public hls4mlEmulator::Model {
  public:
    void prepare_input(std::any input) override {
        if (const auto* given = pointers<const float>(input)) {
            take(*given, real_);
            is_real_ = true;
        } else if (const auto* given = pointers<const std::int64_t>(input)) {
            take(*given, integer_);
            is_real_ = false;
#ifdef AP_TYPES
        } else if (take_ap<@input_types@>(input)) {
            is_real_ = false;
#endif
        } else {
            throw std::invalid_argument("@model@: prepare_input takes const float* or const std::int64_t*, one for each of @inputs@ inputs");
        }
    }

    void predict() override {
        if (is_real_) {
            emulate(@real_arguments@, 1);
        } else {
            emulate_mantissas(@integer_arguments@, 1);
        }
    }

    void read_result(std::any result) override {
        if (const auto* wanted = pointers<double>(result)) {
            give(*wanted, real_results_, integer_results_, true);
        } else if (const auto* wanted = pointers<std::int64_t>(result)) {
            give(*wanted, real_results_, integer_results_, false);
#ifdef AP_TYPES
        } else if (give_ap<@output_types@>(result)) {
#endif
        } else {
            throw std::invalid_argument("@model@: read_result takes double* or std::int64_t*, one for each of @outputs@ outputs");
        }
    }

  private:
    template <typename T> using Pointers = std::vector<T*>;

    // What was given, as a vector of pointers; null if it is something else.
    template <typename T> const Pointers<T>* pointers(const std::any& given) {
        static thread_local Pointers<T> one(1);
        if (const auto* several = std::any_cast<Pointers<T>>(&given)) return several;
        if (const auto* single = std::any_cast<T*>(&given)) return one[0] = *single, &one;
        if constexpr (std::is_const<T>::value) {
            using Plain = typename std::remove_const<T>::type;
            if (const auto* single = std::any_cast<Plain*>(&given)) return one[0] = *single, &one;
        }
        return nullptr;
    }

    template <typename T, typename Stored> static void take(const Pointers<T>& given, Stored& stored) {
        if (given.size() != stored.size()) throw std::invalid_argument("@model@ has @inputs@ inputs");
        for (std::size_t port = 0; port < stored.size(); ++port)
            std::copy(given[port], given[port] + stored[port].size(), stored[port].begin());
    }

    template <typename T>
    void give(const Pointers<T>& wanted, const std::vector<std::vector<double>>& real,
              const std::vector<std::vector<std::int64_t>>& integer, bool as_real) const {
        if (wanted.size() != real.size()) throw std::invalid_argument("@model@ has @outputs@ outputs");
        for (std::size_t port = 0; port < real.size(); ++port)
            for (std::size_t k = 0; k < real[port].size(); ++k) {
                const double unit = std::ldexp(1.0, -output_ports[port].fractional);
                if (as_real) {
                    wanted[port][k] = T(is_real_ ? real[port][k] : double(integer[port][k]) * unit);
                } else {
                    wanted[port][k] = T(is_real_ ? std::int64_t(real[port][k] / unit) : integer[port][k]);
                }
            }
    }

#ifdef AP_TYPES
    template <typename... Types> bool take_ap(const std::any& given) { return (take_elements<Types>(given) || ...); }

    template <typename... Types> bool give_ap(const std::any& given) const { return (give_elements<Types>(given) || ...); }

    template <typename T> bool take_elements(const std::any& given) {
        const T* from = nullptr;
        if (const auto* plain = std::any_cast<T*>(&given)) from = *plain;
        if (const auto* constant = std::any_cast<const T*>(&given)) from = *constant;
        if (from == nullptr || integer_.size() != 1) return false;
        for (std::size_t k = 0; k < integer_[0].size(); ++k) {
            std::int64_t bits = std::int64_t(from[k].range().to_uint64());
            if (input_ports[0].is_signed && (bits >> (input_ports[0].width - 1) & 1)) bits -= std::int64_t(1) << input_ports[0].width;
            integer_[0][k] = bits;
        }
        return true;
    }

    template <typename T> bool give_elements(const std::any& given) const {
        const auto* to = std::any_cast<T*>(&given);
        if (to == nullptr || integer_results_.size() != 1) return false;
        for (std::size_t k = 0; k < integer_results_[0].size(); ++k) {
            const double unit = std::ldexp(1.0, -output_ports[0].fractional);
            (*to)[k].range() = is_real_ ? std::int64_t(real_results_[0][k] / unit) : integer_results_[0][k];
        }
        return true;
    }
#endif

    static constexpr Port input_ports[] = {@input_ports@};
    static constexpr Port output_ports[] = {@output_ports@};

    template <typename T, std::size_t N> static std::vector<std::vector<T>> sized(const Port (&ports)[N]) {
        std::vector<std::vector<T>> result;
        for (const Port& port : ports) result.emplace_back(port.elements);
        return result;
    }

    bool is_real_ = true;
    std::vector<std::vector<float>> real_ = sized<float>(input_ports);
    std::vector<std::vector<std::int64_t>> integer_ = sized<std::int64_t>(input_ports);
    std::vector<std::vector<double>> real_results_ = sized<double>(output_ports);
    std::vector<std::vector<std::int64_t>> integer_results_ = sized<std::int64_t>(output_ports);
};

}  // namespace @namespace@

extern "C" hls4mlEmulator::Model* create_model() { return new @namespace@::Emulator; }
extern "C" void destroy_model(hls4mlEmulator::Model* model) { delete model; }
