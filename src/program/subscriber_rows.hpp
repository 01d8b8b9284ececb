#pragma once
// Subscribers of the home core as an operator writes them: options of a command, rows of a CSV or a JSON
// file.

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ims/subscribers.hpp"

namespace turnpike::program {

// As text, unchecked. Either a password or k and opc, or both.
struct SubscriberRow {
  std::string impi{};
  std::vector<std::string> impus{};  // none: "sip:" and the private identity
  std::optional<std::string> password{};
  std::string realm{};               // of the password; empty: the domain of the private identity
  std::optional<std::string> k{};    // 32 hexadecimal digits
  std::optional<std::string> opc{};  // 32 hexadecimal digits
  std::optional<std::string> amf{};  // 4 hexadecimal digits
  std::string pool{};
  bool is_barred = false;
};

// The error says what was found and what is allowed, and no secret.
std::expected<ims::Subscriber, std::string> make_subscriber(const SubscriberRow& row);

// All problems of a file, each with its place: "users.csv:3: k: found 30 digits, allowed: 32".
using Rows = std::expected<std::vector<ims::Subscriber>, std::vector<std::string>>;

// The first line names the columns: impi, impus (with spaces between), password, realm, k, opc, amf, pool,
// barred.
Rows parse_subscriber_csv(std::string_view text, const std::string& file);
// An array of objects with the same names; impus is an array, barred true or false.
Rows parse_subscriber_json(std::string_view text, const std::string& file);

}  // namespace turnpike::program
