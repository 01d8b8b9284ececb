#pragma once
// What the eP-CSCF keeps of an established call so that it can hang up for a WIC that has vanished (TS 24.229
// section 5.2.8.1): the WIC's side of the dialog (RFC 3261 section 12) as the far end knows it.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sip/hop.hpp"
#include "sip/message.hpp"

namespace turnpike::epcscf {

struct FarEnd {
  std::string target{};               // of its Contact
  std::string near{};                 // From of the BYE: the WIC, with its tag
  std::string far{};                  // and its To
  std::vector<std::string> routes{};  // behind us, the nearest first
  std::uint32_t number = 0;           // the highest CSeq that the WIC has used

  // Where a request of the dialog goes: the first route, else the target.
  [[nodiscard]] std::optional<sip::Hop> next() const;
  // Whether a request, of either side, names this dialog by its tags; the Call-ID is the caller's to compare.
  [[nodiscard]] bool has_tags_of(const sip::Message& request) const;
};

// Whether a URI of a Record-Route is the eP-CSCF's own.
using IsOwn = std::function<bool(const sip::Uri&)>;

// Of a 2xx to an INVITE that began a dialog, as each came to us. Nothing where one of them names no way.
std::optional<FarEnd> far_end_of_originating(const sip::Message& invite, const sip::Message& accepted,
                                             const IsOwn& is_own);
std::optional<FarEnd> far_end_of_terminating(const sip::Message& invite, const sip::Message& accepted);

// RFC 3261 section 12.2.1.2: an INVITE or UPDATE within the dialog moves the target. `from_far`: the request
// or the 2xx that the far end has sent.
void refresh_target(FarEnd& end, const sip::Message& from_far);

// A BYE for the WIC, whose next CSeq it uses. `via`: a whole value.
std::string make_bye(FarEnd& end, std::string_view call_id, std::string_view via, std::string_view reason);

}  // namespace turnpike::epcscf
