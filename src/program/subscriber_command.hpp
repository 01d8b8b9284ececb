#pragma once
// turnpike subscriber add|list|remove|import: the subscribers of the home core. Each command changes
// everything that it was told to, or nothing.

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "program/answer.hpp"
#include "program/options.hpp"
#include "program/subscriber_rows.hpp"

namespace turnpike::program {

struct SubscriberAddOptions {
  std::string impi{};
  std::vector<std::string> impus{};
  std::optional<std::string> password_file{};  // "-": standard input
  std::optional<std::string> realm{};
  std::optional<std::string> k{};
  std::optional<std::string> opc{};
  std::optional<std::string> amf{};
  std::optional<std::string> pool{};
  bool is_barred = false;
};
// The file that is named, or that the [ims] of the configuration names; just one of both.
std::expected<std::string, Answer> find_database(const std::optional<std::string>& database,
                                                 const std::optional<std::string>& config_file);

Answer add_subscriber(const std::string& database, const SubscriberAddOptions& options);
Answer list_subscribers(const std::string& database, bool as_json);
Answer remove_subscriber(const std::string& database, const std::string& impi);
Answer import_subscribers(const std::string& database, const std::string& file);

void add_subscriber_command(Command root);

}  // namespace turnpike::program
