// Runs a fuzz target on every file of the given directories, so that what a fuzzer once found is tried in
// each build, whatever its compiler.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>
#include <vector>

#include "target.hpp"

namespace {

std::optional<std::vector<std::filesystem::path>> files_of(const char* directory) {
  std::error_code error;
  std::vector<std::filesystem::path> files;
  std::filesystem::recursive_directory_iterator at{directory, error};
  for (; !error && at != std::filesystem::recursive_directory_iterator{}; at.increment(error))
    if (at->is_regular_file()) files.push_back(at->path());
  if (error) {
    std::fprintf(stderr, "%s: %s\n", directory, error.message().c_str());
    return std::nullopt;
  }
  std::sort(files.begin(), files.end());
  return files;
}

bool replay(const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  const std::vector<char> read{std::istreambuf_iterator<char>{file}, {}};
  if (!file.is_open() || file.bad()) {
    std::fprintf(stderr, "%s: cannot be read\n", path.c_str());
    return false;
  }
  // Of exactly the file's size, so that AddressSanitizer sees a step beyond it.
  const std::vector<std::uint8_t> bytes(read.begin(), read.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  return true;
}

}  // namespace

int main(int count, char** arguments) {
  std::size_t replayed = 0;
  for (int i = 1; i < count; ++i) {
    const auto files = files_of(arguments[i]);
    if (!files) return 1;
    for (const auto& file : *files) {
      if (!replay(file)) return 1;
      ++replayed;
    }
  }
  std::printf("%zu files replayed\n", replayed);
  return replayed == 0 ? 1 : 0;
}
