#pragma once
// The command line: commands with their options, as values that are filled in before a command runs. Keeps
// CLI11 (and its exceptions) in one file. A mistake is one line on standard error and exit status 2.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "program/answer.hpp"

namespace CLI {  // NOLINT(readability-identifier-naming): the name that CLI11 has
class App;
}

namespace turnpike::program {

struct CommandTree;

class Command {
 public:
  Command(CommandTree& tree, CLI::App& app);

  // Names as "-k,--key" or, for what stands alone, "FILE". `to` lives until the command has run.
  Command& text(const std::string& names, std::string& to, const std::string& help);
  Command& text(const std::string& names, std::optional<std::string>& to, const std::string& help);
  Command& texts(const std::string& names, std::vector<std::string>& to, const std::string& help);
  Command& required_text(const std::string& names, std::string& to, const std::string& help);
  Command& number(const std::string& names, std::uint64_t& to, std::uint64_t min, std::uint64_t max,
                  const std::string& help);
  Command& number(const std::string& names, std::optional<std::uint64_t>& to, std::uint64_t min,
                  std::uint64_t max, const std::string& help);
  Command& real(const std::string& names, std::optional<double>& to, double min, double max,
                const std::string& help);
  Command& choice(const std::string& names, std::string& to, const std::vector<std::string>& choices,
                  const std::string& help);
  Command& choice(const std::string& names, std::optional<std::string>& to,
                  const std::vector<std::string>& choices, const std::string& help);
  Command& required_choice(const std::string& names, std::string& to, const std::vector<std::string>& choices,
                           const std::string& help);
  Command& flag(const std::string& names, bool& to, const std::string& help);
  // Options from here on stand under this heading in the help.
  Command& group(const std::string& name);
  // Stands below the options in the help: what it does, with examples.
  Command& explain(const std::string& text);
  Command add(const std::string& name, const std::string& help);
  // Some command below this one has to be named.
  Command& require_command();
  void on_run(std::function<Answer()> run);

 private:
  CommandTree* tree_;
  CLI::App* app_;
  std::string group_;
};

class CommandLine {
 public:
  CommandLine(const std::string& description, const std::string& version);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  Command root();
  // Runs the command that is named. Help and version are answers too.
  Answer run(int count, const char* const* values);

 private:
  std::unique_ptr<CommandTree> tree_;
};

}  // namespace turnpike::program
