#pragma once
// What `turnpike subscriber`, `client`, `user` and `waf` are made of: commands that open what their options
// name, and act on it.

#include <memory>
#include <string>
#include <utility>

#include "program/answer.hpp"
#include "program/options.hpp"

namespace turnpike::program {

struct ListOptions {
  bool as_json = false;
};
struct NameOptions {
  std::string name{};
};

// A Place is made with the command, to which it adds options that name it; its with(may_create, action)
// answers why it cannot be opened, or what `action` answers for what it has opened.
template <typename Place, typename Options, typename Describe, typename Action>
void add_account_command(Command& parent, const std::string& name, const std::string& help, bool may_create,
                         Describe describe, Action action) {
  const auto options = std::make_shared<Options>();
  Command command = parent.add(name, help);
  describe(command, *options);
  command.on_run([place = Place{command}, options, may_create, action] {
    return place.with(may_create, [&](auto& opened) { return action(opened, *options); });
  });
}

// `action` is given what was opened, and whether to answer in JSON.
template <typename Place, typename Action>
void add_list_command(Command& parent, const std::string& help, Action action) {
  add_account_command<Place, ListOptions>(
      parent, "list", help, false,
      [](Command& command, ListOptions& options) { command.flag("--json", options.as_json, "print JSON"); },
      [action](auto& opened, const ListOptions& options) { return action(opened, options.as_json); });
}

// `action` is given what was opened, and the text that stands for `argument`.
template <typename Place, typename Action>
void add_named_command(Command& parent, const std::string& name, const std::string& help,
                       const std::string& argument, const std::string& argument_help, Action action) {
  add_account_command<Place, NameOptions>(
      parent, name, help, false,
      [&](Command& command, NameOptions& options) {
        command.required_text(argument, options.name, argument_help);
      },
      [action](auto& opened, const NameOptions& options) { return action(opened, options.name); });
}

}  // namespace turnpike::program
