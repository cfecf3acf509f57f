#include "abi/record_codec.h"

#include <gtest/gtest.h>

#include <random>

#include "abi/capability.h"

namespace perdure {
namespace {

const Address kIssuer{"n.os", {"b", "app", "pub.os"}};

ProcessRecord full_process_record() {
    Request request;
    request.inherit = true;
    request.expects_response = 18446744073709551615u;
    request.body = SharedBytes(std::string_view("bye\0bye", 7));
    request.metadata = "";
    request.capabilities = {{kIssuer, "not json"}, {kIssuer, "1"}};
    Blob with_mime{"text/plain", SharedBytes(std::string_view("blob"))};
    Blob without_mime{std::nullopt, SharedBytes()};
    ProcessRecord record;
    record.code_handle = "/app:pub.os/pkg/a.wasm";
    record.wit_version = 1;
    record.on_exit = OnExit::fire(
        {{kIssuer, request, with_mime}, {kIssuer, {}, without_mime}, {kIssuer, {}, {}}});
    record.is_public = true;
    record.package = PackageId{"app", "pub.os"};
    return record;
}

CapabilityRecord full_capability_record() {
    CapabilityRecord record;
    record.capability = {kIssuer, " {\"kind\": \"read\"} "};
    record.cause = GrantCause::Saved;
    record.number = SequenceNumber{1234567890123};
    record.parent = GrantParent{{"c", "app", "pub.os"}, SequenceNumber{7}};
    record.signature.emplace();
    record.signature->fill(0xab);
    return record;
}

TEST(RecordCodec, AFullProcessRecordComesBackAsItWas) {
    const ProcessRecord record = full_process_record();
    const auto decoded = decode_process_record(encode_process_record(record).view());
    ASSERT_TRUE(decoded) << decoded.error().message();
    EXPECT_EQ(*decoded, record);
    EXPECT_EQ(decoded->on_exit.requests[0].request.capabilities[0].params, "not json");
    EXPECT_EQ(decoded->on_exit.requests[0].request.metadata, "");
    EXPECT_EQ(decoded->on_exit.requests[1].blob->mime, std::nullopt);
    EXPECT_EQ(decoded->on_exit.requests[2].blob, std::nullopt);
}

TEST(RecordCodec, AnEmptyProcessRecordComesBackAsItWas) {
    for (const OnExit& on_exit : {OnExit::none(), OnExit::restart(), OnExit::fire({})}) {
        ProcessRecord record;
        record.on_exit = on_exit;
        EXPECT_EQ(decode_process_record(encode_process_record(record).view()).value(), record);
    }
}

TEST(RecordCodec, ACapabilityRecordComesBackWithItsParamsAsWritten) {
    const CapabilityRecord record = full_capability_record();
    const auto decoded = decode_capability_record(encode_capability_record(record).view());
    ASSERT_TRUE(decoded) << decoded.error().message();
    EXPECT_EQ(*decoded, record);
    EXPECT_EQ(decoded->capability.params, record.capability.params);
    CapabilityRecord small;
    small.capability = {kIssuer, "1"};
    EXPECT_EQ(decode_capability_record(encode_capability_record(small).view()).value(), small);
}

TEST(RecordCodec, TheBytesOfASmallRecordAreTheDocumentedOnes) {
    ProcessRecord record;
    record.code_handle = "h";
    record.wit_version = 0x01020304;
    record.on_exit = OnExit::restart();
    record.is_public = true;
    const std::string_view expected("\x01\x01\0\0\0h\x01\x04\x03\x02\x01\x01\x01\0", 14);
    EXPECT_EQ(encode_process_record(record).text(), expected);
}

template <typename Decode>
void expect_corrupt_at_every_truncation(const SharedBytes& bytes, Decode decode) {
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        const SharedBytes cut(
            bytes.view().first(size));  // Its own allocation: reading past it is seen.
        const auto decoded = decode(cut.view());
        ASSERT_FALSE(decoded) << size;
        EXPECT_EQ(decoded.error().code(), ErrorCode::Corrupt) << size;
    }
    const auto longer = decode(bytes_of(std::string(bytes.text()) + '\0'));
    ASSERT_FALSE(longer);
    EXPECT_EQ(longer.error().code(), ErrorCode::Corrupt);
}

TEST(RecordCodec, ARecordCutAtAnyByteOrTooLongIsCorrupt) {
    expect_corrupt_at_every_truncation(encode_process_record(full_process_record()),
                                       decode_process_record);
    expect_corrupt_at_every_truncation(encode_capability_record(full_capability_record()),
                                       decode_capability_record);
}

TEST(RecordCodec, RandomDamageNeverCrashesAndWhatIsReadWritesTheSameBytes) {
    std::mt19937 random(20240607);
    const SharedBytes process = encode_process_record(full_process_record());
    const SharedBytes capability = encode_capability_record(full_capability_record());
    for (int round = 0; round < 20000; ++round) {
        std::string bytes(round % 2 ? process.text() : capability.text());
        for (int changes = 1 + static_cast<int>(random() % 4); changes > 0; --changes) {
            bytes[random() % bytes.size()] = static_cast<char>(random());
        }
        if (round % 2) {
            if (const auto record = decode_process_record(bytes_of(bytes))) {
                EXPECT_EQ(encode_process_record(*record).text(), bytes);
            }
        } else if (const auto record = decode_capability_record(bytes_of(bytes))) {
            EXPECT_EQ(encode_capability_record(*record).text(), bytes);
        }
    }
}

TEST(RecordCodec, ALengthThatDoesNotFitTakesNoMemory) {
    // Format, then a code handle of 4 GiB; exit behaviour with 2^32 - 1 requests.
    const std::string_view huge_string("\x01\xff\xff\xff\xff", 5);
    const std::string_view huge_list("\x01\0\0\0\0\0\x02\xff\xff\xff\xff", 11);
    EXPECT_EQ(decode_process_record(bytes_of(huge_string)).error().message(),
              "process record: the record ends too early at byte 5");
    EXPECT_EQ(decode_process_record(bytes_of(huge_list)).error().message(),
              "process record: a list longer than the record at byte 11");
}

TEST(RecordCodec, AnotherFormatNumberIsUnsupportedAndSaysWhatToDo) {
    std::string bytes(encode_process_record(full_process_record()).text());
    bytes[0] = 2;
    const auto decoded = decode_process_record(bytes_of(bytes));
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().code(), ErrorCode::Unsupported);
    EXPECT_EQ(decoded.error().message(),
              "process record: format 2, but this version reads format 1; use the version that "
              "wrote it, or restore a "
              "backup");
}

