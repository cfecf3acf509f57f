#pragma once

/// Opening listening sockets: the rules about files, modes and errors, without the loop that
/// accepts.

#include <cstdint>
#include <string>
#include <utility>

#include "base/result.h"

namespace perdure::transport {

/// An open, non-blocking, listening socket. A resource: closed with its owner.
class ListenSocket {
public:
    /// On `path`, mode 0600 from its first moment. A socket file that nobody listens on any more is
    /// replaced. Errors: AlreadyExists (somebody listens there, or it is no socket), NotFound (no
    /// such directory), InvalidInput (the name is too long), Io.
    static Result<ListenSocket> open_unix(const std::string& path);
    /// On an IPv4 or IPv6 `address`; port 0: any free one.
    /// Errors: AlreadyExists (port in use), InvalidInput (not an IP address), Io.
    static Result<ListenSocket> open_tcp(const std::string& address, std::uint16_t port);

    ~ListenSocket();
    ListenSocket(ListenSocket&& other) noexcept
        : handle_(std::exchange(other.handle_, -1)), port_(other.port_) {}
    ListenSocket& operator=(ListenSocket&&) = delete;

    /// The port listened on; 0 for a Unix socket.
    std::uint16_t port() const { return port_; }
    /// Hands the descriptor over: the caller closes it.
    int release() { return std::exchange(handle_, -1); }

private:
    ListenSocket(int handle, std::uint16_t port) : handle_(handle), port_(port) {}

    int handle_;
    std::uint16_t port_;
};

}  // namespace perdure::transport
