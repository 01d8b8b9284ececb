#include "ims/authenticator.hpp"

#include <algorithm>
#include <charconv>

#include "base/bytes.hpp"
#include "base/crypto.hpp"
#include "ims/aka.hpp"
#include "ims/identity.hpp"
#include "sip/headers.hpp"
#include "sip/text.hpp"

namespace turnpike::ims {
namespace {

constexpr std::size_t nonce_time_size = 8;
constexpr std::size_t nonce_salt_size = 8;
constexpr std::size_t nonce_mac_size = 16;
constexpr std::size_t nonce_size = nonce_time_size + nonce_salt_size + nonce_mac_size;

std::optional<std::uint32_t> parse_nonce_count(std::string_view text) {
  std::uint32_t count = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), count, 16);
  if (text.size() != 8 || result.ptr != text.data() + text.size() || count == 0) return std::nullopt;
  return count;
}

}  // namespace

std::string_view to_string(RefusalReason reason) {
  switch (reason) {
    case RefusalReason::unknown_identity:
      return "unknown_identity";
    case RefusalReason::wrong_response:
      return "wrong_response";
    case RefusalReason::barred:
      return "barred";
    case RefusalReason::identity_mismatch:
      return "identity_mismatch";
    case RefusalReason::malformed:
      return "malformed";
    case RefusalReason::unavailable:
      return "unavailable";
    case RefusalReason::used_nonce:
      return "used_nonce";
  }
  return "";
}

// What a REGISTER shows of its sender.
struct Authenticator::Claim {
  std::string mark{};  // integrity-protected of a trusted node
  std::string algorithm_text{};
  std::optional<sip::DigestAlgorithm> algorithm{};  // nothing: not known here
  std::string nonce{};
  std::string response{};
  std::string auts{};
  std::string uri{};
  std::string cnonce{};
  std::string qop{};
  std::string nonce_count_text{};
  std::optional<std::uint32_t> nonce_count{};  // nothing: without qop
};

Authenticator::Authenticator(const Settings& settings, Subscribers& subscribers, Random& random)
    : settings_(settings), subscribers_(subscribers), random_(random), key_(random.draw<32>()) {}

std::optional<sip::Credentials> Authenticator::find_authorization(const sip::Message& request) const {
  return sip::find_credentials(request, sip::HeaderName::authorization, "Digest", settings_.domain);
}

std::optional<std::string> Authenticator::claimed_identity(
    const sip::Message& request, const std::optional<sip::Credentials>& authorization) {
  if (authorization) {
    auto username = authorization->text("username");
    if (username && !username->empty()) return username;
  }
  const auto address = sip::to(request);
  const auto impu = address ? public_identity(address->uri) : std::nullopt;
  return impu ? std::optional{derived_private_identity(*impu)} : std::nullopt;
}

// Nothing where it contradicts itself.
std::optional<Authenticator::Claim> Authenticator::read_claim(
    const std::optional<sip::Credentials>& authorization, bool is_trusted) {
  static constexpr std::array<std::pair<std::string_view, std::string Claim::*>, 9> texts{
      {{"integrity-protected", &Claim::mark},
       {"algorithm", &Claim::algorithm_text},
       {"nonce", &Claim::nonce},
       {"response", &Claim::response},
       {"auts", &Claim::auts},
       {"uri", &Claim::uri},
       {"cnonce", &Claim::cnonce},
       {"qop", &Claim::qop},
       {"nc", &Claim::nonce_count_text}}};
  Claim claim;
  if (authorization)
    authorization->params.for_each([&](const sip::Param& param) {
      const auto known =
          std::ranges::find_if(texts, [&](const auto& text) { return param.is_named(text.first); });
      if (known != texts.end()) claim.*known->second = param.text();
    });
  claim.mark = is_trusted ? sip::to_lower(claim.mark) : std::string{};
  claim.algorithm = claim.algorithm_text.empty() ? sip::DigestAlgorithm{}
                                                 : sip::parse_digest_algorithm(claim.algorithm_text);
  if (claim.qop.empty()) {
    claim.nonce_count_text.clear();
    return claim;
  }
  claim.nonce_count = parse_nonce_count(claim.nonce_count_text);
  if (!claim.nonce_count || claim.cnonce.empty() || !sip::equal_ignoring_case(claim.qop, "auth"))
    return std::nullopt;
  return claim;
}

