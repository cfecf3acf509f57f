#include "transport/listen_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "transport/unix_path.h"

namespace perdure::transport {
namespace {

constexpr int kKind = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;

Error socket_error(const std::string& where, int number) {
    if (number == EADDRINUSE) {
        return Error(ErrorCode::AlreadyExists, where + ": already in use");
    }
    return Error(ErrorCode::Io, where + ": " + std::strerror(number));
}

sockaddr_un unix_address(const std::string& short_path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, short_path.data(), short_path.size());
    return address;
}

/// Removes a socket file that nobody listens on any more.
Result<void> remove_stale_socket(const std::string& path, const sockaddr_un& address) {
    struct stat info;
    if (::lstat(path.c_str(), &info) != 0) {
        return {};
    }
    if (!S_ISSOCK(info.st_mode)) {
        return Error(ErrorCode::AlreadyExists, path + ": is not a socket; move it away");
    }
    const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) {
        return socket_error(path, errno);
    }
    const int failure =
        ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0
                                                                                           : errno;
    ::close(probe);
    if (failure == 0 || failure == EAGAIN) {  // EAGAIN: alive, with a full queue
        return socket_error(path, EADDRINUSE);
    }
    ::unlink(path.c_str());
    return {};
}

bool bind_and_listen(int handle, const sockaddr* address, socklen_t size) {
    return ::bind(handle, address, size) == 0 && ::listen(handle, SOMAXCONN) == 0;
}

union AnyAddress {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
};

}  // namespace

ListenSocket::~ListenSocket() {
    if (handle_ >= 0) {
        ::close(handle_);
    }
}

Result<ListenSocket> ListenSocket::open_unix(const std::string& path) {
    ASSIGN_OR_RETURN(const UnixPath short_path, UnixPath::open(path));
    const sockaddr_un address = unix_address(short_path.short_path());
    RETURN_IF_ERROR(remove_stale_socket(path, address));
    ListenSocket opened(::socket(AF_UNIX, kKind, 0), 0);
    // Before bind: Linux gives the file the mode of the socket's own inode.
    if (opened.handle_ < 0 || ::fchmod(opened.handle_, 0600) != 0 ||
        !bind_and_listen(opened.handle_, reinterpret_cast<const sockaddr*>(&address),
                         sizeof address)) {
        return socket_error(path, errno);
    }
    return opened;
}

Result<ListenSocket> ListenSocket::open_tcp(const std::string& address, std::uint16_t port) {
    AnyAddress to{};
    socklen_t size = sizeof to.v4;
    if (::inet_pton(AF_INET, address.c_str(), &to.v4.sin_addr) == 1) {
        to.v4.sin_family = AF_INET;
        to.v4.sin_port = htons(port);
    } else if (::inet_pton(AF_INET6, address.c_str(), &to.v6.sin6_addr) == 1) {
        to.v6.sin6_family = AF_INET6;
        to.v6.sin6_port = htons(port);
        size = sizeof to.v6;
    } else {
        return Error(ErrorCode::InvalidInput, address + ": not an IP address");
    }
    ListenSocket opened(::socket(to.any.sa_family, kKind, 0), 0);
    const int on = 1;
    socklen_t bound_size = sizeof to;
    if (opened.handle_ < 0 ||
        ::setsockopt(opened.handle_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        !bind_and_listen(opened.handle_, &to.any, size) ||
        ::getsockname(opened.handle_, &to.any, &bound_size) != 0) {
        return socket_error(address + ":" + std::to_string(port), errno);
    }
    opened.port_ = ntohs(to.any.sa_family == AF_INET ? to.v4.sin_port : to.v6.sin6_port);
    return opened;
}

}  // namespace perdure::transport
