#include "program/text_file.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
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

std::expected<std::string, std::string> read_password_file(const std::string& file) {
  auto text = read_text_file(file == "-" ? "/dev/stdin" : file);
  if (!text) return std::unexpected(fmt::format("--password-file {}: {}", file, text.error()));
  while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
  if (text->find_first_of("\r\n") != std::string::npos)
    return std::unexpected(fmt::format("--password-file {}: found more than one line, allowed: one", file));
  return *std::move(text);
}

std::expected<void, WriteRefusal> write_private_file(const std::string& file, std::string_view text) {
  std::error_code error;
  const auto folder = std::filesystem::path{file}.parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  const auto refuse = [](int reason) {
    return std::unexpected(WriteRefusal{reason == EEXIST, std::generic_category().message(reason)});
  };
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (descriptor < 0) return refuse(errno);
  const bool is_written = ::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int reason = errno;
  ::close(descriptor);
  if (is_written) return {};
  ::unlink(file.c_str());
  return refuse(reason);
}

std::expected<void, std::string> replace_private_file(const std::string& file, std::string_view text) {
  const auto reason = [] { return std::unexpected(std::generic_category().message(errno)); };
  const std::string next = file + ".new";
  ::unlink(next.c_str());  // of a process that ended in the middle
  if (auto written = write_private_file(next, text); !written)
    return std::unexpected(std::move(written.error().reason));
  const int descriptor = ::open(next.c_str(), O_RDONLY | O_CLOEXEC);
  const bool is_kept = descriptor >= 0 && ::fsync(descriptor) == 0;
  if (descriptor >= 0) ::close(descriptor);
  if (is_kept && ::rename(next.c_str(), file.c_str()) == 0) return {};
  auto why = reason();
  ::unlink(next.c_str());
  return why;
}

}  // namespace turnpike::program
