#pragma once
// A certificate that signs itself: for a first look and for tests. Browsers have to be told to trust it.

#include <chrono>
#include <expected>
#include <string>
#include <vector>

#include "base/secret.hpp"
#include "base/time.hpp"

namespace turnpike::service {

struct CertificatePair {
  std::string certificate;  // PEM
  Secret key;               // PEM, PKCS #8; ECDSA with P-256
};

// `names` are host names and IP addresses; the first is the subject's. Valid from an hour before `wall`.
std::expected<CertificatePair, std::string> make_certificate(const std::vector<std::string>& names,
                                                             std::chrono::days lifetime, WallTime wall);

}  // namespace turnpike::service
