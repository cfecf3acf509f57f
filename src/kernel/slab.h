#pragma once

/// Memory for many objects of one type that one worker makes and any thread may give back:
/// envelopes above all.
///
/// A free object costs a pointer swap to reuse. Memory grows by whole chunks up to the largest
/// number of objects ever live at once and is returned when the slab ends; how many may live is
/// limited by who makes them (for envelopes the bounds of the mailboxes, K-83).
///
/// How: the owner takes cells from `free_`, which only it touches. Whoever destroys an object
/// pushes its cell onto `returned_`, a lock-free stack, also on the owner's thread: then a
/// simulation that runs all workers on one thread takes the same path. The owner takes the whole
/// stack with one exchange when `free_` is empty.
///
/// Proof: there is no pop of a single cell from `returned_`, so no ABA: a push that reads head H
/// and succeeds leaves H below its own cell whatever happened to H between. A push writes `next`
/// before its release exchange; the owner reads it after an acquire exchange. Pushes below the top
/// are ordered too: every push is a read-modify-write and continues the release sequence of those
/// before it. The successful exchange is the last access to the slab.
///
/// Under AddressSanitizer the storage of free cells is poisoned, so use after return is reported
/// like use after free.

#include <atomic>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "base/check.h"

#if defined(__SANITIZE_ADDRESS__)
#define PERDURE_SLAB_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PERDURE_SLAB_POISONS 1
#endif
#endif
#ifdef PERDURE_SLAB_POISONS
#include <sanitizer/asan_interface.h>
#endif

namespace perdure::kernel {

template <typename T>
class Slab {
public:
    struct GiveBack {
        void operator()(T* object) const noexcept { Slab::give_back(object); }
    };
    /// Sole owner of one object. May be moved to and destroyed on any thread, before the slab is.
    using Handle = std::unique_ptr<T, GiveBack>;

    /// Memory is taken for `chunk_objects` objects at a time, at least one; nothing is taken before
    /// the first `make`.
    explicit Slab(std::size_t chunk_objects = 64) : chunk_objects_(chunk_objects) {
        CHECK(chunk_objects > 0);
    }
    Slab(const Slab&) = delete;
    Slab& operator=(const Slab&) = delete;

    /// Every object must have been given back, with a happens-before to here.
    ~Slab() {
        CHECK(live() == 0, live());
        for (const auto& chunk : chunks_) {
            for (std::size_t index = 0; index < chunk_objects_; ++index) {
                unpoison(chunk[index]);
            }
        }
    }

    /// A new object. Thread: the owner's.
    template <typename... Args>
    Handle make(Args&&... args) {
        Cell* cell = take_cell();
        return Handle(::new (static_cast<void*>(cell->storage)) T(std::forward<Args>(args)...));
    }

    /// Destroys an object that some slab made. Thread: any.
    ///
    /// For a T that travels as a pointer to its base with a virtual destructor (a WorkerItem, say),
    /// `release()` the handle and give T a destroying delete: `static void operator delete(T*
    /// object, std::destroying_delete_t) { Slab<T>::give_back(object); }`.
    static void give_back(T* object) noexcept {
        if (object == nullptr) {
            return;
        }
        Cell* cell = cell_of(object);
        object->~T();
        poison(*cell);
        Slab& slab = *cell->slab;
        cell->next = slab.returned_.load(std::memory_order_relaxed);
        while (!slab.returned_.compare_exchange_weak(cell->next, cell, std::memory_order_release,
                                                     std::memory_order_relaxed)) {
        }
    }

    /// Objects made and not yet given back. Not const: it collects what was returned, which takes
    /// time linear in that. Thread: the owner's.
    std::size_t live() {
        collect();
        return capacity() - free_count_;
    }

    /// Objects there is memory for. Thread: the owner's.
    std::size_t capacity() const { return chunks_.size() * chunk_objects_; }

private:
    struct Cell {
        Slab* slab = nullptr;
        Cell* next = nullptr;
        alignas(T) alignas(void*) std::byte storage[sizeof(T)];
    };
    // With the padding behind the object: the sanitizer marks whole 8-byte granules only.
    static constexpr std::size_t kPoisoned = sizeof(Cell) - offsetof(Cell, storage);

    static Cell* cell_of(T* object) {
        auto* storage = reinterpret_cast<std::byte*>(object);
        return reinterpret_cast<Cell*>(storage - offsetof(Cell, storage));
    }

    Cell* take_cell() {
        if (free_ == nullptr) {
            collect();
        }
        if (free_ == nullptr) {
            grow();
        }
        Cell* cell = std::exchange(free_, free_->next);
        --free_count_;
        unpoison(*cell);
        return cell;
    }

    void add_free(Cell& cell) {
        cell.next = std::exchange(free_, &cell);
        ++free_count_;
    }

    void collect() {
        Cell* cell = returned_.exchange(nullptr, std::memory_order_acquire);
        while (cell != nullptr) {
            add_free(*std::exchange(cell, cell->next));
        }
    }

    void grow() {
        Cell* cells = chunks_.emplace_back(new Cell[chunk_objects_]).get();
        for (std::size_t index = chunk_objects_; index > 0; --index) {
            cells[index - 1].slab = this;
            poison(cells[index - 1]);
            add_free(cells[index - 1]);
        }
    }

    static void poison([[maybe_unused]] Cell& cell) {
#ifdef PERDURE_SLAB_POISONS
        __asan_poison_memory_region(cell.storage, kPoisoned);
#endif
    }
    static void unpoison([[maybe_unused]] Cell& cell) {
#ifdef PERDURE_SLAB_POISONS
        __asan_unpoison_memory_region(cell.storage, kPoisoned);
#endif
    }

    const std::size_t chunk_objects_;
    std::vector<std::unique_ptr<Cell[]>> chunks_;
    Cell* free_ = nullptr;
    std::size_t free_count_ = 0;
    alignas(64) std::atomic<Cell*> returned_{nullptr};  // The line other threads write to.
};

}  // namespace perdure::kernel

#undef PERDURE_SLAB_POISONS
