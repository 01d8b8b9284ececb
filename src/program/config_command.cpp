#include "program/config_command.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <memory>
#include <system_error>

namespace turnpike::program {
namespace {

constexpr const char* usual_file = "turnpike.toml";

std::string join_lines(const std::vector<std::string>& lines) {
  return fmt::format("{}", fmt::join(lines, "\n"));
}

constexpr const char* check_help =
    "Tells every problem with its line, what was found and what is allowed, and exits with\n"
    "status 2; or says what would be served. Opens no sockets.\n\n"
    "Example:\n"
    "  turnpike check turnpike.toml\n";

}  // namespace

std::expected<LoadedConfig, Answer> require_loaded_config(const std::optional<std::string>& file) {
  if (!file) {
    std::error_code ignored;
    const bool is_here = std::filesystem::exists(usual_file, ignored);
    return std::unexpected(refuse(is_here
                                      ? "--config is required; there is one here: --config turnpike.toml"
                                      : "--config is required: the file that `turnpike serve` runs with"));
  }
  LoadedConfig loaded = load_config(*file);
  if (!loaded.problems.empty()) return std::unexpected(refuse(join_lines(loaded.problems)));
  return loaded;
}

std::expected<Config, Answer> require_config(const std::optional<std::string>& file) {
  auto loaded = require_loaded_config(file);
  if (!loaded) return std::unexpected(std::move(loaded.error()));
  return std::move(loaded->config);
}

Answer check_config(const std::string& file) {
  const LoadedConfig loaded = load_config(file);
  if (!loaded.problems.empty()) return refuse(join_lines(loaded.problems));
  Answer answer = say(fmt::format("{}: ok\n{}", file, describe_config(loaded.config)));
  answer.complaint = join_lines(loaded.warnings);
  return answer;
}

void add_check_command(Command root) {
  const auto file = std::make_shared<std::string>();
  Command check = root.add("check", "Check a configuration: every problem at once");
  check.required_text("FILE", *file, "the configuration").explain(check_help);
  check.on_run([file] { return check_config(*file); });
}

}  // namespace turnpike::program
