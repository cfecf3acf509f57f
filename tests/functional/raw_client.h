#pragma once

/// Bytes onto a socket of the node and back, without any manners.

#include <cstdint>
#include <string>
#include <string_view>

namespace perdure::functional {

class RawClient {
public:
    /// Fails the test if nobody listens.
    static RawClient to_control_socket(const std::string& home);
    static RawClient to_port(std::uint16_t port);
    ~RawClient();
    RawClient(RawClient&& other) noexcept;
    RawClient(const RawClient&) = delete;
    RawClient& operator=(const RawClient&) = delete;

    /// False if the other side closed the connection before it took everything.
    bool write(std::string_view bytes);
    void end_writing();
    /// Everything until the other side closes the connection, at most kPatience.
    std::string read_to_end();

private:
    explicit RawClient(int socket) : socket_(socket) {}

    int socket_;
};

}  // namespace perdure::functional
