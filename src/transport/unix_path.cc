#include "transport/unix_path.h"

#include <fcntl.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace perdure::transport {
namespace {
constexpr std::size_t kSocketPathBytesMax = sizeof(sockaddr_un::sun_path) - 1;
}

Result<UnixPath> UnixPath::open(const std::string& path) {
    if (path.size() <= kSocketPathBytesMax) {
        return UnixPath(path, -1);
    }
    const std::size_t slash = path.rfind('/');
    const std::string name = path.substr(slash + 1);  // npos + 1 is 0: the whole path
    const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    const int handle = ::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (handle < 0) {
        const ErrorCode code =
            errno == ENOENT || errno == ENOTDIR ? ErrorCode::NotFound : ErrorCode::Io;
        return Error(code, directory + ": " + std::strerror(errno));
    }
    std::string short_path = "/proc/self/fd/" + std::to_string(handle) + "/" + name;
    if (short_path.size() > kSocketPathBytesMax) {
        ::close(handle);
        return Error(ErrorCode::InvalidInput, path + ": the name of the socket is too long");
    }
    return UnixPath(std::move(short_path), handle);
}

UnixPath::~UnixPath() {
    if (directory_ >= 0) {
        ::close(directory_);
    }
}

UnixPath::UnixPath(UnixPath&& other) noexcept
    : short_path_(std::move(other.short_path_)), directory_(std::exchange(other.directory_, -1)) {}

}  // namespace perdure::transport
