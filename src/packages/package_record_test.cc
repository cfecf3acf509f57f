#include "packages/package_record.h"

#include <gtest/gtest.h>

#include <random>

namespace perdure::packages {
namespace {

PackageRecord full_record() {
    PackageRecord record;
    record.id = {"app", "pub.os"};
    record.version = "1.2.3";
    record.wit_version = 1;
    record.process_names = {"a", "b"};
    record.files = {{"a.wasm", content_hash(bytes_of("a"))},
                    {"sub/b.wasm", content_hash(bytes_of("b"))}};
    record.pending_grants = {{{"client", "other", "pub.os"}, "a", "\"messaging\""}};
    record.metadata = "{}";
    record.manifest = "[]";
    return record;
}

TEST(PackageRecord, ComesBackAsItWas) {
    const PackageRecord record = full_record();
    const auto decoded = decode_package_record(encode_package_record(record).view());
    ASSERT_TRUE(decoded) << decoded.error().message();
    EXPECT_EQ(*decoded, record);
    PackageRecord small;
    small.id = {"a", "b"};
    EXPECT_EQ(decode_package_record(encode_package_record(small).view()).value(), small);
}

TEST(PackageRecord, CutAtAnyByteOrTooLongIsCorrupt) {
    const SharedBytes bytes = encode_package_record(full_record());
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        const SharedBytes cut(bytes.view().first(size));
        const auto decoded = decode_package_record(cut.view());
        ASSERT_FALSE(decoded) << size;
        EXPECT_EQ(decoded.error().code(), ErrorCode::Corrupt) << size;
    }
    EXPECT_FALSE(decode_package_record(bytes_of(std::string(bytes.text()) + '\0')));
}

TEST(PackageRecord, RandomDamageNeverCrashes) {
    std::mt19937 random(7);
    const SharedBytes good = encode_package_record(full_record());
    for (int round = 0; round < 10000; ++round) {
        std::string bytes(good.text());
        bytes[random() % bytes.size()] = static_cast<char>(random());
        if (const auto record = decode_package_record(bytes_of(bytes))) {
            EXPECT_EQ(encode_package_record(*record).text(), bytes);
        }
    }
}

TEST(PackageRecord, AnotherFormatNumberIsUnsupported) {
    std::string bytes(encode_package_record(full_record()).text());
    bytes[0] = 9;
    EXPECT_EQ(decode_package_record(bytes_of(bytes)).error().code(), ErrorCode::Unsupported);
}

TEST(PackageRecord, TheKeyIsThePrintedId) {
    EXPECT_EQ(package_key({"app", "pub.os"}).text(), "app:pub.os");
    EXPECT_EQ(decode_package_key(bytes_of("app:pub.os")).value(), (PackageId{"app", "pub.os"}));
    EXPECT_EQ(decode_package_key(bytes_of("app")).error().code(), ErrorCode::Corrupt);
}

}  // namespace
}  // namespace perdure::packages
