#pragma once
// turnpike key certificate: a certificate that signs itself, to look around with.

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "program/answer.hpp"
#include "program/options.hpp"

namespace turnpike::program {

struct KeyCertificateOptions {
  std::vector<std::string> names{};  // hosts and addresses; localhost and 127.0.0.1 unless set
  std::string certificate{};         // the files to write, which must not exist
  std::string key{};
  std::uint64_t days = 365;
  bool if_missing = false;  // files that are there are left alone
};
Answer make_key_certificate(const KeyCertificateOptions& options, WallTime wall);

void add_key_certificate(Command& key);

}  // namespace turnpike::program
