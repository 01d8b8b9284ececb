#pragma once
// Small files as text: the configuration, secrets.

#include <expected>
#include <string>

namespace turnpike::program {

inline constexpr std::size_t text_file_bytes_max = std::size_t{1} << 20;

// The error is the reason, in words: "No such file or directory".
std::expected<std::string, std::string> read_text_file(const std::string& file);

}  // namespace turnpike::program
