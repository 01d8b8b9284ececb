#pragma once
// Makes the credentials of a registration, with the next source where one fails, and takes them back. What is
// pushed is shown to nobody before a relay has acknowledged it.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/rate_budget.hpp"
#include "epcscf/register_request.hpp"
#include "epcscf/registrations.hpp"
#include "epcscf/switchboard.hpp"
#include "provisioning/provisioner.hpp"

namespace turnpike::epcscf {

class CredentialDesk {
 public:
  explicit CredentialDesk(Switchboard& board);

  // Made, and shown at once or, with `push`, after on_push_done.
  struct Made {
    provisioning::Provision provision;
    std::optional<PushId> push{};
    bool is_fallback = false;
  };
  using Outcome = std::expected<Made, Unprovisioned>;

  // `lifetime`: what is left of the registration. The registration learns what there is to take back.
  Outcome begin(const RegisterRequest& request, const ClientInfo& client, Registration& registration,
                std::chrono::seconds lifetime, Now now);
  // No relay has acknowledged: what was pushed is taken back, and the next source is asked.
  Outcome fall_back(const Made& failed, const RegisterRequest& request, Registration& registration,
                    std::chrono::seconds lifetime, Now now);
  void take_back(Registration& registration, Now now);

  // A new identity for users of relays; the registration's own.
  void name(Registration& registration);
  void on_pushed(PushId) { --pushes_; }  // however it ended
  void reconfigure();
  // Proxy::offer
  void offer(std::vector<std::string> uris);

 private:
  Outcome make(const RegisterRequest& request, Registration& registration, std::chrono::seconds lifetime,
               std::optional<credentials::Source> only, Now now);

  Switchboard& board_;
  std::optional<provisioning::Provisioner> provisioner_;
  std::vector<std::string> offered_{};  // empty: those of the settings
  RateBudget provisioned_;              // new registrations by private identity
  std::uint64_t last_push_ = 0;
  std::size_t pushes_ = 0;
};

}  // namespace turnpike::epcscf
