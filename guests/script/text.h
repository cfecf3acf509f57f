#pragma once

// Values and addresses as words of a program and of a report; README.md has the grammar.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "perdure/perdure.h"

namespace script {

/// What words may refer to.
struct Registers {
    std::uint64_t counter = 0;  ///< `%i`: passes of the innermost repeat, from 1.
    std::optional<perdure::Bytes> body;
    std::optional<perdure::Bytes> blob;
    std::optional<perdure::Bytes> state;
    std::optional<perdure::Bytes> context;
    perdure::Address source;   ///< Who sent the element received last.
    perdure::Address program;  ///< Who sent the running program.
};

/// The bytes that `word` stands for; none if it names an empty register.
std::optional<perdure::Bytes> value_of(std::string_view word, const Registers& registers);

/// The address that `word` stands for. Nothing is checked: a program may well name one that no
/// process can have.
perdure::Address address_of(std::string_view word, const Registers& registers);

/// A decimal number; none if `word` is anything else or too large.
std::optional<std::uint64_t> number_of(std::string_view word);

/// `bytes` as a word without blanks; longer ones than `kShownBytesMax` as size and hash.
std::string shown(std::string_view bytes);
inline constexpr std::size_t kShownBytesMax = 1024;

std::string shown(const perdure::Address& address);

/// The words of one line.
class Words {
public:
    explicit Words(std::string_view line);

    bool empty() const { return words_.empty(); }
    std::size_t size() const { return words_.size(); }
    /// Empty beyond the last one.
    std::string_view operator[](std::size_t index) const;
    /// What stands behind `key=`.
    std::optional<std::string_view> option(std::string_view key) const;
    /// All values of a key that may come more than once.
    std::vector<std::string_view> options(std::string_view key) const;
    bool has(std::string_view word) const;

private:
    std::vector<std::string_view> words_;
};

}  // namespace script