Verdict Authenticator::judge(const std::optional<sip::Credentials>& authorization, std::string_view impi,
                             std::string_view impu, const Sender& sender, Now now) {
  const auto claim = read_claim(authorization, sender.is_trusted);
  if (!claim) return Refused{.status_code = 400, .reason = RefusalReason::malformed};
  const auto subscriber = subscribers_.find_private(impi);
  if (!subscriber && subscribers_.has_failed())
    return Refused{.status_code = 503, .reason = RefusalReason::unavailable};
  Verdict verdict = judge_claim(*claim, subscriber, impi, sender, now);
  if (!std::holds_alternative<Accepted>(verdict)) return verdict;
  if (subscriber->is_barred) return Refused{.reason = RefusalReason::barred};
  if (std::find(subscriber->impus.begin(), subscriber->impus.end(), impu) == subscriber->impus.end())
    return Refused{.reason = RefusalReason::identity_mismatch};
  return verdict;
}

// TS 24.229 section 5.4.1.2: what the edge has seen, then what the client has shown.
Verdict Authenticator::judge_claim(const Claim& claim, const std::optional<Subscriber>& subscriber,
                                   std::string_view impi, const Sender& sender, Now now) {
  const bool is_known_flow = claim.mark == "tls-yes" || claim.mark == "ip-assoc-yes" || claim.mark == "yes";
  const bool is_vouched = claim.response.empty() && sender.is_registered && is_known_flow;
  if (claim.mark == "auth-done" || is_vouched) {
    if (!subscriber) return Refused{.reason = RefusalReason::unknown_identity};
    return Accepted{.subscriber = *subscriber};
  }
  const bool is_aka_answer = claim.algorithm && claim.algorithm->aka_version != 0;
  if (is_aka_answer && !claim.auts.empty()) return resynchronise(claim, subscriber, impi, now);
  // Whoever it is: a stranger does not learn which identities there are.
  if (claim.response.empty() || !claim.algorithm) return challenge(claim, subscriber, impi, false, now);
  return verify(claim, subscriber, impi, now);
}

Verdict Authenticator::verify(const Claim& claim, const std::optional<Subscriber>& subscriber,
                              std::string_view impi, Now now) {
  const sip::DigestHash hash = claim.algorithm->hash;
  std::string ha1;
  if (claim.algorithm->aka_version != 0) {
    const auto nonce = AkaNonce::parse(claim.nonce);
    if (nonce && subscriber && subscriber->aka) {
      const Milenage milenage{subscriber->aka->k.reveal(), subscriber->aka->opc.reveal()};
      const Secret password = make_aka_password(*claim.algorithm, milenage.f2345(nonce->rand));
      ha1 = sip::make_ha1(hash, impi, settings_.domain, password.reveal_text());
    }
  } else if (subscriber && subscriber->digest) {
    const Secret& secret =
        hash == sip::DigestHash::md5 ? subscriber->digest->ha1_md5 : subscriber->digest->ha1_sha256;
    ha1 = secret.reveal_text();
  }
  // The uri is taken as it stands: a proxy between may have written the Request-URI anew.
  sip::DigestProof proof{.hash = hash,
                         .ha1 = ha1,
                         .nonce = claim.nonce,
                         .nonce_count = claim.nonce_count_text,
                         .cnonce = claim.cnonce,
                         .method = "REGISTER",
                         .uri = claim.uri};
  // Computed for strangers too, so that they take as long.
  const std::string expected = sip::make_digest_response(proof);
  const bool is_right =
      crypto::equal_in_constant_time(as_bytes(expected), as_bytes(sip::to_lower(claim.response)));
  if (!subscriber) return Refused{.reason = RefusalReason::unknown_identity};
  if (ha1.empty() || !is_right) return Refused{.reason = RefusalReason::wrong_response};
  // RFC 7616 section 3.3: stale says that the password was right.
  if (const NonceState state = use_nonce(claim, impi, now); state != NonceState::good) {
    Verdict verdict = challenge(claim, subscriber, impi, true, now);
    if (auto* challenged = std::get_if<Challenged>(&verdict))
      challenged->is_replay = state == NonceState::used;
    return verdict;
  }
  Accepted accepted{.subscriber = *subscriber};
  if (claim.nonce_count) {
    proof.method = {};
    accepted.authentication_info = "qop=auth, rspauth=\"" + sip::make_digest_response(proof) +
                                   "\", cnonce=" + sip::quoted_string(claim.cnonce) +
                                   ", nc=" + claim.nonce_count_text;
  }
  return accepted;
}

