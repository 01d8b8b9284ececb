#include "sip/error.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace turnpike::sip {
namespace {

constexpr std::array reasons{
    std::pair{100, std::string_view{"Trying"}},
    std::pair{180, std::string_view{"Ringing"}},
    std::pair{181, std::string_view{"Call Is Being Forwarded"}},
    std::pair{182, std::string_view{"Queued"}},
    std::pair{183, std::string_view{"Session Progress"}},
    std::pair{200, std::string_view{"OK"}},
    std::pair{202, std::string_view{"Accepted"}},
    std::pair{204, std::string_view{"No Notification"}},
    std::pair{300, std::string_view{"Multiple Choices"}},
    std::pair{301, std::string_view{"Moved Permanently"}},
    std::pair{302, std::string_view{"Moved Temporarily"}},
    std::pair{305, std::string_view{"Use Proxy"}},
    std::pair{380, std::string_view{"Alternative Service"}},
    std::pair{400, std::string_view{"Bad Request"}},
    std::pair{401, std::string_view{"Unauthorized"}},
    std::pair{402, std::string_view{"Payment Required"}},
    std::pair{403, std::string_view{"Forbidden"}},
    std::pair{404, std::string_view{"Not Found"}},
    std::pair{405, std::string_view{"Method Not Allowed"}},
    std::pair{406, std::string_view{"Not Acceptable"}},
    std::pair{407, std::string_view{"Proxy Authentication Required"}},
    std::pair{408, std::string_view{"Request Timeout"}},
    std::pair{410, std::string_view{"Gone"}},
    std::pair{412, std::string_view{"Conditional Request Failed"}},
    std::pair{413, std::string_view{"Request Entity Too Large"}},
    std::pair{414, std::string_view{"Request-URI Too Long"}},
    std::pair{415, std::string_view{"Unsupported Media Type"}},
    std::pair{416, std::string_view{"Unsupported URI Scheme"}},
    std::pair{420, std::string_view{"Bad Extension"}},
    std::pair{421, std::string_view{"Extension Required"}},
    std::pair{422, std::string_view{"Session Interval Too Small"}},
    std::pair{423, std::string_view{"Interval Too Brief"}},
    std::pair{430, std::string_view{"Flow Failed"}},
    std::pair{439, std::string_view{"First Hop Lacks Outbound Support"}},
    std::pair{440, std::string_view{"Max-Breadth Exceeded"}},
    std::pair{480, std::string_view{"Temporarily Unavailable"}},
    std::pair{481, std::string_view{"Call/Transaction Does Not Exist"}},
    std::pair{482, std::string_view{"Loop Detected"}},
    std::pair{483, std::string_view{"Too Many Hops"}},
    std::pair{484, std::string_view{"Address Incomplete"}},
    std::pair{485, std::string_view{"Ambiguous"}},
    std::pair{486, std::string_view{"Busy Here"}},
    std::pair{487, std::string_view{"Request Terminated"}},
    std::pair{488, std::string_view{"Not Acceptable Here"}},
    std::pair{489, std::string_view{"Bad Event"}},
    std::pair{491, std::string_view{"Request Pending"}},
    std::pair{493, std::string_view{"Undecipherable"}},
    std::pair{500, std::string_view{"Server Internal Error"}},
    std::pair{501, std::string_view{"Not Implemented"}},
    std::pair{502, std::string_view{"Bad Gateway"}},
    std::pair{503, std::string_view{"Service Unavailable"}},
    std::pair{504, std::string_view{"Server Time-out"}},
    std::pair{505, std::string_view{"Version Not Supported"}},
    std::pair{513, std::string_view{"Message Too Large"}},
    std::pair{580, std::string_view{"Precondition Failure"}},
    std::pair{600, std::string_view{"Busy Everywhere"}},
    std::pair{603, std::string_view{"Decline"}},
    std::pair{604, std::string_view{"Does Not Exist Anywhere"}},
    std::pair{606, std::string_view{"Not Acceptable"}},
};

std::string_view words(Defect defect) {
  switch (defect) {
    case Defect::empty:
      return "Empty Message";
    case Defect::message_too_long:
      return standard_reason(513);
    case Defect::no_start_line:
      return "Malformed Start Line";
    case Defect::unsupported_version:
      return standard_reason(505);
    case Defect::malformed_request_line:
      return "Malformed Request Line";
    case Defect::malformed_request_uri:
      return "Malformed Request-URI";
    case Defect::uri_headers_in_request:
      return "Headers In Request-URI";
    case Defect::end_of_headers_missing:
      return "End Of Headers Missing";
    case Defect::header_without_colon:
      return "Header Without Colon";
    case Defect::fold_before_headers:
      return "Space Before First Header";
    case Defect::illegal_character:
      return "Illegal Character In Header";
    case Defect::too_many_headers:
      return "Too Many Headers";
    case Defect::header_too_long:
      return "Header Too Long";
    case Defect::missing:
      return "Missing ";
    case Defect::malformed:
      return "Malformed ";
    case Defect::repeated:
      return "Repeated ";
    case Defect::too_many_values:
      return "Too Many Values In ";
    case Defect::body_too_short:
      return "Body Shorter Than Content-Length";
    case Defect::body_too_long:
      return "Body Longer Than Content-Length";
    case Defect::method_mismatch:
      return "CSeq Method Differs From Request";
    case Defect::too_many_hops:
      return standard_reason(483);
  }
  return "";
}

}  // namespace

std::string_view standard_reason(std::uint16_t status_code) {
  const auto at = std::lower_bound(reasons.begin(), reasons.end(), static_cast<int>(status_code),
                                   [](const auto& reason, int code) { return reason.first < code; });
  return at != reasons.end() && at->first == status_code ? at->second : std::string_view{};
}

std::uint16_t ParseError::status_code() const {
  switch (defect) {
    case Defect::unsupported_version:
      return 505;
    case Defect::message_too_long:
      return 513;
    case Defect::too_many_hops:
      return 483;
    default:
      return 400;
  }
}

std::string ParseError::reason_phrase() const {
  std::string phrase{words(defect)};
  if (phrase.ends_with(' ')) phrase += header == HeaderName::other ? "Header" : to_string(header);
  return phrase;
}

}  // namespace turnpike::sip
