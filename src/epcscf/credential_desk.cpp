#include "epcscf/credential_desk.hpp"

#include <algorithm>
#include <utility>

#include "base/crypto.hpp"

namespace turnpike::epcscf {
namespace {

Unprovisioned reason_of(provisioning::ProvisionFailure failure) {
  using enum provisioning::ProvisionFailure;
  switch (failure) {
    case unknown_realm:
      return Unprovisioned::unknown_realm;
    case unknown_transport:
      return Unprovisioned::unknown_transport;
    case no_relay:
      return Unprovisioned::no_relay;
    case no_source:
      break;
  }
  return Unprovisioned::no_source;
}

}  // namespace

CredentialDesk::CredentialDesk(Switchboard& board)
    : board_(board),
      provisioned_(board.settings.limits.provisioned_per_impi_per_hour, std::chrono::hours{1}) {
  reconfigure();
}

void CredentialDesk::reconfigure() {
  provisioner_.reset();
  if (board_.settings.provisioning) provisioner_.emplace(*board_.settings.provisioning);
  if (provisioner_ && !offered_.empty()) provisioner_->offer(offered_);
}

void CredentialDesk::offer(std::vector<std::string> uris) {
  offered_ = std::move(uris);
  reconfigure();
}

void CredentialDesk::name(Registration& registration) {
  registration.salt = to_hex(board_.random.draw<16>());
  const std::string user_id = registration.key.impi + '|' + registration.key.instance;
  registration.subject = provisioner_
                             ? provisioner_->make_subject({.user_id = user_id, .salt = registration.salt})
                             : to_hex(Bytes{crypto::sha256(as_bytes(registration.salt))}.first(8));
}

// TS 33.203 X.5: in a 2xx to an authenticated REGISTER over TLS, for the user's own registration alone.
CredentialDesk::Outcome CredentialDesk::begin(const RegisterRequest& request, const ClientInfo& client,
                                              Registration& registration, std::chrono::seconds lifetime,
                                              Now now) {
  if (!client.is_secure) return std::unexpected(Unprovisioned::not_secure);
  if (request.is_third_party) return std::unexpected(Unprovisioned::third_party);
  if (!request.is_proved()) return std::unexpected(Unprovisioned::unauthenticated);
  if (request.is_wish_malformed) return std::unexpected(Unprovisioned::malformed);
  if (!registration.credentials_until && !provisioned_.spend(registration.key.impi, now.mono))
    return std::unexpected(Unprovisioned::too_many_new);
  return make(request, registration, lifetime, std::nullopt, now);
}

CredentialDesk::Outcome CredentialDesk::make(const RegisterRequest& request, Registration& registration,
                                             std::chrono::seconds lifetime,
                                             std::optional<credentials::Source> only, Now now) {
  if (!provisioner_) return std::unexpected(Unprovisioned::no_source);
  const std::string user_id = registration.key.impi + '|' + registration.key.instance;
  const provisioning::Subject subject{
      .user_id = user_id, .salt = registration.salt, .last_end = registration.last_end};
  if (std::string name = provisioner_->make_subject(subject); name != registration.subject) {
    take_back(registration, now);  // the key of the names was changed meanwhile
    registration.subject = std::move(name);
  }
  auto made = provisioner_->provision(request.wish, subject, lifetime, only, now.wall, board_.random);
  if (!made) return std::unexpected(reason_of(made.error()));
  Made outcome{.provision = *std::move(made), .push = std::nullopt, .is_fallback = only.has_value()};
  if (outcome.provision.push) {
    if (pushes_ >= board_.settings.limits.pushes_max) {
      const auto next = provisioner_->find_fallback(outcome.provision.source);
      if (!next) return std::unexpected(Unprovisioned::too_many_pushes);
      return make(request, registration, lifetime, next, now);
    }
    ++pushes_;
    outcome.push = PushId{++last_push_};
    board_.emit(PushCredential{*outcome.push, *outcome.provision.push});
  }
  // Of names that tell their end; what is pushed has a name of its own.
  if (outcome.provision.source == credentials::Source::computed)
    registration.last_end = outcome.provision.entries.front().expires_at;
  const WallTime last_end = provisioning::find_last_end(outcome.provision);
  registration.credentials_until = std::max(registration.credentials_until.value_or(last_end), last_end);
  return outcome;
}

CredentialDesk::Outcome CredentialDesk::fall_back(const Made& failed, const RegisterRequest& request,
                                                  Registration& registration, std::chrono::seconds lifetime,
                                                  Now now) {
  // It may have reached a relay after all.
  board_.emit(RevokeCredentials{{.by = credentials::Revocation::By::username,
                                 .value = failed.provision.push->username,
                                 .until = provisioning::find_last_end(failed.provision)}});
  const auto next = provisioner_ ? provisioner_->find_fallback(failed.provision.source) : std::nullopt;
  if (!next) return std::unexpected(Unprovisioned::not_acknowledged);
  return make(request, registration, lifetime, next, now);
}

void CredentialDesk::take_back(Registration& registration, Now now) {
  if (!registration.credentials_until) return;
  // What has ended by itself, while this machine slept, may still have running allocations.
  const WallTime until = std::max(*registration.credentials_until, now.wall);
  registration.credentials_until.reset();
  board_.emit(RevokeCredentials{
      {.by = credentials::Revocation::By::subject, .value = registration.subject, .until = until}});
}

}  // namespace turnpike::epcscf