Verdict Authenticator::challenge(const Claim& claim, const std::optional<Subscriber>& subscriber,
                                 std::string_view impi, bool is_stale, Now now) {
  const bool asks_for_aka = claim.mark == "tls-connected" || claim.mark == "no" ||
                            (claim.algorithm && claim.algorithm->aka_version != 0);
  if (subscriber && subscriber->aka && (asks_for_aka || !subscriber->digest))
    return challenge_card(claim, *subscriber, impi, now);
  const std::string nonce = make_nonce(impi, now);
  Challenged challenged;
  // RFC 8760 section 2.4: the one that is preferred first.
  for (const std::string_view algorithm : {"SHA-256", "MD5"})
    challenged.rows.push_back(make_row(nonce, algorithm, is_stale));
  return challenged;
}

std::string Authenticator::make_row(std::string_view nonce, std::string_view algorithm, bool is_stale) const {
  std::string row = "Digest realm=\"" + settings_.domain + "\", nonce=\"";
  row += nonce;
  row += "\", algorithm=";
  row += algorithm;
  row += ", qop=\"auth\"";
  if (is_stale) row += ", stale=true";
  return row;
}

// --- AKA --------------------------------------------------------------------------------------------------

Verdict Authenticator::challenge_card(const Claim& claim, const Subscriber& subscriber, std::string_view impi,
                                      Now now) {
  // TS 24.229 section 5.4.1.2.1: tls-connected means AKA without IPsec, which has version 2 alone.
  sip::DigestAlgorithm algorithm{.hash = sip::DigestHash::md5, .aka_version = 1};
  if (claim.mark == "tls-connected")
    algorithm = {.hash = sip::DigestHash::sha256, .aka_version = 2};
  else if (claim.algorithm && claim.algorithm->aka_version != 0)
    algorithm = *claim.algorithm;
  // The next sequence, with index 0. A challenge whose number was not kept could be made twice.
  const std::uint64_t sqn = ((subscriber.aka->sqn >> sqn_index_bits) + 1) << sqn_index_bits;
  if (sqn >= sqn_bound || !subscribers_.store_sqn(impi, sqn))
    return Refused{.status_code = 503, .reason = RefusalReason::unavailable, .impi = std::string{impi}};
  AkaNonce nonce{.rand = random_.draw<16>()};
  nonce.autn = make_autn(*subscriber.aka, nonce.rand, sqn);
  std::array<Byte, nonce_time_size> time{};
  store_big<std::uint64_t>(time.data(), static_cast<std::uint64_t>(now.wall.time_since_epoch().count()));
  nonce.data.assign(time.begin(), time.end());
  const auto mac = mac_of(nonce, impi);
  nonce.data.insert(nonce.data.end(), mac.begin(), mac.end());
  Challenged challenged;
  challenged.rows.push_back(make_row(nonce.text(), sip::to_string(algorithm), false));
  return challenged;
}

// RFC 3310 section 3.4: the card has seen a higher number. MAC-S proves that it is the card that says so.
Verdict Authenticator::resynchronise(const Claim& claim, const std::optional<Subscriber>& subscriber,
                                     std::string_view impi, Now now) {
  const auto nonce = AkaNonce::parse(claim.nonce);
  if (!nonce || !subscriber || !subscriber->aka || !nonce_time(claim.nonce, impi))
    return challenge(claim, subscriber, impi, false, now);
  const auto sqn = open_auts(*subscriber->aka, nonce->rand, claim.auts);
  if (!sqn) return Refused{.reason = RefusalReason::wrong_response, .impi = std::string{impi}};
  Subscriber corrected = *subscriber;
  // TS 33.102 section 6.3.5: a number of the past changes nothing, for the next one is above it already.
  corrected.aka->sqn = std::max(subscriber->aka->sqn, *sqn);
  return challenge_card(claim, corrected, impi, now);
}

