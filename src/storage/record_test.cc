#include "storage/record.h"

#include <gtest/gtest.h>

namespace perdure {
namespace {

Bytes stored(Family family, ByteView key, ValueFormat format, ByteView bytes) {
    const auto header = record_header(family, key, format, bytes);
    std::string all(text_of(header));
    all += text_of(bytes);
    const ByteView view = bytes_of(all);
    return {view.begin(), view.end()};
}

TEST(Record, GivesBackWhatWasFramed) {
    const Bytes all =
        stored(Family::ProcessState, bytes_of("k"), ValueFormat::Inline, bytes_of("value"));
    const auto parsed = parse_record(Family::ProcessState, bytes_of("k"), all);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->format, ValueFormat::Inline);
    EXPECT_EQ(text_of(parsed->bytes), "value");
}

TEST(Record, EveryFlippedBitIsFound) {
    const Bytes all =
        stored(Family::Meta, bytes_of("key"), ValueFormat::LargeReference, bytes_of("bytes"));
    for (std::size_t bit = 0; bit < all.size() * 8; ++bit) {
        Bytes flipped = all;
        flipped[bit / 8] ^= static_cast<Byte>(1 << (bit % 8));
        EXPECT_EQ(parse_record(Family::Meta, bytes_of("key"), flipped).error().code(),
                  ErrorCode::Corrupt)
            << bit;
    }
}

TEST(Record, AValueUnderAnotherKeyOrFamilyIsDamage) {
    const Bytes all = stored(Family::Meta, bytes_of("ab"), ValueFormat::Inline, bytes_of("c"));
    EXPECT_FALSE(parse_record(Family::Meta, bytes_of("a"), all));
    EXPECT_FALSE(parse_record(Family::Processes, bytes_of("ab"), all));
    EXPECT_FALSE(parse_record(Family::Meta, bytes_of("ab"), ByteView(all).first(4)));
}

TEST(Record, AnUnknownFormatIsNotMistakenForDamage) {
    const Bytes all =
        stored(Family::Meta, bytes_of("k"), static_cast<ValueFormat>(77), bytes_of("v"));
    EXPECT_EQ(parse_record(Family::Meta, bytes_of("k"), all).error().code(),
              ErrorCode::Unsupported);
}

TEST(BatchMark, IsReadBack) {
    const BatchMark mark{{5}, {9}, {4}, 1 << 20, true};
    EXPECT_EQ(decode_mark(encode(mark)).value(), mark);
}

TEST(BatchMark, ThatContradictsItselfIsDamage) {
    EXPECT_FALSE(decode_mark(encode(BatchMark{{5}, {4}, {4}, 100, false})));
    EXPECT_FALSE(decode_mark(encode(BatchMark{{5}, {9}, {6}, 100, false})));
    EXPECT_FALSE(decode_mark(encode(BatchMark{{5}, {9}, {4}, 8, false})));
    EXPECT_FALSE(decode_mark(Bytes(kMarkBytes - 1)));
}

TEST(DurableNote, EveryFlippedBitIsFound) {
    const auto note = encode_note({0x0123456789abcdef});
    EXPECT_EQ(decode_note(note).value().value, 0x0123456789abcdefu);
    for (std::size_t bit = 0; bit < note.size() * 8; ++bit) {
        auto flipped = note;
        flipped[bit / 8] ^= static_cast<Byte>(1 << (bit % 8));
        EXPECT_FALSE(decode_note(flipped)) << bit;
    }
    EXPECT_FALSE(decode_note({}));
}

}  // namespace
}  // namespace perdure
