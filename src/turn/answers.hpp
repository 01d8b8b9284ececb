#pragma once
// Answers to requests, protected as the request was (RFC 8489 section 9.2.4). To those who have proved
// nothing they are as small as the RFC lets them be: no SOFTWARE, no reason phrase, FINGERPRINT only in
// return.

#include <string_view>

#include "base/function_ref.hpp"
#include "stun/message.hpp"
#include "turn/effect_queue.hpp"
#include "turn/exchange.hpp"

namespace turnpike::turn {

using AddAttributes = FunctionRef<void(stun::Writer&)>;

class Answers {
 public:
  // The text outlives the answers.
  Answers(std::string_view software, EffectQueue& effects) : software_(software), effects_(&effects) {}

  void succeed(const Exchange& exchange, AddAttributes add);
  void refuse(const Exchange& exchange, stun::ErrorCode code, AddAttributes add);

 private:
  void send(const Exchange& exchange, stun::Writer& writer);

  std::string_view software_;
  EffectQueue* effects_;
};

}  // namespace turnpike::turn
