#include "program/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "program/config_sections.hpp"
#include "program/text_file.hpp"

namespace turnpike::program {
namespace {

constexpr std::size_t socket_path_bytes_max = 107;  // sockaddr_un

void read_admin(TableReader table, Config& config, const std::filesystem::path& folder) {
  table.file_name("socket", config.admin_socket, folder);
  if (config.admin_socket.size() > socket_path_bytes_max)
    table.complain("socket", line_of(table, "socket"),
                   fmt::format("found a path of {} bytes, allowed: 1 to {}", config.admin_socket.size(),
                               socket_path_bytes_max));
  table.finish();
}

void read_log(TableReader table, Config& config) {
  table.choice<LogLevel>("level", config.log_level,
                         {{"trace", LogLevel::trace},
                          {"debug", LogLevel::debug},
                          {"info", LogLevel::info},
                          {"warn", LogLevel::warn},
                          {"error", LogLevel::error}});
  table.choice<LogFormat>("format", config.log_format,
                          {{"text", LogFormat::text}, {"json", LogFormat::json}});
  table.finish();
}

void read_issue(TableReader table, Config& config, SecretReader& secrets) {
  if (!table.is_present()) return;
  constexpr std::string_view allowed = "at least 16 bytes";
  auto key = secrets.read(table, "opaque_id_key", allowed);
  if (key && key->size() < credentials::computed_secret_min)
    table.complain("opaque_id_key", line_of(table, "opaque_id_key"),
                   fmt::format("found {} bytes, allowed: {}", key->size(), allowed));
  if (key) config.opaque_id_key = std::move(*key);
  table.finish();
}

std::vector<std::string> format_all(std::vector<Problem> problems, const std::string& file) {
  std::ranges::stable_sort(problems, {}, &Problem::line);
  std::vector<std::string> lines;
  lines.reserve(problems.size());
  for (const Problem& problem : problems) lines.push_back(format_problem(file, problem));
  return lines;
}

}  // namespace

LoadedConfig parse_config(std::string_view text, const std::string& file) {
  LoadedConfig loaded{.config = {.file = file}};
  const auto document = parse_document(text);
  if (!document) {
    loaded.problems =
        format_all({{document.error().line, "", "not TOML: " + document.error().message}}, file);
    return loaded;
  }
  const std::filesystem::path folder = std::filesystem::path{file}.parent_path();
  std::vector<Problem> problems;
  SecretReader secrets{folder};
  TableReader root{&*document, "", problems};
  TableReader turn = root.sub_table("turn");
  TableReader credentials = root.sub_table("credentials");
  read_turn_section(turn, loaded.config);
  read_credentials_section(credentials, loaded.config, secrets, problems);
  read_admin(root.sub_table("admin"), loaded.config, folder);
  read_log(root.sub_table("log"), loaded.config);
  read_issue(root.sub_table("issue"), loaded.config, secrets);
  read_relays(root, loaded.config, problems);
  read_control_plane(root, loaded.config, folder, secrets, problems);
  check_roles(loaded.config, root);
  root.finish();

  auto warnings = secrets.warnings();
  std::ranges::move(find_untold_relays(loaded.config, root), std::back_inserter(warnings));
  std::ranges::move(find_blocked_ports(root), std::back_inserter(warnings));
  if (secrets.found_inline() && is_readable_by_others(file))
    warnings.push_back({1, "", fmt::format("holds secrets, and others may read it; chmod 600 {}", file)});
  loaded.problems = format_all(std::move(problems), file);
  loaded.warnings = format_all(std::move(warnings), file);
  return loaded;
}

LoadedConfig load_config(const std::string& file) {
  const auto text = read_text_file(file);
  if (text) return parse_config(*text, file);
  return {.config = {.file = file}, .problems = {fmt::format("{}: cannot read it: {}", file, text.error())}};
}

}  // namespace turnpike::program
