#include "epcscf/flow_tokens.hpp"

#include <array>

#include "base/crypto.hpp"

namespace turnpike::epcscf {
namespace {

//   uint8 use | uint64 flow | [ uint8 transport | uint16 port | host ] | MAC
constexpr std::size_t mac_size = 10;  // 80 bits, as RFC 5626 section 5.2 has it
constexpr std::size_t flow_at = 1;
constexpr std::size_t hop_at = 9;
constexpr std::size_t host_at = 12;
constexpr std::size_t token_size_max = 512;

}  // namespace

FlowTokens::FlowTokens(Random& random) : key_(Bytes{random.draw<32>()}) {}

ByteVector FlowTokens::mac_of(Bytes content) const {
  const auto mac = crypto::hmac_sha256(key_.reveal(), content);
  return {mac.begin(), mac.begin() + mac_size};
}

std::string FlowTokens::seal(const FlowToken& token) const {
  ByteVector content(token.next ? host_at : hop_at);
  content[0] = static_cast<Byte>(token.use);
  store_big(content.data() + flow_at, static_cast<std::uint64_t>(token.flow));
  if (token.next) {
    content[hop_at] = static_cast<Byte>(token.next->transport);
    store_big(content.data() + hop_at + 1, token.next->port);
    const Bytes host = as_bytes(token.next->host);
    content.insert(content.end(), host.begin(), host.end());
  }
  const ByteVector mac = mac_of(content);
  content.insert(content.end(), mac.begin(), mac.end());
  return to_base64url(content);
}

std::optional<FlowToken> FlowTokens::open(std::string_view text) const {
  if (text.size() > token_size_max) return std::nullopt;
  const auto bytes = from_base64url(text);
  if (!bytes || bytes->size() < hop_at + mac_size) return std::nullopt;
  const Bytes content = Bytes{*bytes}.first(bytes->size() - mac_size);
  if (!crypto::equal_in_constant_time(mac_of(content), Bytes{*bytes}.last(mac_size))) return std::nullopt;
  FlowToken token{.use = static_cast<TokenUse>(content[0]),
                  .flow = FlowId{load_big<std::uint64_t>(content.data() + flow_at)},
                  .next = std::nullopt};
  if (content.size() > host_at)
    token.next = sip::Hop{.transport = static_cast<sip::Transport>(content[hop_at]),
                          .host = std::string{as_text(content.subspan(host_at))},
                          .port = load_big<std::uint16_t>(content.data() + hop_at + 1)};
  return token;
}

}  // namespace turnpike::epcscf
