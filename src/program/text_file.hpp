#pragma once
// Small files as text: the configuration, secrets.

#include <expected>
#include <string>
#include <string_view>

namespace turnpike::program {

inline constexpr std::size_t text_file_bytes_max = std::size_t{1} << 20;

// The error is the reason, in words: "No such file or directory".
std::expected<std::string, std::string> read_text_file(const std::string& file);

// A password of one line, without its end; "-": standard input. The error names the option.
std::expected<std::string, std::string> read_password_file(const std::string& file);

struct WriteRefusal {
  bool is_there = false;  // and was left alone
  std::string reason{};   // "Permission denied"
};
// For its owner alone, from the first moment; makes the folder, and never replaces a file.
std::expected<void, WriteRefusal> write_private_file(const std::string& file, std::string_view text);
// The same in the place of what is there: whole and on the disk, or as it was. The error is the reason.
std::expected<void, std::string> replace_private_file(const std::string& file, std::string_view text);

}  // namespace turnpike::program
