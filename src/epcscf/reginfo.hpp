#pragma once
// Registration information documents, application/reginfo+xml (RFC 3680 section 5): what the core's NOTIFY
// says of an address of record. A reader for this one kind of document: elements, attributes and text. A
// document type, entities of its own, CDATA, and whatever is deeper or longer than the limits is refused, so
// that no document costs more than its size.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "epcscf/settings.hpp"

namespace turnpike::epcscf {

struct ReginfoContact {
  std::string uri{};
  bool is_terminated = false;
  std::string event{};  // "expired", "deactivated", "probation", "unregistered", "rejected", ...
  std::optional<std::string> instance{};  // of "unknown-param" elements, without quotes
  std::optional<std::string> reg_id{};
};
struct ReginfoRegistration {
  std::string aor{};
  bool is_active = true;  // else "init" (none yet) or "terminated" (none any more)
  std::vector<ReginfoContact> contacts{};
};
struct Reginfo {
  std::uint64_t version = 0;
  bool is_full = false;  // else partial
  std::vector<ReginfoRegistration> registrations{};
};

// Nothing for what is no such document.
std::optional<Reginfo> parse_reginfo(std::string_view xml, const Limits& limits = {});

}  // namespace turnpike::epcscf
