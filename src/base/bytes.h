#pragma once

/// Byte strings: a borrowed view, and an immutable buffer that many may hold at once.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace perdure {

using Byte = std::uint8_t;
using ByteView = std::span<const Byte>;
using Bytes = std::vector<Byte>;

inline ByteView bytes_of(std::string_view text) {
    return {reinterpret_cast<const Byte*>(text.data()), text.size()};
}
inline std::string_view text_of(ByteView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline bool equal(ByteView left, ByteView right) {
    return text_of(left) == text_of(right);
}

/// An immutable byte string with shared ownership: copying it copies a pointer, never the bytes
/// (K-47, K-237).
///
/// There is no single owner because sender, mailbox, receiver, log and overlay hold the same bytes
/// for different spans of time. Header and bytes are one allocation. An empty string needs no
/// memory. Thread: values may be copied and destroyed on any thread; the bytes never change after
/// construction.
class SharedBytes {
public:
    SharedBytes() = default;
    explicit SharedBytes(ByteView bytes) : block_(copy(bytes)) {}
    explicit SharedBytes(std::string_view text) : SharedBytes(bytes_of(text)) {}

    SharedBytes(const SharedBytes& other) : block_(other.block_) { retain(); }
    SharedBytes(SharedBytes&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
    SharedBytes& operator=(SharedBytes other) noexcept {
        std::swap(block_, other.block_);
        return *this;
    }
    ~SharedBytes() { release(); }

    /// A buffer of `size` bytes that `fill(span)` writes before anybody else can see it.
    template <typename Fill>
    static SharedBytes make(std::size_t size, Fill&& fill) {
        SharedBytes made;
        if (size != 0) {
            made.block_ = allocate(size);
            std::forward<Fill>(fill)(std::span<Byte>(made.block_->bytes(), size));
        }
        return made;
    }

    ByteView view() const { return block_ ? ByteView(block_->bytes(), block_->size) : ByteView(); }
    std::string_view text() const { return text_of(view()); }
    std::size_t size() const { return block_ ? block_->size : 0; }
    bool empty() const { return size() == 0; }

    friend bool operator==(const SharedBytes& left, const SharedBytes& right) {
        return left.block_ == right.block_ || left.text() == right.text();
    }

private:
    struct Block {
        std::atomic<std::uint32_t> references{1};
        std::size_t size = 0;
        Byte* bytes() { return reinterpret_cast<Byte*>(this + 1); }
        const Byte* bytes() const { return reinterpret_cast<const Byte*>(this + 1); }
    };

    static Block* allocate(std::size_t size) {
        auto* block = new (::operator new(sizeof(Block) + size)) Block;
        block->size = size;
        return block;
    }
    static Block* copy(ByteView bytes) {
        if (bytes.empty()) {
            return nullptr;
        }
        Block* block = allocate(bytes.size());
        std::memcpy(block->bytes(), bytes.data(), bytes.size());
        return block;
    }
    void retain() {
        if (block_) {
            block_->references.fetch_add(1, std::memory_order_relaxed);
        }
    }
    void release() {
        if (block_ && block_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            block_->~Block();
            ::operator delete(block_);
        }
    }

    Block* block_ = nullptr;
};

}  // namespace perdure
