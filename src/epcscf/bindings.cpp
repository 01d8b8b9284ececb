#include "epcscf/bindings.hpp"

#include "sip/text.hpp"
#include "sip/uri.hpp"

namespace turnpike::epcscf {

bool is_same_uri(std::string_view a, std::string_view b) {
  const auto first = sip::Uri::parse(a);
  const auto second = sip::Uri::parse(b);
  return first && second ? first->is_equivalent_to(*second) : a == b;
}

Likeness compare_binding(const ToldBinding& told, const OwnBinding& own) {
  // A URN of a UUID is the same in whatever case (RFC 9562 section 4).
  const bool has_instance = told.instance && sip::equal_ignoring_case(*told.instance, own.instance);
  const bool has_reg_id = told.reg_id && *told.reg_id == own.reg_id;
  if (has_instance && has_reg_id) return Likeness::flow;
  if ((told.instance && !has_instance) || (told.reg_id && !has_reg_id)) return Likeness::none;
  return is_same_uri(told.uri, own.uri) ? Likeness::uri : Likeness::none;
}

}  // namespace turnpike::epcscf
