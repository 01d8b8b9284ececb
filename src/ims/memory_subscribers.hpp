#pragma once
// Subscribers in memory: for simulations and tests.

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "ims/subscribers.hpp"

namespace turnpike::ims {

class MemorySubscribers final : public Subscribers {
 public:
  // Takes the place of the one with the same private identity.
  void add(Subscriber subscriber);
  // The default identity "sip:" + impi, and the HA1s of the password in the realm.
  void add_with_password(std::string_view impi, std::string_view realm, std::string_view password);
  void remove(std::string_view impi);

  std::optional<Subscriber> find_private(std::string_view impi) override;
  std::optional<Subscriber> find_public(std::string_view impu) override;
  bool store_sqn(std::string_view impi, std::uint64_t sqn) override;
  std::uint64_t version() override { return version_; }

 private:
  std::map<std::string, Subscriber, std::less<>> by_private_;
  std::map<std::string, std::string, std::less<>> by_public_;
  std::uint64_t version_ = 0;
};

// Of both hashes.
DigestSecret make_digest_secret(std::string_view impi, std::string_view realm, std::string_view password);

}  // namespace turnpike::ims
