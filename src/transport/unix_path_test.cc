#include "transport/unix_path.h"

#include <gtest/gtest.h>
#include <sys/un.h>

#include <cstdlib>
#include <filesystem>

namespace perdure::transport {
namespace {

constexpr std::size_t kAddressBytesMax = sizeof(sockaddr_un::sun_path) - 1;

/// A directory whose name is long, so that its sockets have paths of the size one likes.
struct UnixPathBounds : testing::Test {
    UnixPathBounds() {
        std::string pattern = "/tmp/perdure-path-XXXXXX";
        root = ::mkdtemp(pattern.data());
        folder = root + "/" + std::string(60, 'd');
        std::filesystem::create_directory(folder);
    }
    ~UnixPathBounds() override { std::filesystem::remove_all(root); }
    std::string path_of(std::size_t bytes) const {
        return folder + "/" + std::string(bytes - folder.size() - 1, 's');
    }

    std::string root, folder;
};

TEST_F(UnixPathBounds, APathThatFitsIntoAnAddressIsTakenAsItIsAndALongerOneGoesThroughItsFolder) {
    const std::string fits = path_of(kAddressBytesMax);
    EXPECT_EQ(UnixPath::open(fits).value().short_path(), fits);
    const auto longer = UnixPath::open(path_of(kAddressBytesMax + 1));
    ASSERT_TRUE(longer.has_value()) << longer.error().message();
    EXPECT_LE(longer->short_path().size(), kAddressBytesMax);
    EXPECT_TRUE(longer->short_path().starts_with("/proc/self/fd/"));
}

TEST_F(UnixPathBounds, ANameThatDoesNotFitBehindTheFolderIsRefused) {
    const auto probe = UnixPath::open(path_of(kAddressBytesMax + 1));
    ASSERT_TRUE(probe.has_value()) << probe.error().message();
    const std::size_t name_bytes = path_of(kAddressBytesMax + 1).size() - folder.size() - 1;
    const std::size_t before_name = probe->short_path().size() - name_bytes;
    const std::size_t name_bytes_max = kAddressBytesMax - before_name;
    {
        // The number of the folder's handle is the same again: the probe keeps its own.
        const auto taken = UnixPath::open(folder + "/" + std::string(name_bytes_max, 's'));
        ASSERT_TRUE(taken.has_value()) << taken.error().message();
        EXPECT_EQ(taken->short_path().size(), kAddressBytesMax);
    }
    const auto refused = UnixPath::open(folder + "/" + std::string(name_bytes_max + 1, 's'));
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code(), ErrorCode::InvalidInput);
    EXPECT_TRUE(refused.error().message().ends_with("the name of the socket is too long"));
}

}  // namespace
}  // namespace perdure::transport
