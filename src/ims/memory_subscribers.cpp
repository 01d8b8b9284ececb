#include "ims/memory_subscribers.hpp"

#include "sip/digest.hpp"

namespace turnpike::ims {

DigestSecret make_digest_secret(std::string_view impi, std::string_view realm, std::string_view password) {
  return {.ha1_md5 = Secret::from_text(sip::make_ha1(sip::DigestHash::md5, impi, realm, password)),
          .ha1_sha256 = Secret::from_text(sip::make_ha1(sip::DigestHash::sha256, impi, realm, password))};
}

void MemorySubscribers::add(Subscriber subscriber) {
  remove(subscriber.impi);
  for (const std::string& impu : subscriber.impus) by_public_.insert_or_assign(impu, subscriber.impi);
  std::string impi = subscriber.impi;
  by_private_.insert_or_assign(std::move(impi), std::move(subscriber));
}

void MemorySubscribers::add_with_password(std::string_view impi, std::string_view realm,
                                          std::string_view password) {
  add({.impi = std::string{impi},
       .impus = {"sip:" + std::string{impi}},
       .digest = make_digest_secret(impi, realm, password)});
}

void MemorySubscribers::remove(std::string_view impi) {
  ++version_;
  std::erase_if(by_public_, [&](const auto& entry) { return entry.second == impi; });
  const auto found = by_private_.find(impi);
  if (found != by_private_.end()) by_private_.erase(found);
}

std::optional<Subscriber> MemorySubscribers::find_private(std::string_view impi) {
  const auto found = by_private_.find(impi);
  return found == by_private_.end() ? std::nullopt : std::optional{found->second};
}

std::optional<Subscriber> MemorySubscribers::find_public(std::string_view impu) {
  const auto impi = by_public_.find(impu);
  return impi == by_public_.end() ? std::nullopt : find_private(impi->second);
}

bool MemorySubscribers::store_sqn(std::string_view impi, std::uint64_t sqn) {
  const auto found = by_private_.find(impi);
  if (found == by_private_.end() || !found->second.aka) return false;
  found->second.aka->sqn = sqn;
  return true;
}

}  // namespace turnpike::ims
