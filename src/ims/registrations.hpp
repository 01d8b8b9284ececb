#pragma once
// Registrations is who is registered where: the bindings of RFC 3261 section 10 for each private identity,
// with their Paths (RFC 3327) and flows (RFC 5626), and their ends by time. Who may register is decided above
// it.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "sip/hop.hpp"

namespace turnpike::ims {

// RFC 3680 section 5.1: what has happened to a contact.
enum class ContactEvent : std::uint8_t {
  registered,
  refreshed,
  shortened,
  // these end it
  expired,
  deactivated,  // by the operator; it may register again at once
  probation,    // by the operator; it may try again later
  unregistered,
  rejected,  // by the operator, or displaced by a newer one; it shall not try again
};
std::string_view to_string(ContactEvent event);
constexpr bool is_end(ContactEvent event) { return event >= ContactEvent::expired; }

struct Binding {
  std::uint64_t id = 0;
  std::string impu{};      // the identity that was registered; the rest of its set is so implicitly
  std::string contact{};   // the URI as it was registered
  std::string params{};    // of the Contact, without expires: ";reg-id=1;+sip.instance=..."
  std::string instance{};  // RFC 5626; empty together with reg_id
  std::string reg_id{};
  std::vector<std::string> path{};  // members as received; the one nearest to us first
  sip::Hop source{};                // the proxy that brought the REGISTER
  std::string call_id{};
  std::uint32_t cseq = 0;
  Instant registered_at{};
  Instant expires_at{};
  ContactEvent event = ContactEvent::registered;
};

struct Registration {
  std::string impi{};
  std::vector<std::string> impus{};  // the implicit registration set; the first is the default
  std::vector<Binding> bindings{};   // the newest last

  // What RFC 3261 section 10.3 step 7 and RFC 5626 section 6 take for the same contact.
  [[nodiscard]] const Binding* find(const Binding& like) const;
};

// After a change: what is bound, and, beside it, what has just ended.
struct RegistrationChange {
  Registration registration{};
  std::vector<Binding> ended{};
  [[nodiscard]] bool is_over() const { return registration.bindings.empty(); }
};

class Registrations {
 public:
  explicit Registrations(std::size_t bindings_max) : bindings_max_(bindings_max) {}

  [[nodiscard]] const Registration* find(std::string_view impi) const;
  [[nodiscard]] const Registration* find_public(std::string_view impu) const;
  // Whether a proxy on this host has brought a registration that lives.
  [[nodiscard]] bool is_edge(std::string_view host) const { return edges_.contains(host); }
  [[nodiscard]] std::size_t size() const { return registrations_.size(); }
  [[nodiscard]] const auto& all() const { return registrations_; }

  // All bindings of one REGISTER; a binding that is known is refreshed. Returns no error: the caller has
  // checked.
  void bind(std::string_view impi, const std::vector<std::string>& impus, std::vector<Binding> bindings);
  void unbind(std::string_view impi, const std::vector<std::uint64_t>& ids, ContactEvent event);
  // False when there was none.
  bool end(std::string_view impi, ContactEvent event);

  void on_timeout(Now now);
  [[nodiscard]] std::optional<Instant> next_timeout() const;
  std::vector<RegistrationChange> take_changes() { return std::exchange(changes_, {}); }

 private:
  using Table = std::map<std::string, Registration, std::less<>>;
  void set_public(Registration& registration, const std::vector<std::string>& impus);
  void add(Registration& registration, Binding binding, RegistrationChange& change);
  void forget(Registration& registration, std::size_t at, ContactEvent event, RegistrationChange& change);
  void settle(Table::iterator entry, RegistrationChange change);
  void count_edge(const std::string& host, bool is_more);

  std::size_t bindings_max_;
  std::uint64_t last_id_ = 0;
  Table registrations_;
  std::map<std::string, std::string, std::less<>> by_public_;
  std::map<std::string, std::size_t, std::less<>> edges_;
  std::set<std::pair<Instant, std::string>> timers_;  // one per binding, with its private identity
  std::vector<RegistrationChange> changes_;
};

}  // namespace turnpike::ims
