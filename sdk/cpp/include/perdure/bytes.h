#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace perdure {

/// An owned run of bytes: bodies, blobs, contexts and saved state.
///
/// Memory comes from `malloc`, so bytes that the node hands over are taken as they are, without a
/// copy. Comparable by content. A guest that runs out of memory ends with a trap; no function here
/// reports it.
class Bytes {
public:
    Bytes() = default;
    Bytes(std::span<const std::uint8_t> bytes) { assign(bytes.data(), bytes.size()); }
    Bytes(std::string_view text) { assign(text.data(), text.size()); }
    Bytes(const std::string& text) : Bytes(std::string_view(text)) {}
    Bytes(const char* text) : Bytes(std::string_view(text)) {}

    Bytes(const Bytes& other) { assign(other.data_, other.size_); }
    Bytes(Bytes&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    Bytes& operator=(Bytes other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~Bytes() { std::free(data_); }

    /// Takes ownership of `data`, which came from `malloc`. With a `size` of 0 `data` is not looked
    /// at: the canonical ABI passes empty lists without memory behind them.
    static Bytes adopt(std::uint8_t* data, std::size_t size) {
        Bytes bytes;
        bytes.data_ = size > 0 ? data : nullptr;
        bytes.size_ = size;
        return bytes;
    }

    /// `size` bytes, all zero.
    static Bytes zeroes(std::size_t size) {
        Bytes bytes;
        bytes.allocate(size);
        if (size > 0)
            std::memset(bytes.data_, 0, size);
        return bytes;
    }

    std::uint8_t* data() { return data_; }
    const std::uint8_t* data() const { return data_; }
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    const std::uint8_t* begin() const { return data_; }
    const std::uint8_t* end() const { return data_ + size_; }

    /// The same bytes seen as text, valid as long as this object. Nothing checks that it is UTF-8.
    std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }

    friend bool operator==(const Bytes& left, const Bytes& right) {
        return left.text() == right.text();
    }

private:
    void allocate(std::size_t size) {
        if (size == 0)
            return;
        data_ = static_cast<std::uint8_t*>(std::malloc(size));
        if (data_ == nullptr)
            std::abort();
        size_ = size;
    }
    void assign(const void* data, std::size_t size) {
        allocate(size);
        if (size > 0)
            std::memcpy(data_, data, size);
    }

    std::uint8_t* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace perdure
