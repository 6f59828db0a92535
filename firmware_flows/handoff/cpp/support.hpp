// What every emulator of this kind is made of. Values are mantissas; element e of a value lies at [e * block, (e + 1) *
// block), one number an event, so that the innermost loop always runs over events and becomes vector instructions.

// Events computed together: 32 for throughput, 1 where events come one by one.
#ifndef FIRMWARE_FLOWS_BLOCK
#define FIRMWARE_FLOWS_BLOCK 32
#endif
constexpr std::size_t block = FIRMWARE_FLOWS_BLOCK;

__extension__ typedef __int128 wide;

enum class Rounding { TRN, TRN_ZERO, RND, RND_ZERO, RND_INF, RND_MIN_INF, RND_CONV };

// Whether a number that lies `rest` above `floor` is rounded up; `half` is half a unit.
template <Rounding R, typename W> inline bool up(W value, W floor_is_odd, W rest, W half) {
    if constexpr (R == Rounding::TRN) return false;
    if constexpr (R == Rounding::TRN_ZERO) return (value < 0) & (rest != 0);
    if constexpr (R == Rounding::RND) return rest >= half;
    if constexpr (R == Rounding::RND_MIN_INF) return rest > half;
    if constexpr (R == Rounding::RND_ZERO) return (rest > half) | ((rest == half) & (value < 0));
    if constexpr (R == Rounding::RND_INF) return (rest > half) | ((rest == half) & (value >= 0));
    return (rest > half) | ((rest == half) & (floor_is_odd != 0));
}

// value * 2**-Shift, rounded; Shift is 1 at least.
template <int Shift, Rounding R, typename W> inline W rounded(W value) {
    const W floor = value >> Shift;
    return floor + W(up<R, W>(value, floor & 1, value - floor * (W(1) << Shift), W(1) << (Shift - 1)));
}

// The lower Bits bits, as a number of that many bits.
template <int Bits, bool Signed, typename W> inline W wrapped(W value) {
    const W kept = value & ((W(1) << Bits) - 1);
    if constexpr (!Signed) return kept;
    return (kept ^ (W(1) << (Bits - 1))) - (W(1) << (Bits - 1));
}

// A real number times a power of two, rounded to an integer. Every step is exact: doubles of magnitude 2**52 and more
// are integers, and so is the distance to the next lower integer of all others.
template <Rounding R> inline double rounded_real(double value) {
    const double floor = std::floor(value), half_floor = floor * 0.5;
    return floor + double(up<R, double>(value, half_floor - std::floor(half_floor), value - floor, 0.5));
}

// ---- loops over blocks

template <typename S, typename T, typename F> inline void each(const S* x, T* y, std::size_t elements, F f) {
    for (std::size_t k = 0; k < elements * block; ++k) y[k] = T(f(x[k]));
}

// Elements picked from one source: y[to[k]] = x[from[k]] * factor; where `from` or `to` is null, element k itself.
template <typename S, typename T>
inline void pick(const S* x, T* y, const std::uint32_t* from, const std::uint32_t* to, std::size_t count, T factor) {
    for (std::size_t k = 0; k < count; ++k) {
        const S* source = x + (from ? from[k] : k) * block;
        T* target = y + (to ? to[k] : k) * block;
        for (std::size_t b = 0; b < block; ++b) target[b] = T(source[b]) * factor;
    }
}

template <typename T> inline void fill(T* y, const std::uint32_t* to, std::size_t count, T value) {
    for (std::size_t k = 0; k < count; ++k)
        for (std::size_t b = 0; b < block; ++b) y[to[k] * block + b] = value;
}

#if defined(__AVX512F__)
constexpr std::size_t register_bytes = 64;
#elif defined(__AVX__)
constexpr std::size_t register_bytes = 32;
#else
constexpr std::size_t register_bytes = 16;
#endif

// One sum an event, in vectors that stay in registers.
template <typename C> struct Sums {
    static constexpr std::size_t bytes = block * sizeof(C) < register_bytes ? block * sizeof(C) : register_bytes;
    static constexpr std::size_t lanes = bytes / sizeof(C), count = block / lanes;
    typedef C Vector __attribute__((vector_size(bytes), may_alias));
    Vector sums[count];
    explicit Sums(C first) {
        for (std::size_t v = 0; v < count; ++v) sums[v] = Vector{} + first;
    }
    void add(C weight, const C* values) {
        const Vector* source = reinterpret_cast<const Vector*>(values);
#pragma GCC unroll 32
        for (std::size_t v = 0; v < count; ++v) sums[v] += weight * source[v];
    }
    C operator[](std::size_t event) const { return sums[event / lanes][event % lanes]; }
};

template <> struct Sums<wide> {
    wide sums[block];
    explicit Sums(wide first) {
        for (wide& sum : sums) sum = first;
    }
    void add(wide weight, const wide* values) {
        for (std::size_t b = 0; b < block; ++b) sums[b] += weight * values[b];
    }
    wide operator[](std::size_t event) const { return sums[event]; }
};

