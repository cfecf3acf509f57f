#include "node/cache_key.h"

#include <algorithm>

namespace perdure::node {

Result<CacheKey> load_cache_key(Files& files, const std::string& home, Random& random) {
    const std::string folder = home + "/cache";
    const std::string path = folder + "/key";
    for (const std::string& directory : {folder, folder + "/code"}) {
        if (auto made = files.make_directory(directory);
            !made && made.error().code() != ErrorCode::AlreadyExists) {
            return std::move(made).error();
        }
    }
    CacheKey key{};
    auto read = read_file(files, path, key.size());
    if (read && read->size() == key.size()) {
        std::copy(read->begin(), read->end(), key.begin());
        return key;
    }
    random.fill(key);
    // No sync: after a power cut an unreadable key is made anew and the cache with it.
    ASSIGN_OR_RETURN(auto file, files.open_write(path, OpenMode::Truncate));
    RETURN_IF_ERROR(file->append(key));
    RETURN_IF_ERROR(file->close());
    return key;
}

}  // namespace perdure::node
