#include "epcscf/edges.hpp"

#include <algorithm>
#include <array>

#include "sip/headers.hpp"
#include "sip/text.hpp"
#include "sip/values.hpp"

namespace turnpike::epcscf {
namespace {

using sip::HeaderName;

constexpr std::array<std::string_view, 4> trust_params{"integrity-protected", "authorization-entity", "ck",
                                                       "ik"};

bool is_trust_param(const sip::Param& param) {
  return std::ranges::any_of(trust_params, [&](std::string_view name) { return param.is_named(name); });
}

// Private headers of the core that have no HeaderName.
constexpr std::array<std::string_view, 6> core_names{"P-Served-User",        "P-User-Database",
                                                     "P-Profile-Key",        "P-Asserted-Service",
                                                     "P-DCS-Trace-Party-ID", "P-Called-Party-ID"};

// What the core believes because a trusted node has said it (RFC 7315, RFC 3325, TS 24.229 section 4.4).
bool is_core_word(HeaderName name) {
  switch (name) {
    case HeaderName::p_charging_vector:
    case HeaderName::p_charging_function_addresses:
    case HeaderName::p_asserted_identity:
    case HeaderName::p_associated_uri:
    case HeaderName::p_visited_network_id:
    case HeaderName::service_route:
    case HeaderName::path:
      return true;
    default:
      return false;
  }
}

bool is_core_word(const sip::Header& header) {
  if (header.name != HeaderName::other) return is_core_word(header.name);
  // Any header of the charging family, those of tomorrow too.
  constexpr std::string_view charging = "P-Charging";
  if (sip::equal_ignoring_case(header.name_text.substr(0, charging.size()), charging)) return true;
  return std::ranges::any_of(
      core_names, [&](std::string_view name) { return sip::equal_ignoring_case(header.name_text, name); });
}

// TS 24.229 section 5.2.2: only the network says what the network provided.
bool is_network_provided(std::string_view member) {
  return sip::to_lower(member).find("network-provided") != std::string::npos;
}

// RFC 3323 section 4.2: values with semicolons between; senders with commas exist.
bool wants_privacy_of_id(const sip::Message& message) {
  for (auto row = message.find_row(HeaderName::privacy); row;
       row = message.find_row(HeaderName::privacy, *row + 1)) {
    std::string_view rest = message.header(*row).value;
    while (!rest.empty()) {
      const std::size_t end = rest.find_first_of(";,");
      if (sip::equal_ignoring_case(sip::trimmed(rest.substr(0, end)), "id")) return true;
      rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    }
  }
  return false;
}

void strip_challenges(sip::Editor& edited, const sip::Message& message, HeaderName name) {
  bool is_unclean = false;
  for (auto row = message.find_row(name); row; row = message.find_row(name, *row + 1)) {
    const auto found = sip::Credentials::parse(message.header(*row).value);
    is_unclean = is_unclean || !found || has_trust_params(*found);
  }
  if (!is_unclean) return;
  edited.remove(name);
  for (auto row = message.find_row(name); row; row = message.find_row(name, *row + 1)) {
    const auto found = sip::Credentials::parse(message.header(*row).value);
    if (!found) continue;
    if (const std::string kept = without_trust_params(*found); !kept.empty()) edited.append(name, kept);
  }
}

}  // namespace

bool strip_from_client(sip::Editor& edited, const sip::Message& message) {
  bool is_forged = false;
  const bool may_ask = message.is_request() && message.method() == sip::Method::registration;
  for (std::size_t row = 0; row < message.header_count(); ++row) {
    const sip::Header header = message.header(row);
    if (is_core_word(header)) {
      edited.remove(header.name_text);
      is_forged = true;
    } else if (header.name == HeaderName::turn_credentials) {
      edited.remove(header.name);  // hop by hop between WIC and eP-CSCF
      is_forged = is_forged || !may_ask;
    } else if (header.name == HeaderName::p_access_network_info) {
      edited.remove_values(header.name, is_network_provided);
    } else if (header.name == HeaderName::accept) {
      edited.remove_values(header.name, [](std::string_view member) {
        return sip::to_lower(member).find("turn-credentials") != std::string::npos;
      });
    }
  }
  return is_forged;
}

void add_missing_length(sip::Editor& edited, const sip::Message& message) {
  if (!message.has(HeaderName::content_length))
    edited.append(HeaderName::content_length, std::to_string(message.after_headers().size()));
}

bool strip_from_core(sip::Editor& edited, const sip::Message& message) {
  const bool is_private = wants_privacy_of_id(message);
  const bool is_forged = message.has(HeaderName::turn_credentials);
  for (std::size_t row = 0; row < message.header_count(); ++row) {
    const sip::Header header = message.header(row);
    switch (header.name) {
      case HeaderName::p_charging_vector:
      case HeaderName::p_charging_function_addresses:
      case HeaderName::p_visited_network_id:
      case HeaderName::p_access_network_info:
      case HeaderName::turn_credentials:
        edited.remove(header.name);
        break;
      case HeaderName::p_asserted_identity:
        if (is_private) edited.remove(header.name);
        break;
      case HeaderName::other:
        // The called party is the WIC's to know, to tell its identities apart (TS 24.229 section 5.1.1A).
        if (is_core_word(header) && !sip::equal_ignoring_case(header.name_text, "P-Called-Party-ID"))
          edited.remove(header.name_text);
        break;
      default:
        break;
    }
  }
  strip_challenges(edited, message, HeaderName::www_authenticate);
  strip_challenges(edited, message, HeaderName::proxy_authenticate);
  return is_forged;
}

std::string without_trust_params(const sip::Credentials& credentials, std::string_view more) {
  std::string kept;
  const auto add = [&kept](std::string_view text) {
    if (!kept.empty()) kept += ", ";
    kept += text;
  };
  if (!credentials.token68.empty()) add(credentials.token68);
  credentials.params.for_each([&](const sip::Param& param) {
    if (!is_trust_param(param)) add(param.whole);
  });
  if (!more.empty()) add(more);
  if (kept.empty()) return {};
  return std::string{credentials.scheme} + ' ' + kept;
}

bool has_trust_params(const sip::Credentials& credentials) {
  bool is_found = false;
  credentials.params.for_each([&](const sip::Param& param) { is_found = is_found || is_trust_param(param); });
  return is_found;
}

bool smuggles_trust_params(const sip::Credentials& credentials) {
  const std::string rest = sip::to_lower(without_trust_params(credentials));
  return std::ranges::any_of(std::array<std::string_view, 2>{"integrity-protected", "authorization-entity"},
                             [&](std::string_view name) { return rest.find(name) != std::string::npos; });
}

}  // namespace turnpike::epcscf
