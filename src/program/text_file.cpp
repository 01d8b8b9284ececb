#include "program/text_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace turnpike::program {

std::expected<std::string, std::string> read_text_file(const std::string& file) {
  const auto reason = [] { return std::unexpected(std::generic_category().message(errno)); };
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return reason();
  std::expected<std::string, std::string> text;
  std::array<char, 4096> part{};
  ssize_t size = 0;
  while ((size = ::read(descriptor, part.data(), part.size())) > 0 && text->size() <= text_file_bytes_max)
    text->append(part.data(), static_cast<std::size_t>(size));
  if (size < 0) text = reason();
  ::close(descriptor);
  if (text && text->size() > text_file_bytes_max) return std::unexpected("it is larger than 1 MiB");
  return text;
}

}  // namespace turnpike::program
