#include "raw_client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "node_process.h"

namespace perdure::functional {
namespace {

int connected(int family, const sockaddr* address, socklen_t size) {
    const int descriptor = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_GE(descriptor, 0);
    EXPECT_EQ(::connect(descriptor, address, size), 0) << std::strerror(errno);
    const timeval patience{kPatience.count(), 0};
    ::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return descriptor;
}

}  // namespace

RawClient RawClient::to_control_socket(const std::string& home) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = home + "/control.sock";
    EXPECT_LT(path.size(), sizeof address.sun_path) << path;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    return RawClient(
        connected(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address));
}

RawClient RawClient::to_port(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return RawClient(
        connected(AF_INET, reinterpret_cast<const sockaddr*>(&address), sizeof address));
}

RawClient::~RawClient() {
    if (socket_ >= 0) {
        ::close(socket_);
    }
}

RawClient::RawClient(RawClient&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}

bool RawClient::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t taken = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (taken <= 0) {
            return false;
        }
        bytes.remove_prefix(static_cast<std::size_t>(taken));
    }
    return true;
}

void RawClient::end_writing() {
    ::shutdown(socket_, SHUT_WR);
}

std::string RawClient::read_to_end() {
    std::string text;
    char buffer[4096];
    for (ssize_t count = 0; (count = ::recv(socket_, buffer, sizeof buffer, 0)) > 0;) {
        text.append(buffer, static_cast<std::size_t>(count));
    }
    return text;
}

}  // namespace perdure::functional
