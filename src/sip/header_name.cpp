#include "sip/header_name.hpp"

#include <array>

#include "sip/text.hpp"

namespace turnpike::sip {
namespace {

struct Spelling {
  std::string_view text;
  HeaderName name = HeaderName::other;
};

// In the order of HeaderName.
constexpr std::array<std::string_view, header_name_count> full_names{
    "",
    "Accept",
    "Accept-Contact",
    "Allow",
    "Allow-Events",
    "Authentication-Info",
    "Authorization",
    "Call-ID",
    "Contact",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "CSeq",
    "Date",
    "Event",
    "Expires",
    "Feature-Caps",
    "Flow-Timer",
    "From",
    "Max-Forwards",
    "Min-Expires",
    "Min-SE",
    "P-Access-Network-Info",
    "P-Asserted-Identity",
    "P-Associated-URI",
    "P-Charging-Function-Addresses",
    "P-Charging-Vector",
    "P-Preferred-Identity",
    "P-Visited-Network-ID",
    "Path",
    "Privacy",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Require",
    "RAck",
    "Reason",
    "Record-Route",
    "Refer-To",
    "Referred-By",
    "Reject-Contact",
    "Replaces",
    "Request-Disposition",
    "Require",
    "Retry-After",
    "Route",
    "RSeq",
    "Security-Client",
    "Security-Server",
    "Security-Verify",
    "Server",
    "Service-Route",
    "Session-Expires",
    "Subject",
    "Subscription-State",
    "Supported",
    "Timestamp",
    "To",
    "Turn-Credentials",
    "Unsupported",
    "User-Agent",
    "Via",
    "Warning",
    "WWW-Authenticate",
};

constexpr std::array compact_names{
    Spelling{"a", HeaderName::accept_contact},
    Spelling{"b", HeaderName::referred_by},
    Spelling{"c", HeaderName::content_type},
    Spelling{"d", HeaderName::request_disposition},
    Spelling{"e", HeaderName::content_encoding},
    Spelling{"f", HeaderName::from},
    Spelling{"i", HeaderName::call_id},
    Spelling{"j", HeaderName::reject_contact},
    Spelling{"k", HeaderName::supported},
    Spelling{"l", HeaderName::content_length},
    Spelling{"m", HeaderName::contact},
    Spelling{"o", HeaderName::event},
    Spelling{"r", HeaderName::refer_to},
    Spelling{"s", HeaderName::subject},
    Spelling{"t", HeaderName::to},
    Spelling{"u", HeaderName::allow_events},
    Spelling{"v", HeaderName::via},
    Spelling{"x", HeaderName::session_expires},
};

// A table of open addressing, filled by the compiler: a look-up is one hash and mostly one comparison.
constexpr std::size_t table_size = 512;

constexpr std::size_t bucket_of(std::string_view text) {
  const auto character = [text](std::size_t at) {
    return static_cast<std::size_t>(static_cast<unsigned char>(text[at]) | 0x20U);
  };
  const std::size_t mixed =
      character(0) * 31 + character(text.size() - 1) * 7 + character(text.size() / 2) * 131;
  return (mixed + text.size() * 57) % table_size;
}

constexpr std::array<Spelling, table_size> make_table() {
  std::array<Spelling, table_size> table{};
  const auto add = [&table](Spelling spelling) {
    std::size_t bucket = bucket_of(spelling.text);
    while (!table[bucket].text.empty()) bucket = (bucket + 1) % table_size;
    table[bucket] = spelling;
  };
  for (std::size_t i = 1; i < full_names.size(); ++i) add({full_names[i], static_cast<HeaderName>(i)});
  for (const Spelling& spelling : compact_names) add(spelling);
  return table;
}
constexpr auto table = make_table();

}  // namespace

HeaderName find_header_name(std::string_view text) {
  if (text.empty()) return HeaderName::other;
  for (std::size_t bucket = bucket_of(text); !table[bucket].text.empty(); bucket = (bucket + 1) % table_size)
    if (equal_ignoring_case(table[bucket].text, text)) return table[bucket].name;
  return HeaderName::other;
}

std::string_view to_string(HeaderName name) { return full_names[static_cast<std::size_t>(name)]; }

}  // namespace turnpike::sip
