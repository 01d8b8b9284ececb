#pragma once
// Randomness as a parameter: pure code draws from the Random& that it is handed.

#include <array>
#include <cstdint>

#include "base/bytes.hpp"

namespace turnpike {

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(MutableBytes bytes) = 0;

  std::uint32_t next_u32() {
    std::array<Byte, 4> bytes;
    fill(bytes);
    return load_big<std::uint32_t>(bytes.data());
  }
  std::uint64_t next_u64() {
    std::array<Byte, 8> bytes;
    fill(bytes);
    return load_big<std::uint64_t>(bytes.data());
  }
  // Evenly distributed in [0, bound); bound > 0.
  std::uint32_t below(std::uint32_t bound);
  template <std::size_t size>
  std::array<Byte, size> draw() {
    std::array<Byte, size> bytes;
    fill(bytes);
    return bytes;
  }
};

// The operating system's generator through OpenSSL, buffered; one object per thread.
class SystemRandom final : public Random {
 public:
  ~SystemRandom() override;
  void fill(MutableBytes bytes) override;

 private:
  std::array<Byte, 1024> pool_{};
  std::size_t used_ = sizeof(pool_);
};

// Reproducible from its seed (xoshiro256**); for simulations, tests and load generators. Not for secrets.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed);
  void fill(MutableBytes bytes) override;
  // A generator of its own, so that one actor's draws do not shift another's.
  SeededRandom fork();

 private:
  std::uint64_t step();
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace turnpike
