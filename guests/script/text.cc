#include "text.h"

#include <algorithm>
#include <charconv>

namespace script {
namespace {

std::optional<int> hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return std::nullopt;
}

std::string unescaped(std::string_view word, const Registers& registers) {
    std::string text;
    for (std::size_t i = 0; i < word.size(); ++i) {
        if (word[i] != '%' || i + 1 == word.size()) {
            text.push_back(word[i]);
        } else if (word[i + 1] == 'i') {
            text += std::to_string(registers.counter);
            i += 1;
        } else if (word[i + 1] == 'm') {
            if (registers.body)
                text += registers.body->text();
            i += 1;
        } else {
            const auto high = hex_digit(word[i + 1]);
            const auto low = i + 2 < word.size() ? hex_digit(word[i + 2]) : std::nullopt;
            if (!high || !low) {
                text.push_back('%');
                continue;
            }
            text.push_back(static_cast<char>(*high * 16 + *low));
            i += 2;
        }
    }
    return text;
}

perdure::Bytes pattern(std::uint64_t size) {
    auto bytes = perdure::Bytes::zeroes(static_cast<std::size_t>(size));
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes.data()[i] = static_cast<std::uint8_t>(i);
    }
    return bytes;
}

/// 64-bit FNV-1a.
std::uint64_t hash(std::string_view bytes) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : bytes) {
        hash ^= static_cast<std::uint8_t>(c);
        hash *= 0x100000001b3;
    }
    return hash;
}

std::string hex(std::uint64_t number, int digits) {
    std::string text;
    for (int i = digits - 1; i >= 0; --i) {
        text.push_back("0123456789abcdef"[(number >> (4 * i)) & 0xf]);
    }
    return text;
}

}  // namespace

std::optional<perdure::Bytes> value_of(std::string_view word, const Registers& registers) {
    if (word == "@body")
        return registers.body;
    if (word == "@blob")
        return registers.blob;
    if (word == "@state")
        return registers.state;
    if (word == "@context")
        return registers.context;
    if (!word.empty() && word.front() == '#')
        return pattern(number_of(word.substr(1)).value_or(0));
    return perdure::Bytes(unescaped(word, registers));
}

perdure::Address address_of(std::string_view word, const Registers& registers) {
    if (word == "source")
        return registers.source;
    if (word == "program")
        return registers.program;
    if (word == "self")
        return perdure::our();
    perdure::Address address;
    const auto take_until = [&word, &registers](char separator) {
        const auto end = std::min(word.find(separator), word.size());
        const auto part = word.substr(0, end);
        word.remove_prefix(std::min(end + 1, word.size()));
        return unescaped(part, registers);
    };
    address.node = take_until('@');
    address.process.process_name = take_until(':');
    address.process.package_name = take_until(':');
    address.process.publisher_node = unescaped(word, registers);
    return address;
}

std::optional<std::uint64_t> number_of(std::string_view word) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (error != std::errc{} || end != word.data() + word.size())
        return std::nullopt;
    return number;
}

std::string shown(std::string_view bytes) {
    if (bytes.size() > kShownBytesMax) {
        return "#" + std::to_string(bytes.size()) + ":" + hex(hash(bytes), 16);
    }
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const char c = bytes[i];
        const bool plain = c > ' ' && c < 0x7f && c != '%' && c != '|' && !(i == 0 && c == '#');
        if (plain) {
            text.push_back(c);
        } else {
            text += "%" + hex(static_cast<std::uint8_t>(c), 2);
        }
    }
    return text;
}

std::string shown(const perdure::Address& address) {
    return shown(address.to_string());
}

Words::Words(std::string_view line) {
    while (!line.empty()) {
        const auto end = std::min(line.find(' '), line.size());
        if (end > 0)
            words_.push_back(line.substr(0, end));
        line.remove_prefix(std::min(end + 1, line.size()));
    }
}

std::string_view Words::operator[](std::size_t index) const {
    return index < words_.size() ? words_[index] : std::string_view{};
}

std::optional<std::string_view> Words::option(std::string_view key) const {
    const auto all = options(key);
    if (all.empty())
        return std::nullopt;
    return all.front();
}

std::vector<std::string_view> Words::options(std::string_view key) const {
    std::vector<std::string_view> found;
    for (const auto word : words_) {
        if (word.size() > key.size() && word.substr(0, key.size()) == key &&
            word[key.size()] == '=') {
            found.push_back(word.substr(key.size() + 1));
        }
    }
    return found;
}

bool Words::has(std::string_view word) const {
    return std::find(words_.begin(), words_.end(), word) != words_.end();
}

}  // namespace script