TEST(RecordCodec, UnknownTagsAreCorrupt) {
    EXPECT_EQ(decode_process_record(bytes_of(std::string_view("\x01\0\0\0\0\0\x03\0\0", 9)))
                  .error()
                  .code(),
              ErrorCode::Corrupt);
    EXPECT_EQ(decode_process_record(bytes_of(std::string_view("\x01\0\0\0\0\x02\0\0\0", 9)))
                  .error()
                  .code(),
              ErrorCode::Corrupt);
    CapabilityRecord record;
    record.capability = {kIssuer, ""};
    std::string bytes(encode_capability_record(record).text());
    bytes[bytes.size() - 11] = kGrantCauseCount;
    EXPECT_EQ(decode_capability_record(bytes_of(bytes)).error().code(), ErrorCode::Corrupt);
}

TEST(RecordCodec, RecordsOfOneHolderShareAPrefixThatNoOtherHolderHas) {
    const ProcessId holder{"a", "app", "pub"};
    const ProcessId longer{"a", "app", "pub.os"};
    const SharedBytes key = capability_key(holder, {kIssuer, "1"});
    EXPECT_EQ(key.text(), std::string_view("a:app:pub\0n.os@b:app:pub.os j1", 30));
    EXPECT_TRUE(key.text().starts_with(capability_key_prefix(holder)));
    EXPECT_FALSE(
        capability_key(longer, {kIssuer, "1"}).text().starts_with(capability_key_prefix(holder)));
    EXPECT_EQ(key, capability_key(holder, {kIssuer, " 1 "}));
    EXPECT_EQ(decode_capability_key_holder(key.view()).value(), holder);
    EXPECT_EQ(decode_process_key(process_key(longer).view()).value(), longer);
    EXPECT_EQ(decode_process_key(bytes_of("a:b")).error().code(), ErrorCode::Corrupt);
    EXPECT_EQ(decode_capability_key_holder(bytes_of("a:b:c")).error().code(), ErrorCode::Corrupt);
}

TEST(RecordCodec, EveryCauseHasAName) {
    for (std::uint8_t cause = 0; cause < kGrantCauseCount; ++cause) {
        EXPECT_NE(to_string(static_cast<GrantCause>(cause)), "unknown");
    }
}

}  // namespace
}  // namespace perdure