// Over all of the nonce but the MAC itself.
crypto::Sha256 Authenticator::mac_of(const AkaNonce& nonce, std::string_view impi) const {
  ByteVector bytes{nonce.rand.begin(), nonce.rand.end()};
  bytes.insert(bytes.end(), nonce.autn.begin(), nonce.autn.end());
  bytes.insert(bytes.end(), nonce.data.begin(), nonce.data.begin() + nonce_time_size);
  return crypto::hmac_sha256(key_, bytes, as_bytes(impi));
}

// --- nonces -----------------------------------------------------------------------------------------------

// Hex of: when it was made, salt, and a MAC over both and the private identity.
std::string Authenticator::make_nonce(std::string_view impi, Now now) {
  std::array<Byte, nonce_size> bytes{};
  store_big<std::uint64_t>(bytes.data(), static_cast<std::uint64_t>(now.wall.time_since_epoch().count()));
  const auto salt = random_.draw<nonce_salt_size>();
  std::copy(salt.begin(), salt.end(), bytes.begin() + nonce_time_size);
  const auto mac = crypto::hmac_sha256(key_, Bytes{bytes}.first(nonce_size - nonce_mac_size), as_bytes(impi));
  std::copy_n(mac.begin(), nonce_mac_size, bytes.end() - nonce_mac_size);
  return to_hex(bytes);
}

std::optional<WallTime> Authenticator::nonce_time(std::string_view nonce, std::string_view impi) const {
  const auto time_of = [](const Byte* at) {
    return WallTime{Duration{static_cast<std::int64_t>(load_big<std::uint64_t>(at))}};
  };
  const auto bytes = from_hex(nonce);
  if (bytes && bytes->size() == nonce_size) {
    const auto mac =
        crypto::hmac_sha256(key_, Bytes{*bytes}.first(nonce_size - nonce_mac_size), as_bytes(impi));
    if (crypto::equal_in_constant_time(Bytes{mac}.first(nonce_mac_size), Bytes{*bytes}.last(nonce_mac_size)))
      return time_of(bytes->data());
    return std::nullopt;
  }
  const auto aka = AkaNonce::parse(nonce);
  if (!aka || aka->data.size() != nonce_time_size + sizeof(crypto::Sha256)) return std::nullopt;
  if (!crypto::equal_in_constant_time(mac_of(*aka, impi), Bytes{aka->data}.last(sizeof(crypto::Sha256))))
    return std::nullopt;
  return time_of(aka->data.data());
}

// False: it is not ours, too old, or this count was used before (RFC 7616 section 5.12).
Authenticator::NonceState Authenticator::use_nonce(const Claim& claim, std::string_view impi, Now now) {
  const auto made_at = nonce_time(claim.nonce, impi);
  if (!made_at || *made_at > now.wall || *made_at + settings_.nonce_lifetime <= now.wall)
    return NonceState::ended;
  auto entry = counts_.find(impi);
  if (entry == counts_.end()) entry = counts_.emplace(std::string{impi}, NonceUses{}).first;
  NonceUses& nonces = entry->second;
  nonces.used_at = now.mono;
  const auto use = std::find_if(nonces.uses.begin(), nonces.uses.end(),
                                [&](const NonceUse& known) { return known.nonce == claim.nonce; });
  if (use != nonces.uses.end()) {
    // Without a count a nonce is good for once.
    if (!claim.nonce_count || *claim.nonce_count <= use->count_last) return NonceState::used;
    use->count_last = *claim.nonce_count;
    return NonceState::good;
  }
  if (*made_at <= nonces.refused_until) return NonceState::ended;
  if (nonces.uses.size() >= settings_.limits.nonces_max) {
    nonces.refused_until = std::max(nonces.refused_until, nonces.uses.front().made_at);
    nonces.uses.pop_front();
  }
  nonces.uses.push_back(
      {.nonce = claim.nonce, .made_at = *made_at, .count_last = claim.nonce_count.value_or(UINT32_MAX)});
  return NonceState::good;
}

void Authenticator::on_timeout(Now now) {
  if (swept_at_ + settings_.nonce_lifetime > now.mono) return;
  swept_at_ = now.mono;
  std::erase_if(counts_, [&](const auto& entry) {
    return entry.second.used_at + settings_.nonce_lifetime <= now.mono;
  });
}

}  // namespace turnpike::ims
