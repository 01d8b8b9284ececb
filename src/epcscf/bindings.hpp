#pragma once
// Which of the bindings that a core tells of is the one that we mean (RFC 5626 section 6): that of the
// instance and its reg-id, whatever its URI. A core that does not repeat these is taken by the URI (RFC 3261
// section 10.2.4).

#include <optional>
#include <string>
#include <string_view>

namespace turnpike::epcscf {

enum class Likeness : std::uint8_t { none, uri, flow };

struct ToldBinding {
  std::string_view uri{};
  std::optional<std::string> instance{};  // without quotes; nothing where the core does not say
  std::optional<std::string> reg_id{};
};
struct OwnBinding {
  std::string_view uri{};
  std::string_view instance{};
  std::string_view reg_id{};
};

bool is_same_uri(std::string_view a, std::string_view b);
Likeness compare_binding(const ToldBinding& told, const OwnBinding& own);

}  // namespace turnpike::epcscf
