#include "storage/content_hash.h"

#include <gtest/gtest.h>

namespace perdure {
namespace {

TEST(ContentHash, IsSha256) {
    // FIPS 180-4 examples.
    EXPECT_EQ(to_hex(content_hash(bytes_of("abc"))),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(to_hex(content_hash({})),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(ContentHash, PartsGiveTheHashOfTheWhole) {
    ContentHasher hasher;
    hasher.add(bytes_of("a"));
    hasher.add({});
    hasher.add(bytes_of("bc"));
    EXPECT_EQ(hasher.finish(), content_hash(bytes_of("abc")));
}

}  // namespace
}  // namespace perdure
