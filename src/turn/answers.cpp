#include "turn/answers.hpp"

#include <array>

#include "base/check.hpp"

namespace turnpike::turn {
namespace {

// Room for a challenge with the longest realm, nonce and server name, of 763 bytes each.
using Buffer = std::array<Byte, 3072>;

}  // namespace

void Answers::succeed(const Exchange& exchange, AddAttributes add) {
  Buffer buffer;
  stun::Writer writer{buffer, exchange.method, stun::Class::success, exchange.id};
  add(writer);
  send(exchange, writer);
}

void Answers::refuse(const Exchange& exchange, stun::ErrorCode code, AddAttributes add) {
  Buffer buffer;
  stun::Writer writer{buffer, exchange.method, stun::Class::error, exchange.id};
  writer.add_error(code, exchange.grant ? stun::reason_phrase(code) : std::string_view{});
  add(writer);
  send(exchange, writer);
}

void Answers::send(const Exchange& exchange, stun::Writer& writer) {
  if (exchange.grant) {
    const Bytes key = exchange.grant->key.reveal();
    if (!software_.empty()) writer.add_text(stun::AttributeType::software, software_);
    if (exchange.integrity == Integrity::sha1) writer.add_integrity(key);
    if (exchange.integrity == Integrity::sha256) writer.add_integrity_sha256(key);
  }
  if (exchange.has_fingerprint) writer.add_fingerprint();
  const auto bytes = writer.finish();
  check(bytes.has_value(), "an answer does not fit its buffer");
  effects_->push(SendToClient{exchange.from, to_vector(*bytes)});
}

}  // namespace turnpike::turn
