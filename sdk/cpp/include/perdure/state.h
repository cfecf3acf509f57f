#pragma once

#include <optional>
#include <span>

#include "perdure/bytes.h"
#include "perdure/codec.h"
#include "perdure/result.h"

namespace perdure {

/// The object last saved by this process; none if there was none since the beginning or since
/// `clear_state`. An empty object is present. The node keeps it across crashes, updates and
/// restarts.
std::optional<Bytes> get_state();

/// Replaces the saved object. Nothing that anyone outside the node sees afterwards can survive
/// without it; the call itself does not wait for the disk.
void set_state(std::span<const std::uint8_t> bytes);
inline void set_state(const Bytes& bytes) {
    set_state(std::span<const std::uint8_t>(bytes.data(), bytes.size()));
}

/// Deletes the saved object; deleting nothing is fine.
void clear_state();

enum class LoadError {
    Absent,      ///< Nothing is saved: a first start.
    Unreadable,  ///< Something is saved, but not a `T`: an older form, or another program's.
};

/// Saves `value` in the form of codec.h.
template <class T>
void save(const T& value) {
    set_state(encode(value));
}

/// The value saved last. The two errors differ on purpose: starting over because an older form
/// could not be read would lose what is there.
template <class T>
Result<T, LoadError> load() {
    const auto bytes = get_state();
    if (!bytes)
        return Result<T, LoadError>::failure(LoadError::Absent);
    auto value = decode<T>(*bytes);
    if (!value)
        return Result<T, LoadError>::failure(LoadError::Unreadable);
    return std::move(*value);
}

}  // namespace perdure
