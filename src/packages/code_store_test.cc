#include "packages/code_store.h"

#include <gtest/gtest.h>

#include "testing/simulated_files.h"

namespace perdure::packages {
namespace {

class CodeStoreTest : public ::testing::Test {
protected:
    void SetUp() override {
        files_.record();
        ASSERT_TRUE(files_.make_directory("/home"));
        store_ = open();
    }

    std::unique_ptr<CodeStore> open(std::size_t component_bytes_max = kComponentBytesMax) {
        auto store =
            CodeStore::open(files_, "/home", component_bytes_max,
                            [this](const std::string& why) { failed_syncs_.push_back(why); });
        EXPECT_TRUE(store) << store.error().message();
        return std::move(store).value();
    }
    PackageRecord record_of(std::string package, std::vector<PackageFile> files) {
        PackageRecord record;
        record.id = {std::move(package), "pub.os"};
        record.files = std::move(files);
        return record;
    }
    void overwrite(const std::string& path, std::string_view text) {
        auto file = files_.open_write(path, OpenMode::Truncate).value();
        ASSERT_TRUE(file->append(bytes_of(text)));
    }

    SimulatedFiles files_;
    std::vector<std::string> failed_syncs_;
    std::unique_ptr<CodeStore> store_;
};

TEST_F(CodeStoreTest, CodeIsFoundByItsHandleWithAndWithoutALeadingSlash) {
    const ContentHash hash = store_->put(bytes_of("code")).value();
    EXPECT_EQ(hash, content_hash(bytes_of("code")));
    store_->bind(record_of("app", {{"a.wasm", hash}, {"sub/b.wasm", hash}}));
    for (const std::string_view handle :
         {"/app:pub.os/pkg/a.wasm", "app:pub.os/pkg/a.wasm", "/app:pub.os/pkg/sub/b.wasm"}) {
        const auto found = store_->read(handle);
        ASSERT_TRUE(found) << found.error().message();
        EXPECT_EQ(text_of(found->wasm), "code");
        EXPECT_EQ(found->hash, hash);
    }
    EXPECT_EQ(code_handle({"app", "pub.os"}, "a.wasm"), "/app:pub.os/pkg/a.wasm");
}

TEST_F(CodeStoreTest, UnknownAndMalformedHandlesAreNotFound) {
    store_->bind(record_of("app", {{"a.wasm", store_->put(bytes_of("code")).value()}}));
    for (const std::string_view handle :
         {"", "/", "a.wasm", "/app:pub.os/pkg/b.wasm", "/app:pub.os/pkg/../pkg/a.wasm",
          "/app:pub.os/data/a.wasm", "/app:pub.os/pkg", "/app:pub.os/pkg/",
          "/other:pub.os/pkg/a.wasm", "/APP:pub.os/pkg/a.wasm", "//app:pub.os/pkg/a.wasm"}) {
        const auto found = store_->read(handle);
        ASSERT_FALSE(found) << handle;
        EXPECT_EQ(found.error().code(), ErrorCode::NotFound) << handle;
    }
    store_->unbind({"app", "pub.os"});
    EXPECT_EQ(store_->find("/app:pub.os/pkg/a.wasm").error().code(), ErrorCode::NotFound);
}

TEST_F(CodeStoreTest, WhatPutHasReturnedIsOnDiskAfterAPowerCut) {
    const ContentHash hash = store_->put(bytes_of("code")).value();
    ASSERT_TRUE(files_.sync_directory("/"));
    for (const Crash crash : {Crash::Lost, Crash::Torn, Crash::Reordered}) {
        SimulatedFiles after(files_.image_after(crash, 1));
        auto store =
            CodeStore::open(after, "/home", kComponentBytesMax, [](const std::string&) {}).value();
        EXPECT_EQ(text_of(store->load(hash).value()), "code") << to_string(crash);
    }
}

TEST_F(CodeStoreTest, TheSameBytesAreStoredOnce) {
    const ContentHash hash = store_->put(bytes_of("code")).value();
    const std::uint64_t syncs = files_.sync_count();
    EXPECT_EQ(store_->put(bytes_of("code")).value(), hash);
    EXPECT_EQ(files_.sync_count(), syncs);
    EXPECT_EQ(files_.list("/home/code").value().size(), 1u);
}

TEST_F(CodeStoreTest, DamagedCodeIsCorruptUntilItIsPutAgain) {
    const ContentHash hash = store_->put(bytes_of("code")).value();
    store_->bind(record_of("app", {{"a.wasm", hash}}));
    overwrite("/home/code/" + to_hex(hash) + ".wasm", "cods");
    EXPECT_EQ(store_->read("/app:pub.os/pkg/a.wasm").error().code(), ErrorCode::Corrupt);
    ASSERT_TRUE(store_->put(bytes_of("code")));
    EXPECT_TRUE(store_->read("/app:pub.os/pkg/a.wasm"));
}

TEST_F(CodeStoreTest, UnusedAndUnfinishedFilesAreRemovedAndUsedOnesStay) {
    const ContentHash used = store_->put(bytes_of("used")).value();
    const ContentHash unused = store_->put(bytes_of("unused")).value();
    overwrite("/home/code/" + to_hex(unused) + ".wasm.new", "half");
    store_->bind(record_of("app", {{"a.wasm", used}}));
    const auto removed = store_->remove_unused();
    EXPECT_EQ(removed.count, 2u);
    EXPECT_FALSE(removed.failure);
    EXPECT_TRUE(store_->load(used));
    EXPECT_EQ(store_->load(unused).error().code(), ErrorCode::NotFound);
}

TEST_F(CodeStoreTest, WhatAReplacedOrRemovedPackageAloneNamedIsUnused) {
    const ContentHash old_code = store_->put(bytes_of("old")).value();
    const ContentHash new_code = store_->put(bytes_of("new")).value();
    const ContentHash shared = store_->put(bytes_of("shared")).value();
    store_->bind(record_of("app", {{"a.wasm", old_code}, {"b.wasm", shared}}));
    store_->bind(record_of("other", {{"b.wasm", shared}}));
    EXPECT_EQ(store_->remove_unused().count, 1u) << "the new one, which nobody names yet";
    ASSERT_TRUE(store_->put(bytes_of("new")));
    store_->bind(record_of("app", {{"a.wasm", new_code}}));
    EXPECT_EQ(store_->remove_unused().count, 1u);
    EXPECT_FALSE(store_->load(old_code));
    EXPECT_TRUE(store_->load(new_code));
    store_->unbind({"app", "pub.os"});
    EXPECT_EQ(store_->remove_unused().count, 1u);
    EXPECT_TRUE(store_->load(shared)) << "the other package names it too";
    EXPECT_EQ(files_.list("/home/code").value().size(), 1u);
}

TEST_F(CodeStoreTest, AFileThatAPackageNamesStaysAlsoWhenItIsDamaged) {
    const ContentHash hash = store_->put(bytes_of("code")).value();
    store_->bind(record_of("app", {{"a.wasm", hash}}));
    overwrite("/home/code/" + to_hex(hash) + ".wasm", "cods");
    EXPECT_EQ(store_->remove_unused().count, 0u);
    EXPECT_EQ(store_->load(hash).error().code(), ErrorCode::Corrupt);
}

TEST_F(CodeStoreTest, WhatCannotBeRemovedIsReportedAndHoldsUpNoOther) {
    const ContentHash unused = store_->put(bytes_of("unused")).value();
    ASSERT_TRUE(files_.make_directory("/home/code/000"));
    auto removed = store_->remove_unused();
    EXPECT_EQ(removed.count, 1u);
    ASSERT_TRUE(removed.failure);
    EXPECT_NE(removed.failure->message().find("/home/code/000"), std::string::npos);
    EXPECT_EQ(store_->load(unused).error().code(), ErrorCode::NotFound);

    ASSERT_TRUE(store_->put(bytes_of("unused")));
    files_.detach();
    removed = store_->remove_unused();
    EXPECT_EQ(removed.count, 0u);
    EXPECT_TRUE(removed.failure);
    EXPECT_TRUE(store_->load(unused));
}

TEST_F(CodeStoreTest, APowerCutAfterTheCleanupBringsBackNoMoreThanUnusedFiles) {
    const ContentHash used = store_->put(bytes_of("used")).value();
    ASSERT_TRUE(store_->put(bytes_of("unused")));
    ASSERT_TRUE(files_.sync_directory("/"));
    const PackageRecord record = record_of("app", {{"a.wasm", used}});
    store_->bind(record);
    ASSERT_EQ(store_->remove_unused().count, 1u);
    for (const Crash crash : {Crash::Lost, Crash::Torn, Crash::Reordered}) {
        SimulatedFiles after(files_.image_after(crash, 1));
        auto store =
            CodeStore::open(after, "/home", kComponentBytesMax, [](const std::string&) {}).value();
        store->bind(record);
        EXPECT_FALSE(store->remove_unused().failure) << to_string(crash);
        EXPECT_EQ(text_of(store->read("/app:pub.os/pkg/a.wasm").value().wasm), "used");
        EXPECT_EQ(after.list("/home/code").value().size(), 1u) << to_string(crash);
    }
}

TEST_F(CodeStoreTest, AFailedWriteOrRenameLeavesNothingUnderTheHash) {
    files_.fail_write(1);
    EXPECT_FALSE(store_->put(bytes_of("code")));
    EXPECT_EQ(store_->load(content_hash(bytes_of("code"))).error().code(), ErrorCode::NotFound);
    files_.fail_write(0);
    files_.fail_rename(1);
    EXPECT_FALSE(store_->put(bytes_of("code")));
    EXPECT_EQ(store_->load(content_hash(bytes_of("code"))).error().code(), ErrorCode::NotFound);
    EXPECT_TRUE(failed_syncs_.empty());
    files_.fail_rename(0);
    EXPECT_TRUE(store_->put(bytes_of("code")));
}

TEST_F(CodeStoreTest, EveryFailedSyncIsReportedForTheNodeToStop) {
    for (std::uint64_t nth = 1; nth <= 2; ++nth) {
        files_.fail_sync(nth);
        const auto hash = store_->put(bytes_of("code" + std::to_string(nth)));
        ASSERT_FALSE(hash);
        EXPECT_EQ(hash.error().code(), ErrorCode::Io);
        EXPECT_EQ(failed_syncs_.size(), nth);
    }
}

TEST_F(CodeStoreTest, AComponentAboveTheLimitIsRefused) {
    for (const std::size_t limit : {std::size_t{4096}, kComponentBytesMax}) {
        const auto store = open(limit);
        Bytes large(limit);
        EXPECT_TRUE(store->put(large));
        large.push_back(0);
        const auto refused = store->put(large);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code(), ErrorCode::Overloaded);
        EXPECT_NE(refused.error().message().find(std::to_string(limit)), std::string::npos);
        EXPECT_NE(refused.error().message().find("component_bytes_max"), std::string::npos);
    }
}

// Whoever lowers the setting keeps the packages that are installed.
TEST_F(CodeStoreTest, CodeThatIsThereIsReadAlsoAboveTheLimit) {
    const Bytes large(4097);
    const ContentHash hash = store_->put(large).value();
    EXPECT_EQ(open(4096)->load(hash).value(), large);
}

TEST_F(CodeStoreTest, OpeningAnExistingStoreKeepsItsFiles) {
    const ContentHash hash = store_->put(bytes_of("code")).value();
    EXPECT_EQ(text_of(open()->load(hash).value()), "code");
}

}  // namespace
}  // namespace perdure::packages
