#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace perdure::functional {

/// One process of a package made for a test.
struct PackagedProcess {
    std::string name;
    std::string fixture;               ///< `guests/fixtures/<fixture>.wasm`
    std::string on_exit = "\"None\"";  ///< As JSON.
    std::string request_capabilities = "[]";
    std::string grant_capabilities = "[]";
    bool is_public = false;
};

/// Writes `<parent>/<package>` in the layout of a package directory; publisher `test.os`. Returns
/// its path.
std::string make_package(const std::string& parent, const std::string& package,
                         const std::vector<PackagedProcess>& processes);

/// The bytes of a fixture; fails the test if it is missing.
std::string read_fixture(std::string_view name);

void write_file(const std::string& path, std::string_view bytes);
std::string read_whole_file(const std::string& path);

}  // namespace perdure::functional
