#include "program/options.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <charconv>
#include <map>
#include <sstream>
#include <utility>

#include "base/check.hpp"
#include "program/suggest.hpp"

namespace turnpike::program {
namespace {

template <typename Number>
CLI::Validator between(Number min, Number max) {
  return CLI::Validator{
      [min, max](std::string& text) -> std::string {
        Number value{};
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error == std::errc{} && end == text.data() + text.size() && value >= min && value <= max)
          return {};
        std::ostringstream words;
        words << "found \"" << text << "\", allowed: " << min << " to " << max;
        return words.str();
      },
      ""};
}

CLI::Validator one_of(const std::vector<std::string>& choices) {
  std::string words;
  for (const std::string& choice : choices) words += (words.empty() ? "" : ", ") + choice;
  return CLI::Validator{[choices, words](std::string& text) -> std::string {
                          for (const std::string& choice : choices)
                            if (choice == text) return {};
                          return "found \"" + text + "\", allowed: " + words;
                        },
                        ""};
}

std::string join_choices(const std::vector<std::string>& choices) {
  std::string words;
  for (const std::string& choice : choices) words += (words.empty() ? "" : "|") + choice;
  return words;
}

const CLI::App* find_leaf(const CLI::App* app) {
  while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
  return app;
}

std::string full_name(const CLI::App* app) {
  std::string name = app->get_name();
  for (app = app->get_parent(); app != nullptr; app = app->get_parent())
    name.insert(0, app->get_name() + " ");
  return name;
}

std::vector<std::string> command_names(const CLI::App* app) {
  std::vector<std::string> names;
  for (const CLI::App* child : app->get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(child->get_name());
  return names;
}

const CLI::App* find_command(const CLI::App* app, const std::string& name) {
  for (const CLI::App* child : app->get_subcommands([](const CLI::App*) { return true; }))
    if (child->get_name() == name) return child;
  return nullptr;
}

// CLI11 calls a command that it does not know an argument that it did not expect, and one that is missing a
// subcommand.
std::optional<std::string> find_wrong_command(const CLI::App* app, int count, const char* const* values) {
  for (int at = 1; at < count; ++at) {
    const std::string word = values[at];
    if (word.starts_with('-') || app->get_require_subcommand_min() == 0) return std::nullopt;
    const CLI::App* next = find_command(app, word);
    if (next == nullptr)
      return full_name(app) + " has no command \"" + word + "\"" + did_you_mean(word, command_names(app)) +
             "; see " + full_name(app) + " --help";
    app = next;
  }
  if (app->get_require_subcommand_min() == 0) return std::nullopt;
  std::string names;
  for (const std::string& name : command_names(app)) names += (names.empty() ? "" : ", ") + name;
  return full_name(app) + " needs a command: " + names + "; see " + full_name(app) + " --help";
}

}  // namespace

struct CommandTree {
  CLI::App app;
  std::map<const CLI::App*, std::function<Answer()>> runs;
  CommandTree(const std::string& description, const std::string& name) : app(description, name) {}
};

Command::Command(CommandTree& tree, CLI::App& app) : tree_(&tree), app_(&app), group_("Options") {}

Command& Command::text(const std::string& names, std::string& to, const std::string& help) {
  app_->add_option(names, to, help)->group(group_)->capture_default_str();
  return *this;
}

Command& Command::text(const std::string& names, std::optional<std::string>& to, const std::string& help) {
  app_->add_option(names, to, help)->group(group_)->type_name("TEXT");
  return *this;
}

Command& Command::texts(const std::string& names, std::vector<std::string>& to, const std::string& help) {
  app_->add_option(names, to, help)
      ->group(group_)
      ->type_name("TEXT")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  return *this;
}

Command& Command::required_text(const std::string& names, std::string& to, const std::string& help) {
  app_->add_option(names, to, help)->group(group_)->required();
  return *this;
}

Command& Command::number(const std::string& names, std::uint64_t& to, std::uint64_t min, std::uint64_t max,
                         const std::string& help) {
  app_->add_option(names, to, help)
      ->group(group_)
      ->type_name("NUMBER")
      ->check(between(min, max))
      ->capture_default_str();
  return *this;
}

Command& Command::number(const std::string& names, std::optional<std::uint64_t>& to, std::uint64_t min,
                         std::uint64_t max, const std::string& help) {
  app_->add_option(names, to, help)->group(group_)->type_name("NUMBER")->check(between(min, max));
  return *this;
}

Command& Command::real(const std::string& names, std::optional<double>& to, double min, double max,
                       const std::string& help) {
  app_->add_option(names, to, help)->group(group_)->type_name("NUMBER")->check(between(min, max));
  return *this;
}

Command& Command::choice(const std::string& names, std::string& to, const std::vector<std::string>& choices,
                         const std::string& help) {
  app_->add_option(names, to, help)
      ->group(group_)
      ->type_name(join_choices(choices))
      ->check(one_of(choices))
      ->capture_default_str();
  return *this;
}

Command& Command::choice(const std::string& names, std::optional<std::string>& to,
                         const std::vector<std::string>& choices, const std::string& help) {
  app_->add_option(names, to, help)->group(group_)->type_name(join_choices(choices))->check(one_of(choices));
  return *this;
}

Command& Command::required_choice(const std::string& names, std::string& to,
                                  const std::vector<std::string>& choices, const std::string& help) {
  choice(names, to, choices, help);
  app_->get_option(names.substr(names.rfind(',') + 1))->required();
  return *this;
}

Command& Command::flag(const std::string& names, bool& to, const std::string& help) {
  app_->add_flag(names, to, help)->group(group_);
  return *this;
}

Command& Command::group(const std::string& name) {
  group_ = name;
  return *this;
}

Command& Command::explain(const std::string& text) {
  app_->footer("\n" + text);
  return *this;
}

Command Command::add(const std::string& name, const std::string& help) {
  CLI::App* child = app_->add_subcommand(name, help)->group("Commands");
  return Command{*tree_, *child};
}

Command& Command::require_command() {
  app_->require_subcommand(1);
  return *this;
}

void Command::on_run(std::function<Answer()> run) { tree_->runs[app_] = std::move(run); }

CommandLine::CommandLine(const std::string& description, const std::string& version)
    : tree_(std::make_unique<CommandTree>(description, "turnpike")) {
  tree_->app.set_help_flag("-h,--help", "Say what this command does and end");
  tree_->app.set_version_flag("--version", version, "Say which turnpike this is and end");
  tree_->app.get_formatter()->column_width(38);
  tree_->app.get_formatter()->label("Positionals", "Arguments");
  tree_->app.get_formatter()->label("Subcommands", "Commands");
  tree_->app.get_formatter()->label("SUBCOMMAND", "COMMAND");
  tree_->app.get_formatter()->label("REQUIRED", "(required)");
}

CommandLine::~CommandLine() = default;

Command CommandLine::root() { return Command{*tree_, tree_->app}; }

Answer CommandLine::run(int count, const char* const* values) {
  CLI::App& app = tree_->app;
  if (const auto wrong = find_wrong_command(&app, count, values)) return refuse(*wrong);
  try {
    app.parse(count, values);
  } catch (const CLI::CallForHelp&) {
    const CLI::App* leaf = find_leaf(&app);
    return say(leaf->help(leaf->get_parent() == nullptr ? "" : full_name(leaf->get_parent())));
  } catch (const CLI::CallForVersion& version) {
    return say(std::string{version.what()} + '\n');
  } catch (const CLI::ParseError& error) {
    const std::string command = full_name(find_leaf(&app));
    return refuse(std::string{error.what()} + "; see " + command + " --help");
  }
  const auto found = tree_->runs.find(find_leaf(&app));
  check(found != tree_->runs.end(), "a command without subcommands can be run");
  return found->second();
}

}  // namespace turnpike::program
