// Any header value or body: what is read can be written, and what was written reads as the same.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.hpp"
#include "provisioning/body.hpp"
#include "provisioning/turn_credentials.hpp"
#include "provisioning/turn_uri.hpp"
#include "target.hpp"

namespace turnpike::provisioning {
namespace {

constexpr WallTime wall{std::chrono::seconds{1'893'456'000}};

bool are_equal(const Entry& a, const Entry& b) {
  return a.form == b.form && a.uris == b.uris && a.realm == b.realm && a.username == b.username &&
         a.password.equals(b.password.reveal()) && a.access_token == b.access_token &&
         a.algorithm == b.algorithm && a.server_name == b.server_name && a.ttl == b.ttl &&
         a.expires_at == b.expires_at;
}

void check_entries(const Provision& provision) {
  check(!provision.entries.empty(), "an answer without entries was read");
  for (const Entry& entry : provision.entries) {
    check(!entry.uris.empty() && !entry.username.empty() && !entry.password.empty(), "an entry is not whole");
    check((entry.form == Form::oauth) == !entry.access_token.empty(), "a form has what is another's");
    for (const std::string& uri : entry.uris) check(TurnUri::parse(uri).has_value(), "a URI is none");
  }
}

// A header cannot carry control characters, and a writer makes spaces of them.
bool is_plain(const Provision& provision) {
  const auto is_text = [](std::string_view text) {
    return std::ranges::all_of(text,
                               [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
  };
  return std::ranges::all_of(provision.entries, [&](const Entry& entry) {
    return is_text(entry.realm) && is_text(entry.username) && is_text(entry.password.reveal_text()) &&
           is_text(entry.algorithm) && is_text(entry.server_name);
  });
}

void check_request(std::string_view text) {
  const auto request = parse_request(text);
  if (!request) return;
  const auto again = parse_request(format_request(*request));
  check(again.has_value(), "a request that was written does not read");
  check(again->ttl == request->ttl && again->transport == request->transport && again->form == request->form,
        "a request changes when it is written");
}

void check_answer(std::string_view text) {
  const auto answer = parse_answer(text, wall);
  if (!answer) return;
  check_entries(*answer);
  if (!is_plain(*answer)) return;
  const auto rows = format_answer(*answer, {.row_bytes_max = SIZE_MAX});
  check(rows.size() == 1, "an answer does not fit into a row without limit");
  const auto again = parse_answer(rows.front(), wall);
  check(again && std::ranges::equal(again->entries, answer->entries, are_equal),
        "an answer changes when it is written");
}

void check_body(std::string_view text) {
  const auto body = parse_body(text, wall);
  if (!body) return;
  check_entries(*body);
  const bool has_password =
      std::ranges::any_of(body->entries, [](const Entry& entry) { return entry.form == Form::password; });
  const std::string json = format_body(*body);
  if (!has_password || json.size() > body_bytes_max) return;
  const auto again = parse_body(json, wall);
  check(again && std::ranges::equal(again->entries, body->entries, are_equal),
        "a body changes when it is written");
}

}  // namespace
}  // namespace turnpike::provisioning

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace turnpike::provisioning;
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  check_request(text);
  check_answer(text);
  check_body(text);
  return 0;
}
