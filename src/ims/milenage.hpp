#pragma once
// Milenage, the example functions f1 to f5* of TS 35.206 over AES-128. Their names and letters are that
// document's.

#include <array>

#include "base/bytes.hpp"
#include "base/secret.hpp"

namespace turnpike::ims {

using AkaBlock = std::array<Byte, 16>;
using AkaSequence = std::array<Byte, 6>;  // SQN, and AK which hides it
using AkaAmf = std::array<Byte, 2>;
using AkaMac = std::array<Byte, 8>;

// OPc of an operator's OP; K and OP have 16 bytes.
AkaBlock make_opc(Bytes k, Bytes op);

struct MilenageAnswer {
  AkaMac res{};        // f2
  AkaBlock ck{};       // f3
  AkaBlock ik{};       // f4
  AkaSequence ak{};    // f5
  AkaSequence ak_s{};  // f5*, for resynchronisation
};

class Milenage {
 public:
  // Both have 16 bytes.
  Milenage(Bytes k, Bytes opc);

  [[nodiscard]] AkaMac f1(const AkaBlock& rand, const AkaSequence& sqn, const AkaAmf& amf) const;    // MAC-A
  [[nodiscard]] AkaMac f1_s(const AkaBlock& rand, const AkaSequence& sqn, const AkaAmf& amf) const;  // MAC-S
  [[nodiscard]] MilenageAnswer f2345(const AkaBlock& rand) const;

 private:
  [[nodiscard]] AkaBlock encrypt(const AkaBlock& block) const;
  [[nodiscard]] AkaBlock out1(const AkaBlock& rand, const AkaSequence& sqn, const AkaAmf& amf) const;
  [[nodiscard]] AkaBlock out(const AkaBlock& temp, std::size_t rotation_bytes, Byte constant) const;
  Secret k_;
  AkaBlock opc_{};
};

}  // namespace turnpike::ims
