#include <fmt/format.h>

#include <system_error>

#include "program/config_sections.hpp"
#include "program/text_file.hpp"

namespace turnpike::program {
namespace {

constexpr std::size_t secret_file_bytes_max = 4096;

std::string file_key(std::string_view key) { return std::string{key} + "_file"; }

}  // namespace

std::optional<Secret> SecretReader::read(TableReader& table, std::string_view key, std::string_view allowed) {
  const Node* text = table.find(key);
  const Node* file = table.find(file_key(key));
  if (text != nullptr && file != nullptr) {
    table.complain(key, text->line,
                   fmt::format("found together with {}, allowed: one of them", file_key(key)));
    return std::nullopt;
  }
  if (file != nullptr) return read_file(table, file_key(key), *file);
  if (text == nullptr) {
    table.missing(key, fmt::format("{}, or {} with the name of a file", allowed, file_key(key)));
    return std::nullopt;
  }
  if (text->kind != Node::Kind::text || text->text.empty()) {
    table.complain(
        key, text->line,
        fmt::format("found {}, allowed: {}",
                    text->kind == Node::Kind::text ? "an empty text" : "something that is no text", allowed));
    return std::nullopt;
  }
  found_inline_ = true;
  return Secret::from_text(text->text);
}

std::optional<Secret> SecretReader::read_base64(TableReader& table, std::string_view key,
                                                std::string_view allowed) {
  const auto text = read(table, key, allowed);
  if (!text) return std::nullopt;
  auto bytes = from_base64(text->reveal_text());
  if (!bytes) bytes = from_base64url(text->reveal_text());
  if (!bytes) {
    table.complain(
        key, line_of(table, key),
        fmt::format("found {} characters that are not base64, allowed: {}", text->size(), allowed));
    return std::nullopt;
  }
  Secret secret{*bytes};
  wipe(*bytes);
  return secret;
}

std::optional<Secret> SecretReader::read_file(TableReader& table, std::string_view key, const Node& name) {
  if (name.kind != Node::Kind::text || name.text.empty()) {
    table.refuse(key, name, "the name of a file");
    return std::nullopt;
  }
  const std::filesystem::path path = folder_ / name.text;
  auto text = read_text_file(path.string());
  if (!text) {
    table.complain(key, name.line, fmt::format("cannot read {}: {}", path.string(), text.error()));
    return std::nullopt;
  }
  std::string& content = *text;
  while (content.ends_with('\n') || content.ends_with('\r')) content.pop_back();
  if (content.empty() || content.size() > secret_file_bytes_max) {
    table.complain(key, name.line,
                   fmt::format("{} holds {} bytes, allowed: 1 to {}", path.string(), content.size(),
                               secret_file_bytes_max));
    return std::nullopt;
  }
  if (is_readable_by_others(path))
    warnings_.push_back({name.line, table.path_of(key),
                         fmt::format("others may read {}; chmod 600 {}", path.string(), path.string())});
  Secret secret = Secret::from_text(content);
  wipe({reinterpret_cast<Byte*>(content.data()), content.size()});
  return secret;
}

bool is_readable_by_others(const std::filesystem::path& file) {
  using std::filesystem::perms;
  std::error_code error;
  const auto status = std::filesystem::status(file, error);
  return !error && (status.permissions() & perms::others_read) != perms::none;
}

int line_of(TableReader& table, std::string_view key) {
  const Node* node = table.find(key);
  if (node == nullptr) node = table.find(file_key(key));
  return node == nullptr ? table.line() : node->line;
}

}  // namespace turnpike::program
