#pragma once
// Router says where a request goes: TS 24.229 sections 5.4.3.2 and 5.4.3.3 in one step, as callers and
// callees have the same S-CSCF here. It keeps nothing.
//
//   caller -> edge -> Service-Route (orig) -> [callee by identity] -> Path -> edge -> contact
//   in a dialog: Record-Route of ours, then the next Route

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "ims/refusal.hpp"
#include "ims/registrations.hpp"
#include "ims/settings.hpp"
#include "ims/subscribers.hpp"
#include "sip/editor.hpp"
#include "sip/hop.hpp"
#include "sip/message.hpp"

namespace turnpike::ims {

struct NextHop {
  sip::Hop to{};
  std::uint64_t binding = 0;  // the callee's, where it was chosen here
};

// Of the reg event package.
struct Watcher {
  std::string identity{};  // of a node its URI, "sip:epcscf.ims.example:5070"; of a user an IMPU
  bool is_node = false;
  bool operator==(const Watcher&) const = default;
};

class Router {
 public:
  // All of them outlive the router.
  Router(const Settings& settings, Subscribers& subscribers, const Registrations& registrations)
      : settings_(settings), subscribers_(subscribers), registrations_(registrations) {}

  // Edits the request for its next hop, without Via.
  [[nodiscard]] std::expected<NextHop, Refusal> route(const sip::Message& request, const sip::Hop& from,
                                                      sip::Editor& edited) const;
  // Whether the Routes end here and the Request-URI is of the home network: for this node, or for a
  // subscriber.
  [[nodiscard]] bool ends_here(const sip::Message& request) const;
  [[nodiscard]] bool is_for_us(const sip::Message& request) const;  // for no subscriber, but for this node
  // Proxies that may have us route: those that are trusted, and those that brought a registration.
  [[nodiscard]] bool is_edge(const sip::Hop& from) const;
  // Whose request it is: P-Asserted-Identity of a trusted node, else From.
  [[nodiscard]] std::optional<std::string> originator(const sip::Message& request,
                                                      const sip::Hop& from) const;
  // Who would watch a registration. From a trusted node P-Asserted-Identity alone says so.
  [[nodiscard]] std::expected<Watcher, Refusal> watcher(const sip::Message& request,
                                                        const sip::Hop& from) const;
  [[nodiscard]] std::optional<Subscriber> find_callee(const sip::Uri& target) const;

 private:
  struct Routes;
  [[nodiscard]] std::expected<Routes, Refusal> read_routes(const sip::Message& request) const;
  [[nodiscard]] std::expected<void, Refusal> check_originator(const sip::Message& request,
                                                              const sip::Hop& from) const;
  [[nodiscard]] std::expected<NextHop, Refusal> route_to_callee(const sip::Message& request,
                                                                sip::Editor& edited) const;

  const Settings& settings_;
  Subscribers& subscribers_;
  const Registrations& registrations_;
};

}  // namespace turnpike::ims
