#include "store/sealer.hpp"

#include "base/crypto.hpp"

namespace turnpike::store {
namespace {

constexpr std::size_t nonce_size = 12;

}  // namespace

std::expected<Sealer, std::string> Sealer::make(const Secret& key) {
  if (key.size() != key_size)
    return std::unexpected("the key that encrypts has to have " + std::to_string(key_size) +
                           " bytes, found " + std::to_string(key.size()));
  return Sealer{key};
}

ByteVector Sealer::seal(std::string_view name, Bytes secret) {
  const auto nonce = random_.draw<nonce_size>();
  ByteVector box{nonce.begin(), nonce.end()};
  const ByteVector sealed = crypto::aes_gcm_seal(key_.reveal(), nonce, as_bytes(name), secret);
  box.insert(box.end(), sealed.begin(), sealed.end());
  return box;
}

std::optional<Secret> Sealer::open(std::string_view name, Bytes box) const {
  if (box.size() < nonce_size + crypto::gcm_tag_size) return std::nullopt;
  auto opened =
      crypto::aes_gcm_open(key_.reveal(), box.first(nonce_size), as_bytes(name), box.subspan(nonce_size));
  if (!opened) return std::nullopt;
  Secret secret{*opened};
  wipe(*opened);
  return secret;
}

}  // namespace turnpike::store
