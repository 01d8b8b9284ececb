#pragma once
// What the home core knows of its subscribers, and the port through which it asks: the HSS in small.
// Implemented over SQLite in store, and in memory for simulations and tests.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/secret.hpp"

namespace turnpike::ims {

// SIP Digest (TS 33.203 annex N): HA1 in hex of each hash; empty where the subscriber has none of it.
struct DigestSecret {
  Secret ha1_md5{};
  Secret ha1_sha256{};
};

// IMS AKA (TS 33.102, Milenage of TS 35.206).
struct AkaSecret {
  Secret k{};    // 16 bytes
  Secret opc{};  // 16 bytes
  std::array<Byte, 2> amf{0x80, 0x00};
  std::uint64_t sqn = 0;  // 48 bits; the last one that was used
};

struct Subscriber {
  std::string impi{};  // private identity: "alice@ims.example"
  std::vector<std::string>
      impus{};  // the implicit registration set; the first is the default: "sip:alice@ims.example"
  std::optional<DigestSecret> digest{};
  std::optional<AkaSecret> aka{};
  std::string pool{};  // the WWSF whose pool the identity belongs to; empty: an individual's
  bool is_barred = false;
};

class Subscribers {
 public:
  virtual ~Subscribers() = default;
  virtual std::optional<Subscriber> find_private(std::string_view impi) = 0;
  virtual std::optional<Subscriber> find_public(std::string_view impu) = 0;
  // False when it could not be kept: no challenge may leave then.
  virtual bool store_sqn(std::string_view impi, std::uint64_t sqn) = 0;
  // Another one after each change that somebody else may have made.
  virtual std::uint64_t version() = 0;
  // Whether the last question found nothing because it could not be asked: 503, and not that there is nobody.
  [[nodiscard]] virtual bool has_failed() const { return false; }
};

}  // namespace turnpike::ims
