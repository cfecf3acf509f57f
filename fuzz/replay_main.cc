/// Runs every file of a corpus folder through a fuzz target once, with any compiler: `NAME_fuzz
/// FOLDER`. Fails when the folder is missing or empty, so that a lost corpus does not look like
/// success.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
        return 2;
    }
    std::error_code problem;
    std::size_t count = 0;
    std::filesystem::directory_iterator files(argv[1], problem);
    for (; !problem && files != std::filesystem::directory_iterator(); files.increment(problem)) {
        std::ifstream file(files->path(), std::ios::binary);
        const std::vector<char> bytes{std::istreambuf_iterator<char>(file),
                                      std::istreambuf_iterator<char>()};
        LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
        ++count;
    }
    if (problem || count == 0) {
        std::fprintf(stderr, "no corpus in %s: %s\n", argv[1],
                     problem ? problem.message().c_str() : "the folder is empty");
        return 1;
    }
    std::printf("%zu inputs replayed\n", count);
    return 0;
}
