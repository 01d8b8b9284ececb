// Any username, token and nonce: nothing is granted that was not proved, refusals cost the same, and what
// opens is written again as it was read.
//
//   uint8 what | uint8 username size | username | token or nonce

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.hpp"
#include "credentials/issue.hpp"
#include "credentials/nonce.hpp"
#include "credentials/registry.hpp"
#include "credentials/token.hpp"
#include "target.hpp"

namespace turnpike::credentials {
namespace {

constexpr std::string_view realm = "ims.example";
constexpr std::string_view server_name = "turn.ims.example";
constexpr std::string_view token_key = "HGkj32KJGiuy098sdfaqbNjOiaz71923";
const WallTime wall = from_unix_seconds(1'893'456'000);

RegistrySettings make_settings() {
  RegistrySettings settings{.realm = std::string{realm}};
  settings.static_users = StaticSettings{.users = {{"alice", Secret::from_text("wonderland")}}};
  settings.computed = ComputedSettings{.secrets = {{"k1", Secret::from_text("correct horse battery")}}};
  settings.pushed = PushedSettings{};
  settings.token = TokenSettings{.server_name = std::string{server_name},
                                 .keys = {{.kid = "k1", .key = Secret::from_text(token_key)}},
                                 .mac_key = MacKeyRule::automatic};
  return settings;
}

Registry make_registry() {
  Registry registry{make_settings()};
  const auto credential =
      make_pushed_credential("pushed", "secret", realm, "s1", wall + std::chrono::seconds{600}, {});
  check(registry.pushed().put(credential, wall) == PushOutcome::done);
  return registry;
}

// Nobody proves anything: always refused, always at the price of a name of nobody.
void check_refusal(Registry& registry, const Claim& claim) {
  const auto refused = registry.authenticate(claim, [](Bytes) { return false; }, wall);
  check(!refused, "a claim without proof is granted");
  check(!to_string(refused.error()).empty());
  const Effort effort = registry.last_effort();
  Claim strange = claim;
  strange.username = "mallory";
  check(!registry.authenticate(strange, [](Bytes) { return false; }, wall));
  check(registry.last_effort() == effort, "a refusal shows its reason by what it costs");
}

// Whoever proves under the first key that is tried: granted, or refused for a reason that is not the key.
void check_grant(Registry& registry, const Claim& claim) {
  Key proved;
  const auto granted = registry.authenticate(
      claim,
      [&](Bytes key) {
        check(!key.empty() && key.size() <= Key::size_max, "a key without bytes is tried");
        proved = Key{key};
        return true;
      },
      wall);
  if (!granted) return;
  const Grant& grant = **granted;
  check(grant.key == proved && grant.username == claim.username, "a grant is not of its claim");
  check(grant.expires_at > wall && !grant.subject.empty(), "a grant has ended or is nobody's");
  if (!claim.token.empty()) {
    check(grant.source == Source::token);
    return;
  }
  const auto explained = registry.explain(claim.username, wall);
  check(explained && explained->source == grant.source && explained->subject == grant.subject,
        "a name is explained as it is not granted");
}

void check_token(Bytes token) {
  const TokenSeal seal{.key = as_bytes(token_key), .server_name = server_name};
  const auto content = decode_token(token, seal);
  if (!content) return;
  const std::size_t nonce_size = load_big<std::uint16_t>(token.data());
  check(equal(encode_token(*content, token.subspan(2, nonce_size), seal), token),
        "a token is written otherwise");
  static_cast<void>(check_token_time(*content, wall));
  check(find_token_end(*content, wall) >= wall || check_token_time(*content, wall) != TokenTime::valid);
}

// The plaintext is the input; a fuzzer does not find an AEAD tag.
ByteVector seal_input(Bytes plaintext) {
  constexpr std::array<Byte, 12> nonce{1, 2, 3};
  ByteVector token{0, 12};
  token.insert(token.end(), nonce.begin(), nonce.end());
  const auto sealed = crypto::aes_gcm_seal(as_bytes(token_key), nonce, as_bytes(server_name), plaintext);
  token.insert(token.end(), sealed.begin(), sealed.end());
  return token;
}

void check_nonce(std::string_view text) {
  static const NonceMint mint{Secret::from_text("nonce key"), std::chrono::seconds{600}, {true, true}};
  const SocketAddress client{IpAddress::v4({192, 0, 2, 1}), 5000};
  static_cast<void>(features_of_nonce(text));
  if (mint.verify(text, client, wall) == NonceVerdict::valid)
    check(features_of_nonce(text) == mint.features(), "a nonce is not ours");
}

void check_input(std::uint8_t what, std::string_view username, Bytes rest) {
  static Registry registry = make_registry();
  const auto algorithm = (what & 1) != 0 ? PasswordAlgorithm::sha256 : PasswordAlgorithm::md5;
  const ByteVector sealed = (what & 2) != 0 ? seal_input(rest) : ByteVector{};
  const Bytes token = (what & 2) != 0 ? Bytes{sealed} : rest;
  check_token(token);
  check_nonce(as_text(rest));
  const std::string browser = std::string{username} + '.' + to_base64url(token);
  const Claim shown{.realm = realm, .username = username, .token = token, .algorithm = algorithm};
  const Claim named{.realm = realm, .username = username, .algorithm = algorithm};
  const Claim in_browser{.realm = realm, .username = browser, .algorithm = algorithm};
  for (const Claim& claim : {shown, named, in_browser}) {
    check_refusal(registry, claim);
    check_grant(registry, claim);
    check_refusal(registry, claim);  // also where the grant is known by now
  }
}

}  // namespace
}  // namespace turnpike::credentials

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 4096) return 0;
  const turnpike::Bytes input{data + 2, size - 2};
  const auto name_size = std::min<std::size_t>(data[1], input.size());
  turnpike::credentials::check_input(data[0], turnpike::as_text(input.first(name_size)),
                                     input.subspan(name_size));
  return 0;
}
