#include "ims/milenage.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>

namespace turnpike::ims {
namespace {

template <typename Array>
Array hex(std::string_view text) {
  Array array{};
  const auto bytes = from_hex(text);
  std::copy(bytes->begin(), bytes->end(), array.begin());
  return array;
}

// TS 35.207, test set 1.
const auto k = hex<AkaBlock>("465b5ce8b199b49faa5f0a2ee238a6bc");
const auto rand = hex<AkaBlock>("23553cbe9637a89d218ae64dae47bf35");
const auto sqn = hex<AkaSequence>("ff9bb4d0b607");
const auto amf = hex<AkaAmf>("b9b9");
const auto op = hex<AkaBlock>("cdc202d5123e20f62b6d676ac72cb318");
const auto opc = hex<AkaBlock>("cd63cb71954a9f4e48a5994e37a02baf");

TEST(Milenage, MakesOpcOfOp) { EXPECT_EQ(make_opc(k, op), opc); }

TEST(Milenage, ComputesThePublishedTestSet) {
  const Milenage milenage{k, opc};
  EXPECT_EQ(to_hex(milenage.f1(rand, sqn, amf)), "4a9ffac354dfafb3");
  EXPECT_EQ(to_hex(milenage.f1_s(rand, sqn, amf)), "01cfaf9ec4e871e9");
  const MilenageAnswer answer = milenage.f2345(rand);
  EXPECT_EQ(to_hex(answer.res), "a54211d5e3ba50bf");
  EXPECT_EQ(to_hex(answer.ck), "b40ba9a3c58b2a05bbf0d987b21bf8cb");
  EXPECT_EQ(to_hex(answer.ik), "f769bcd751044604127672711c6d3441");
  EXPECT_EQ(to_hex(answer.ak), "aa689c648370");
  EXPECT_EQ(to_hex(answer.ak_s), "451e8beca43b");
}

}  // namespace
}  // namespace turnpike::ims
