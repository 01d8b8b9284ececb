// Any bytes as what an authorization server may answer to a relay that fetches its keys, and as the Date
// beside it: no key is taken that does not suit its algorithm or the prefix of its server.

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "service/stun_keys.hpp"
#include "target.hpp"

namespace turnpike::service {
namespace {

void check_answer(std::string_view body) {
  const StunKeyRules rules{.kid_prefix = "w1-"};
  const auto answer = parse_stun_keys(body, rules);
  if (!answer) {
    check(!answer.error().empty(), "an error says nothing");
    return;
  }
  check(!answer->keys.empty() && answer->keys.size() <= stun_keys_max, "a limit does not hold");
  check(answer->withdrawn.size() <= stun_keys_max, "a limit does not hold");
  for (const StunKey& key : answer->keys) {
    check(key.kid.starts_with(rules.kid_prefix) && key.kid.size() <= stun_kid_bytes_max, "a kid is not ours");
    check(key.key.size() == credentials::key_size(key.algorithm), "a key does not suit its algorithm");
    check(key.accepted_until >= key.ends_at, "a key ends before it is no longer used");
  }
}

}  // namespace
}  // namespace turnpike::service

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace turnpike;
  const std::string_view text = as_text({data, size});
  service::check_answer(text);
  static_cast<void>(service::parse_http_date(text));
  return 0;
}
