#include "ims/reg_info.hpp"

#include <algorithm>
#include <chrono>

#include "base/bytes.hpp"
#include "base/crypto.hpp"
#include "base/markup.hpp"
#include "sip/params.hpp"

namespace turnpike::ims {
namespace {

constexpr std::size_t call_id_bytes_max = 256;  // it is optional

std::string attribute(std::string_view name, std::string_view value) {
  return ' ' + std::string{name} + "=\"" + escape_markup(value) + '"';
}

// The same at each notification, as the RFC wants it, and unlike that of another identity.
std::string registration_id(std::string_view impu) {
  const auto digest = crypto::sha256(as_bytes(impu));
  return 'r' + to_hex(Bytes{digest}.first(8));
}

std::int64_t whole_seconds(Duration duration) {
  return std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::seconds>(duration).count());
}

// Of a Contact's parameters those that name a binding (RFC 5626 section 6). Whatever else a client writes
// would stand here once for each identity and contact.
bool names_binding(const sip::Param& param) {
  return param.is_named("+sip.instance") || param.is_named("reg-id");
}

void append_contact(std::string& xml, const Binding& binding, std::string_view impu, Now now) {
  // Section 5.4.2.1.2: what came with another identity of its set was created.
  const bool is_implicit = binding.event == ContactEvent::registered && binding.impu != impu;
  xml += "    <contact" + attribute("id", 'c' + std::to_string(binding.id)) +
         attribute("state", is_end(binding.event) ? "terminated" : "active") +
         attribute("event", is_implicit ? "created" : to_string(binding.event)) +
         attribute("duration-registered", std::to_string(whole_seconds(now.mono - binding.registered_at))) +
         attribute("expires",
                   std::to_string(is_end(binding.event) ? 0 : whole_seconds(binding.expires_at - now.mono))) +
         (binding.call_id.size() <= call_id_bytes_max ? attribute("callid", binding.call_id) : "") +
         attribute("cseq", std::to_string(binding.cseq)) + ">\n";
  xml += "      <uri>" + escape_markup(binding.contact) + "</uri>\n";
  const auto params = sip::Params::parse(binding.params, sip::ParamStyle::header, 64);
  if (params)
    params->for_each([&](const sip::Param& param) {
      if (!names_binding(param)) return;
      xml += "      <unknown-param" + attribute("name", param.name) + '>' +
             escape_markup(param.value.value_or("")) + "</unknown-param>\n";
    });
  xml += "    </contact>\n";
}

}  // namespace

std::string format_reg_info(std::uint32_t version, const std::vector<std::string>& impus,
                            const Registration* registration, const std::vector<Binding>& ended,
                            RegInfoDetail detail, Now now) {
  const bool is_full = detail == RegInfoDetail::full;
  std::string_view state = "init";
  if (registration != nullptr && !registration->bindings.empty())
    state = "active";
  else if (!ended.empty())
    state = "terminated";
  std::string xml = "<?xml version=\"1.0\"?>\n<reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\"" +
                    attribute("version", std::to_string(version)) +
                    attribute("state", is_full ? "full" : "partial") + ">\n";
  for (const std::string& impu : impus) {
    xml += "  <registration" + attribute("aor", impu) + attribute("id", registration_id(impu)) +
           attribute("state", state) + ">\n";
    if (is_full && registration != nullptr)
      for (const Binding& binding : registration->bindings) append_contact(xml, binding, impu, now);
    if (is_full || (detail == RegInfoDetail::ends && impu == impus.front()))
      for (const Binding& binding : ended) append_contact(xml, binding, impu, now);
    xml += "  </registration>\n";
  }
  return xml + "</reginfo>\n";
}

}  // namespace turnpike::ims