// The last axis times a sparse matrix, output by output; exact, since C holds every partial sum.
template <typename C, typename S, typename T>
inline void affine(const S* x, T* y, C* carried, std::size_t positions, std::size_t inputs, std::size_t outputs,
                   const std::uint32_t* row, const std::uint32_t* column, const C* weight, const C* bias) {
    for (std::size_t p = 0; p < positions; ++p) {
        const C* from;
        if constexpr (std::is_same<C, S>::value) {
            from = x + p * inputs * block;
        } else {
            for (std::size_t k = 0; k < inputs * block; ++k) carried[k] = C(x[p * inputs * block + k]);
            from = carried;
        }
        for (std::size_t o = 0; o < outputs; ++o) {
            Sums<C> sum(bias[o]);
            for (std::uint32_t k = row[o]; k < row[o + 1]; ++k) sum.add(weight[k], from + column[k] * block);
            T* target = y + (p * outputs + o) * block;
            for (std::size_t b = 0; b < block; ++b) target[b] = T(sum[b]);
        }
    }
}

// The same with every product cast and every sum cast, term by term. `add(sum, product)` does both casts of a step.
template <typename S, typename T, typename W, typename F>
inline void affine_cast(const S* x, T* y, std::size_t positions, std::size_t inputs, std::size_t outputs,
                        const W* weight, const W* bias, F add) {
    for (std::size_t p = 0; p < positions; ++p)
        for (std::size_t o = 0; o < outputs; ++o)
            for (std::size_t b = 0; b < block; ++b) {
                W sum = bias[o];
                for (std::size_t k = 0; k < inputs; ++k)
                    sum = add(sum, W(x[(p * inputs + k) * block + b]) * weight[k * outputs + o]);
                y[(p * outputs + o) * block + b] = T(sum);
            }
}

template <typename A, typename B, typename T, typename F>
inline void combine(const A* x, const B* y, T* z, const std::uint32_t* left, const std::uint32_t* right,
                    std::size_t elements, F f) {
    for (std::size_t k = 0; k < elements; ++k) {
        const A* a = x + (left ? left[k] : k) * block;
        const B* c = y + (right ? right[k] : k) * block;
        for (std::size_t b = 0; b < block; ++b) z[k * block + b] = T(f(a[b], c[b]));
    }
}

// Along the middle one of three axes (outer, along, inner), one term after the other.
template <typename W, typename S, typename T, typename First, typename F>
inline void reduce(const S* x, T* y, std::size_t outer, std::size_t along, std::size_t inner, First first, F f) {
    for (std::size_t o = 0; o < outer; ++o)
        for (std::size_t i = 0; i < inner; ++i) {
            W sum[block];
            for (std::size_t k = 0; k < along; ++k) {
                const S* term = x + ((o * along + k) * inner + i) * block;
                for (std::size_t b = 0; b < block; ++b) sum[b] = k ? f(sum[b], W(term[b])) : first(W(term[b]));
            }
            for (std::size_t b = 0; b < block; ++b) y[(o * inner + i) * block + b] = T(sum[b]);
        }
}

// Neighbours first, an odd one out goes up a level as it is.
template <typename W, typename S, typename T, typename First, typename F>
inline void reduce_tree(const S* x, T* y, std::size_t outer, std::size_t along, std::size_t inner, First first, F f) {
    std::vector<W> terms(along);
    for (std::size_t o = 0; o < outer; ++o)
        for (std::size_t i = 0; i < inner; ++i)
            for (std::size_t b = 0; b < block; ++b) {
                for (std::size_t k = 0; k < along; ++k) terms[k] = first(W(x[((o * along + k) * inner + i) * block + b]));
                for (std::size_t n = along; n > 1; n = (n + 1) / 2) {
                    for (std::size_t k = 0; k < n / 2; ++k) terms[k] = f(terms[2 * k], terms[2 * k + 1]);
                    if (n % 2) terms[n / 2] = terms[n - 1];
                }
                y[(o * inner + i) * block + b] = T(terms[0]);
            }
}

template <typename S, typename T>
inline void table(const S* x, T* y, std::size_t elements, std::size_t channels, std::size_t length, std::int64_t least,
                  const T* entries) {
    for (std::size_t k = 0; k < elements; ++k) {
        const T* row = entries + (k % channels) * length;
        for (std::size_t b = 0; b < block; ++b) y[k * block + b] = row[std::int64_t(x[k * block + b]) - least];
    }
}

template <typename S, typename T> inline void argmax(const S* x, T* y, std::size_t rows, std::size_t length) {
    for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t b = 0; b < block; ++b) {
            std::size_t best = 0;
            for (std::size_t k = 1; k < length; ++k)
                if (x[(r * length + k) * block + b] > x[(r * length + best) * block + b]) best = k;
            y[r * block + b] = T(best);
        }
}

template <typename T, typename F, typename C>
inline void load(const F* x, T* y, std::size_t elements, std::size_t events, C convert) {
    for (std::size_t k = 0; k < elements; ++k)
        for (std::size_t b = 0; b < block; ++b)  // the last event stands in for those that are not there
            y[k * block + b] = T(convert(x[(b < events ? b : events - 1) * elements + k]));
}

template <typename T, typename F>
inline void store(const T* x, F* y, std::size_t elements, std::size_t events, F factor) {
    for (std::size_t b = 0; b < events; ++b)
        for (std::size_t k = 0; k < elements; ++k) y[b * elements + k] = F(x[k * block + b]) * factor;
}
