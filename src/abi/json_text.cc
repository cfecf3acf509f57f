#include <algorithm>
#include <charconv>

#include "abi/json.h"
#include "base/utf8.h"

namespace perdure {

class JsonWriter {
public:
    enum class Style { Compact, Pretty, Canonical };
    explicit JsonWriter(Style style) : style_(style) {}

    std::string take() { return std::move(out_); }

    void write(const Json& json) {
        std::visit([this](const auto& value) { write_value(value); }, json.content_);
    }

private:
    void write_value(std::monostate) { out_ += "null"; }
    void write_value(bool value) { out_ += value ? "true" : "false"; }
    void write_value(std::int64_t value) { write_number(value); }
    void write_value(std::uint64_t value) { write_number(value); }
    void write_value(double value) {
        const std::size_t start = out_.size();
        write_number(style_ == Style::Canonical && value == 0 ? 0.0 : value);
        if (out_.find_first_of(".e", start) == std::string::npos) {
            out_ += ".0";  // So that it is read back as what it is.
        }
    }
    void write_value(const std::string& text) { write_string(text); }
    void write_value(const Json::Array& items) {
        out_ += '[';
        ++depth_;
        for (std::size_t i = 0; i < items.size(); ++i) {
            separate(i);
            write(items[i]);
        }
        close(']', items.empty());
    }
    void write_value(const Json::Object& members) {
        std::vector<const JsonMember*> order;
        order.reserve(members.size());
        for (const JsonMember& member : members) {
            order.push_back(&member);
        }
        if (style_ == Style::Canonical) {
            std::sort(order.begin(), order.end(),
                      [](const JsonMember* a, const JsonMember* b) { return a->key < b->key; });
        }
        out_ += '{';
        ++depth_;
        for (std::size_t i = 0; i < order.size(); ++i) {
            separate(i);
            write_string(order[i]->key);
            out_ += style_ == Style::Pretty ? ": " : ":";
            write(order[i]->value);
        }
        close('}', members.empty());
    }

    template <typename Number>
    void write_number(Number value) {
        char digits[40];
        out_.append(digits, std::to_chars(digits, digits + sizeof(digits), value).ptr);
    }
    void separate(std::size_t index) {
        if (index != 0) {
            out_ += ',';
        }
        new_line();
    }
    void close(char bracket, bool empty) {
        --depth_;
        if (!empty) {
            new_line();
        }
        out_ += bracket;
    }
    void new_line() {
        if (style_ == Style::Pretty) {
            out_ += '\n';
            out_.append(2 * depth_, ' ');
        }
    }

    // Strings of ours may come from records of guests: what is no UTF-8 is written as U+FFFD.
    void write_string(std::string_view text) {
        out_ += '"';
        while (!text.empty()) {
            const std::size_t length = utf8_sequence_size(text);
            if (length == 0) {
                out_ += "\xef\xbf\xbd";
                text.remove_prefix(1);
                continue;
            }
            if (length == 1) {
                write_ascii(text[0]);
            } else {
                out_ += text.substr(0, length);
            }
            text.remove_prefix(length);
        }
        out_ += '"';
    }
    void write_ascii(char c) {
        static constexpr char kHex[] = "0123456789abcdef";
        switch (c) {
            case '"': out_ += "\\\""; return;
            case '\\': out_ += "\\\\"; return;
            case '\n': out_ += "\\n"; return;
            case '\r': out_ += "\\r"; return;
            case '\t': out_ += "\\t"; return;
            default: break;
        }
        if (static_cast<unsigned char>(c) < 0x20) {
            out_ += {'\\', 'u', '0', '0', kHex[(c >> 4) & 15], kHex[c & 15]};
        } else {
            out_ += c;
        }
    }

    Style style_;
    std::size_t depth_ = 0;
    std::string out_;
};

namespace {

std::string written(const Json& json, JsonWriter::Style style) {
    JsonWriter writer(style);
    writer.write(json);
    return writer.take();
}

}  // namespace

std::string Json::to_text() const {
    return written(*this, JsonWriter::Style::Compact);
}
std::string Json::to_pretty_text() const {
    return written(*this, JsonWriter::Style::Pretty);
}
std::string Json::to_canonical_text() const {
    return written(*this, JsonWriter::Style::Canonical);
}

}  // namespace perdure
