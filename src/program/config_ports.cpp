// Ports that are no mistake to this machine, and to which browsers do not go.
#include <fmt/format.h>

#include <optional>

#include "base/browser_ports.hpp"
#include "program/config_sections.hpp"
#include "provisioning/turn_uri.hpp"

namespace turnpike::program {
namespace {

class PortCheck {
 public:
  explicit PortCheck(std::vector<Problem>& warnings) : warnings_(&warnings) {}

  // SCHEME:ADDRESS:PORT of an HTTP or WebSocket server.
  void listeners(const Node* table, std::string_view path) {
    each(table, path, "listen", [](std::string_view text) -> std::optional<std::string> {
      const auto address = SocketAddress::parse(text.substr(text.find(':') + 1));
      if (!address || !is_blocked_by_browsers(address->port)) return std::nullopt;
      return fmt::format("browsers open no connection to port {}, whoever answers there", address->port);
    });
  }
  void turn_listeners(const Node* table, std::string_view path) {
    each(table, path, "listen", [](std::string_view text) {
      const auto address = SocketAddress::parse(text.substr(text.find(':') + 1));
      return address ? warn_of_turn(address->port) : std::nullopt;
    });
  }
  void turn_uris(const Node* table, std::string_view path) {
    each(table, path, "uris", [](std::string_view text) {
      const auto uri = provisioning::TurnUri::parse(text);
      return uri ? warn_of_turn(uri->port) : std::nullopt;
    });
  }
  // [[...]]
  void turn_uris_of_all(const Node* tables, std::string_view path) {
    if (tables == nullptr) return;
    for (std::size_t at = 0; at < tables->items.size(); ++at)
      turn_uris(&tables->items[at], fmt::format("{}[{}]", path, at));
  }

 private:
  static std::optional<std::string> warn_of_turn(std::uint16_t port) {
    if (!is_blocked_for_turn(port)) return std::nullopt;
    return fmt::format("browsers send nothing to TURN servers on port {}{}", port,
                       port < 1024 ? "; of those below 1024 they know 80 and 443" : "");
  }
  // A list of texts, or a single text. `judge` gives what is to be said of one.
  template <typename Judge>
  void each(const Node* table, std::string_view path, std::string_view key, Judge judge) {
    const Node* found = table == nullptr ? nullptr : table->find(key);
    if (found == nullptr) return;
    const auto say = [&](const Node& node, std::string where) {
      if (node.kind != Node::Kind::text) return;
      if (auto what = judge(node.text)) warnings_->push_back({node.line, std::move(where), std::move(*what)});
    };
    if (found->kind != Node::Kind::list) return say(*found, fmt::format("{}.{}", path, key));
    for (std::size_t at = 0; at < found->items.size(); ++at)
      say(found->items[at], fmt::format("{}.{}[{}]", path, key, at));
  }

  std::vector<Problem>* warnings_;
};

const Node* find_inside(const Node* table, std::string_view key) {
  return table == nullptr ? nullptr : table->find(key);
}

}  // namespace

std::vector<Problem> find_blocked_ports(TableReader& root) {
  std::vector<Problem> warnings;
  PortCheck check{warnings};
  for (const std::string_view section : {"epcscf", "api", "waf"}) {
    const Node* table = root.find(section);
    check.listeners(table, section);
    check.turn_uris(find_inside(table, "credentials"), fmt::format("{}.credentials", section));
  }
  const Node* turn = root.find("turn");
  if (find_inside(turn, "uris") == nullptr) check.turn_listeners(turn, "turn");
  check.turn_uris(turn, "turn");
  check.turn_uris(root.find("credentials"), "credentials");
  check.turn_uris(find_inside(root.find("waf"), "turn"), "waf.turn");
  check.turn_uris_of_all(find_inside(root.find("waf"), "turn_servers"), "waf.turn_servers");
  check.turn_uris_of_all(root.find("relays"), "relays");
  return warnings;
}

}  // namespace turnpike::program
