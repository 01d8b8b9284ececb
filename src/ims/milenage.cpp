#include "ims/milenage.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/crypto.hpp"

namespace turnpike::ims {
namespace {

AkaBlock exclusive_or(const AkaBlock& a, const AkaBlock& b) {
  AkaBlock result;
  std::transform(a.begin(), a.end(), b.begin(), result.begin(),
                 [](Byte x, Byte y) { return static_cast<Byte>(x ^ y); });
  return result;
}

// rot(x, r) towards the most significant bit; the r of Milenage are whole bytes.
AkaBlock rotated(AkaBlock block, std::size_t bytes) {
  std::rotate(block.begin(), block.begin() + static_cast<std::ptrdiff_t>(bytes), block.end());
  return block;
}

AkaBlock block_of(Bytes bytes) {
  AkaBlock block{};
  check(bytes.size() == block.size(), "a key of Milenage has 16 bytes");
  std::copy(bytes.begin(), bytes.end(), block.begin());
  return block;
}

}  // namespace

AkaBlock make_opc(Bytes k, Bytes op) {
  const AkaBlock block = block_of(op);
  return exclusive_or(crypto::aes128_encrypt(k, block), block);
}

Milenage::Milenage(Bytes k, Bytes opc) : k_(k), opc_(block_of(opc)) {
  check(k.size() == opc_.size(), "a key of Milenage has 16 bytes");
}

AkaBlock Milenage::encrypt(const AkaBlock& block) const { return crypto::aes128_encrypt(k_.reveal(), block); }

// OUT1 = E[TEMP xor rot(IN1 xor OPc, r1) xor c1] xor OPc, with r1 = 64 and c1 = 0.
AkaBlock Milenage::out1(const AkaBlock& rand, const AkaSequence& sqn, const AkaAmf& amf) const {
  AkaBlock in1;
  for (std::size_t half = 0; half < 16; half += 8) {
    std::copy(sqn.begin(), sqn.end(), in1.begin() + static_cast<std::ptrdiff_t>(half));
    std::copy(amf.begin(), amf.end(), in1.begin() + static_cast<std::ptrdiff_t>(half + sqn.size()));
  }
  const AkaBlock temp = encrypt(exclusive_or(rand, opc_));
  return exclusive_or(encrypt(exclusive_or(temp, rotated(exclusive_or(in1, opc_), 8))), opc_);
}

// OUTn = E[rot(TEMP xor OPc, rn) xor cn] xor OPc; each cn has one bit, in its last byte.
AkaBlock Milenage::out(const AkaBlock& temp, std::size_t rotation_bytes, Byte constant) const {
  AkaBlock in = rotated(exclusive_or(temp, opc_), rotation_bytes);
  in.back() ^= constant;
  return exclusive_or(encrypt(in), opc_);
}

AkaMac Milenage::f1(const AkaBlock& rand, const AkaSequence& sqn, const AkaAmf& amf) const {
  AkaMac mac;
  std::copy_n(out1(rand, sqn, amf).begin(), mac.size(), mac.begin());
  return mac;
}

AkaMac Milenage::f1_s(const AkaBlock& rand, const AkaSequence& sqn, const AkaAmf& amf) const {
  AkaMac mac;
  std::copy_n(out1(rand, sqn, amf).begin() + 8, mac.size(), mac.begin());
  return mac;
}

MilenageAnswer Milenage::f2345(const AkaBlock& rand) const {
  const AkaBlock temp = encrypt(exclusive_or(rand, opc_));
  MilenageAnswer answer;
  const AkaBlock out2 = out(temp, 0, 1);
  std::copy_n(out2.begin() + 8, answer.res.size(), answer.res.begin());
  std::copy_n(out2.begin(), answer.ak.size(), answer.ak.begin());
  answer.ck = out(temp, 4, 2);
  answer.ik = out(temp, 8, 4);
  const AkaBlock out5 = out(temp, 12, 8);
  std::copy_n(out5.begin(), answer.ak_s.size(), answer.ak_s.begin());
  return answer;
}

}  // namespace turnpike::ims
