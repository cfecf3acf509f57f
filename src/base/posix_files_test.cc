#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/files.h"

namespace perdure {
namespace {

/// The one unit test that touches the real disk: what it checks is the disk.
class PosixFiles : public testing::Test {
protected:
    PosixFiles() : files_(make_posix_files()) {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "perdure-files-XXXXXX").string();
        root_ = ::mkdtemp(pattern.data());
    }
    ~PosixFiles() override { std::filesystem::remove_all(root_); }

    std::string at(const std::string& name) const { return root_ + "/" + name; }
    void write(const std::string& name, std::string_view text) {
        auto file = files_->open_write(at(name), OpenMode::Truncate).value();
        ASSERT_TRUE(file->append(bytes_of(text)));
        ASSERT_TRUE(file->sync());
        ASSERT_TRUE(file->close());
    }
    std::string read(const std::string& name) {
        const Bytes bytes = read_file(*files_, at(name), 1 << 20).value();
        return std::string(text_of(bytes));
    }

    std::unique_ptr<Files> files_;
    std::string root_;
};

TEST_F(PosixFiles, AppendsAtTheEndAndWritesAnywhere) {
    auto file = files_->open_write(at("f"), OpenMode::New).value();
    ASSERT_TRUE(file->append(bytes_of("hello")));
    ASSERT_TRUE(file->append(bytes_of(" world")));
    ASSERT_TRUE(file->write_at(0, bytes_of("H")));
    EXPECT_EQ(file->size(), 11u);
    ASSERT_TRUE(file->write_at(13, bytes_of("!")));
    ASSERT_TRUE(file->sync());
    EXPECT_EQ(read("f"), std::string("Hello world\0\0!", 14));
    ASSERT_TRUE(file->truncate(5));
    ASSERT_TRUE(file->append(bytes_of(".")));
    EXPECT_EQ(read("f"), "Hello.");
}

TEST_F(PosixFiles, OpenModesKeepEmptyOrRefuseAnExistingFile) {
    write("f", "old");
    EXPECT_EQ(files_->open_write(at("f"), OpenMode::New).error().code(), ErrorCode::AlreadyExists);
    {
        auto kept = files_->open_write(at("f"), OpenMode::Keep).value();
        ASSERT_TRUE(kept->append(bytes_of("+new")));
    }
    EXPECT_EQ(read("f"), "old+new");
    files_->open_write(at("f"), OpenMode::Truncate).value();
    EXPECT_EQ(read("f"), "");
}

TEST_F(PosixFiles, ReadsShortOnlyAtTheEnd) {
    write("f", "0123456789");
    const auto file = files_->open_read(at("f")).value();
    Byte buffer[8] = {};
    EXPECT_EQ(file->read_at(4, buffer).value(), 6u);
    EXPECT_EQ(text_of({buffer, 6}), "456789");
    EXPECT_EQ(file->read_at(10, buffer).value(), 0u);
    EXPECT_EQ(file->size().value(), 10u);
}

TEST_F(PosixFiles, CreatedFilesAndDirectoriesArePrivate) {
    write("f", "x");
    ASSERT_TRUE(files_->make_directory(at("d")));
    EXPECT_EQ(files_->info(at("f"))->permissions, 0600u);
    EXPECT_EQ(files_->info(at("d"))->permissions, 0700u);
    EXPECT_TRUE(files_->info(at("d"))->directory);
    EXPECT_TRUE(files_->info(at("f"))->own);
}

TEST_F(PosixFiles, ListsNamesSorted) {
    write("b", "");
    write("a", "");
    EXPECT_EQ(files_->list(root_).value(), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(files_->list(at("none")).error().code(), ErrorCode::NotFound);
}

TEST_F(PosixFiles, RenameReplacesAndLinkSharesOneFile) {
    write("a", "one");
    write("b", "two");
    ASSERT_TRUE(files_->rename(at("a"), at("b")));
    EXPECT_EQ(read("b"), "one");
    ASSERT_TRUE(files_->link(at("b"), at("c")));
    EXPECT_EQ(files_->info(at("b"))->identity, files_->info(at("c"))->identity);
    EXPECT_EQ(files_->info(at("c"))->links, 2u);
    ASSERT_TRUE(files_->remove(at("b")));
    EXPECT_EQ(files_->remove(at("b")).error().code(), ErrorCode::NotFound);
    ASSERT_TRUE(files_->truncate(at("c"), 1));
    EXPECT_EQ(read("c"), "o");
}

TEST_F(PosixFiles, ALockIsExclusiveWithinTheProcessToo) {
    auto lock = files_->lock(at("lock")).value();
    EXPECT_EQ(files_->lock(at("lock")).error().code(), ErrorCode::AlreadyExists);
    lock.reset();
    EXPECT_TRUE(files_->lock(at("lock")));
}

TEST_F(PosixFiles, AFailedSyncIsNoError) {
    const SyncOutcome outcome = files_->sync_directory(at("none"));
    EXPECT_FALSE(outcome);
    EXPECT_NE(outcome.failure().find("none"), std::string::npos);
    EXPECT_TRUE(files_->sync_directory(root_));
}

TEST_F(PosixFiles, TellsFreeSpaceAndRefusesToReadTooMuch) {
    EXPECT_GT(files_->free_bytes(root_).value(), 0u);
    write("f", "12345");
    EXPECT_TRUE(read_file(*files_, at("f"), 5));
    EXPECT_EQ(read_file(*files_, at("f"), 4).error().code(), ErrorCode::Overloaded);
    EXPECT_EQ(read_file(*files_, at("none"), 4).error().code(), ErrorCode::NotFound);
}

TEST(ParentOf, IsTheDirectoryPart) {
    EXPECT_EQ(parent_of("a/b/c"), "a/b");
    EXPECT_EQ(parent_of("/a"), "/");
    EXPECT_EQ(parent_of("a"), ".");
}

}  // namespace
}  // namespace perdure
