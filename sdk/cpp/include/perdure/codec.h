#pragma once

// Turns typed values into bytes and back.
//
//   integer, enum, bool   := little-endian, as many bytes as its type has
//   float, double         := its IEEE bits, little-endian
//   string, Bytes         := size:u32le  bytes[size]
//   vector<T>             := count:u32le  T[count]
//   optional<T>           := present:u8 (0 or 1)  T if present
//   struct                := its fields in the order of its member `fields`
//
// A struct takes part by listing its fields:
//
//     struct Tally {
//         std::uint64_t runs = 0;
//         std::string last;
//         void fields(auto& visit) { visit(runs, last); }
//     };
//
// A lone std::uint64_t is eight bytes, the form that guests in other languages use for counters.
// Reading checks every size before it takes memory and refuses bytes that are left over. There is
// no version in the bytes: a struct that may change keeps one as its first field.

#include <bit>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "perdure/bytes.h"

namespace perdure {

class Encoder {
public:
    template <class... Ts>
    void operator()(const Ts&... values) {
        (write(values), ...);
    }

    Bytes take() { return Bytes(std::span<const std::uint8_t>(buffer_)); }

private:
    template <class T>
    void write(const T& value) {
        if constexpr (std::is_same_v<T, bool>) {
            write_little_endian(static_cast<std::uint8_t>(value ? 1 : 0));
        } else if constexpr (std::is_enum_v<T>) {
            write(static_cast<std::underlying_type_t<T>>(value));
        } else if constexpr (std::is_integral_v<T>) {
            write_little_endian(static_cast<std::make_unsigned_t<T>>(value));
        } else if constexpr (std::is_same_v<T, float>) {
            write_little_endian(__builtin_bit_cast(std::uint32_t, value));
        } else if constexpr (std::is_same_v<T, double>) {
            write_little_endian(__builtin_bit_cast(std::uint64_t, value));
        } else {
            // Only member functions named `fields` are not const, because they read as well.
            const_cast<T&>(value).fields(*this);
        }
    }
    void write(const std::string& value) { write_run(value.data(), value.size()); }
    void write(const Bytes& value) { write_run(value.data(), value.size()); }
    template <class T>
    void write(const std::vector<T>& values) {
        write_little_endian(static_cast<std::uint32_t>(values.size()));
        for (const auto& value : values)
            write(value);
    }
    template <class T>
    void write(const std::optional<T>& value) {
        write(value.has_value());
        if (value)
            write(*value);
    }

    template <class U>
    void write_little_endian(U value) {
        for (std::size_t i = 0; i < sizeof(U); ++i) {
            buffer_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
        }
    }
    void write_run(const void* data, std::size_t size) {
        write_little_endian(static_cast<std::uint32_t>(size));
        const auto* bytes = static_cast<const std::uint8_t*>(data);
        buffer_.insert(buffer_.end(), bytes, bytes + size);
    }

    std::vector<std::uint8_t> buffer_;
};

class Decoder {
public:
    explicit Decoder(std::span<const std::uint8_t> bytes) : rest_(bytes) {}

    template <class... Ts>
    void operator()(Ts&... values) {
        (read(values), ...);
    }

    /// Whether all values so far were whole and no byte is left.
    bool complete() const { return !failed_ && rest_.empty(); }

private:
    template <class T>
    void read(T& value) {
        if constexpr (std::is_same_v<T, bool>) {
            const auto byte = read_little_endian<std::uint8_t>();
            if (byte > 1)
                failed_ = true;
            value = byte == 1;
        } else if constexpr (std::is_enum_v<T>) {
            std::underlying_type_t<T> number{};
            read(number);
            value = static_cast<T>(number);
        } else if constexpr (std::is_integral_v<T>) {
            value = static_cast<T>(read_little_endian<std::make_unsigned_t<T>>());
        } else if constexpr (std::is_same_v<T, float>) {
            value = __builtin_bit_cast(float, read_little_endian<std::uint32_t>());
        } else if constexpr (std::is_same_v<T, double>) {
            value = __builtin_bit_cast(double, read_little_endian<std::uint64_t>());
        } else {
            value.fields(*this);
        }
    }
    void read(std::string& value) {
        const auto run = read_run();
        value.assign(reinterpret_cast<const char*>(run.data()), run.size());
    }
    void read(Bytes& value) { value = Bytes(read_run()); }
    template <class T>
    void read(std::vector<T>& values) {
        const auto count = read_little_endian<std::uint32_t>();
        values.clear();
        // No element count is believed beyond what the bytes can hold: memory grows with what is
        // read.
        for (std::uint32_t i = 0; i < count && !failed_; ++i) {
            if (rest_.empty()) {
                failed_ = true;
                return;
            }
            T value{};
            read(value);
            values.push_back(std::move(value));
        }
    }
    template <class T>
    void read(std::optional<T>& value) {
        bool present = false;
        read(present);
        value.reset();
        if (present)
            read(value.emplace());
    }

    template <class U>
    U read_little_endian() {
        if (failed_ || rest_.size() < sizeof(U)) {
            failed_ = true;
            return 0;
        }
        U value = 0;
        for (std::size_t i = 0; i < sizeof(U); ++i) {
            value = static_cast<U>(value | static_cast<U>(static_cast<U>(rest_[i]) << (8 * i)));
        }
        rest_ = rest_.subspan(sizeof(U));
        return value;
    }
    std::span<const std::uint8_t> read_run() {
        const auto size = read_little_endian<std::uint32_t>();
        if (failed_ || rest_.size() < size) {
            failed_ = true;
            return {};
        }
        const auto run = rest_.first(size);
        rest_ = rest_.subspan(size);
        return run;
    }

    std::span<const std::uint8_t> rest_;
    bool failed_ = false;
};

/// The bytes of `value` in the form above.
template <class T>
Bytes encode(const T& value) {
    Encoder encoder;
    encoder(value);
    return encoder.take();
}

/// The value in `bytes`; none if they are cut short, hold anything else, or leave something over.
template <class T>
std::optional<T> decode(const Bytes& bytes) {
    Decoder decoder(std::span<const std::uint8_t>(bytes.data(), bytes.size()));
    T value{};
    decoder(value);
    if (!decoder.complete())
        return std::nullopt;
    return value;
}

}  // namespace perdure
