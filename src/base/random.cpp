#include "base/random.hpp"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <bit>

#include "base/check.hpp"

namespace turnpike {

std::uint32_t Random::below(std::uint32_t bound) {
  check(bound > 0, "a random number below zero was asked for");
  const std::uint32_t uneven = (0U - bound) % bound;  // values under it would favour small results
  for (;;) {
    const std::uint32_t value = next_u32();
    if (value >= uneven) return value % bound;
  }
}

SystemRandom::~SystemRandom() { OPENSSL_cleanse(pool_.data(), pool_.size()); }

void SystemRandom::fill(MutableBytes bytes) {
  if (bytes.size() > pool_.size() / 4) {
    check(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1, "no randomness from OpenSSL");
    return;
  }
  if (used_ + bytes.size() > pool_.size()) {
    check(RAND_bytes(pool_.data(), static_cast<int>(pool_.size())) == 1, "no randomness from OpenSSL");
    used_ = 0;
  }
  if (bytes.empty()) return;
  std::memcpy(bytes.data(), pool_.data() + used_, bytes.size());
  OPENSSL_cleanse(pool_.data() + used_, bytes.size());  // what was handed out is not kept
  used_ += bytes.size();
}

SeededRandom::SeededRandom(std::uint64_t seed) {
  for (auto& word : state_) {  // splitmix64 spreads the seed over the state
    seed += 0x9e3779b97f4a7c15;
    std::uint64_t mixed = seed;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    word = mixed ^ (mixed >> 31);
  }
}

std::uint64_t SeededRandom::step() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

void SeededRandom::fill(MutableBytes bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const std::uint64_t word = step();
    for (unsigned i = 0; i < 8 && at < bytes.size(); ++i) bytes[at++] = static_cast<Byte>(word >> (8 * i));
  }
}

SeededRandom SeededRandom::fork() { return SeededRandom{next_u64()}; }

}  // namespace turnpike
