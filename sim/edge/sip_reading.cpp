#include "sim/edge/sip_reading.hpp"

#include "sip/headers.hpp"
#include "sip/text.hpp"

namespace turnpike::sim {

using sip::HeaderName;
using sip::Message;

std::optional<std::string> branch_of(const Message& message, std::size_t index) {
  sip::ValueCursor vias{message, HeaderName::via};
  for (; index > 0; --index) (void)vias.next();
  const auto value = vias.next();
  const auto via = value ? sip::Via::parse(*value) : std::nullopt;
  if (!via) return std::nullopt;
  if (const auto branch = via->branch()) return std::string{*branch};
  const auto cseq = sip::cseq(message);
  return std::string{sip::call_id(message).value_or("")} + ' ' + std::to_string(cseq ? cseq->number : 0);
}

std::string address_of_record(const sip::NameAddr& address) { return sip::to_lower(address.uri_text); }

}  // namespace turnpike::sim
