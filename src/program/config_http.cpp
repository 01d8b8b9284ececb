#include "program/config_http.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "program/toml_text.hpp"

namespace turnpike::program {
namespace {

bool is_loopback(const IpAddress& address) {
  return IpPrefix::parse(address.is_v4() ? "127.0.0.0/8" : "::1/128")->contains(address);
}

}  // namespace

void read_http_listeners(TableReader& table, HttpDoor& door, std::uint16_t port) {
  const std::string allowed = fmt::format(
      "\"https:ADDRESS:PORT\", such as \"https:0.0.0.0:{}\", or \"http:...\" of this machine with "
      "allow_cleartext",
      port);
  door.listeners = {{{IpAddress{}, port}, true}};
  table.boolean("allow_cleartext", door.allows_cleartext);
  const Node* list = table.find("listen");
  if (list == nullptr) return;
  door.listeners.clear();
  for (const Node* node : table.texts("listen", "a list of " + allowed)) {
    const bool is_secure = node->text.starts_with("https:");
    const std::size_t scheme_size = is_secure ? 6 : 5;
    const bool has_scheme = is_secure || node->text.starts_with("http:");
    const auto address =
        has_scheme ? SocketAddress::parse(std::string_view{node->text}.substr(scheme_size)) : std::nullopt;
    const bool is_allowed =
        address && address->port != 0 && (is_secure || (door.allows_cleartext && is_loopback(address->ip)));
    if (is_allowed)
      door.listeners.push_back({*address, is_secure});
    else
      table.refuse("listen", *node, allowed);
  }
  if (list->kind == Node::Kind::list && list->items.empty())
    table.refuse("listen", *list, "at least one of " + allowed);
}

void read_http_files(TableReader& table, HttpDoor& door, const std::filesystem::path& folder) {
  table.file_name("certificate", door.certificate, folder);
  table.file_name("key", door.key, folder);
  if (!std::ranges::any_of(door.listeners, &HttpListener::is_secure)) return;
  for (const char* key : {"certificate", "key"})
    if (table.find(key) == nullptr)
      table.missing(key, "a PEM file, as https: needs it; `turnpike key certificate` makes one to try with");
}

std::vector<std::string> listener_names(const HttpDoor& door) {
  std::vector<std::string> names;
  names.reserve(door.listeners.size());
  for (const HttpListener& listener : door.listeners)
    names.push_back((listener.is_secure ? "https:" : "http:") + listener.address.to_string());
  return names;
}

std::string format_http_door(const HttpDoor& door) {
  std::string text = fmt::format("listen = {}\nallow_cleartext = {}\n", quote_all(listener_names(door)),
                                 door.allows_cleartext);
  if (!door.certificate.empty())
    text += fmt::format("certificate = {}\nkey = {}\n", quote(door.certificate), quote(door.key));
  return text;
}

}  // namespace turnpike::program
