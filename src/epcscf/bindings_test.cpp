#include "epcscf/bindings.hpp"

#include <gtest/gtest.h>

namespace turnpike::epcscf {
namespace {

constexpr std::string_view uri = "sip:alice@df7jal.invalid;transport=ws";

Likeness compare(std::optional<std::string> instance, std::optional<std::string> reg_id,
                 std::string_view told = uri) {
  return compare_binding({told, std::move(instance), std::move(reg_id)}, {uri, "<urn:uuid:ab>", "1"});
}

TEST(Bindings, AreOfOneFlowWhereInstanceAndRegIdAre) {
  EXPECT_EQ(compare("<urn:uuid:AB>", "1"), Likeness::flow);
  EXPECT_EQ(compare("<urn:uuid:ab>", "1", "sip:rewritten@192.0.2.1"), Likeness::flow);
}

TEST(Bindings, AreOthersWhereTheirInstanceOrRegIdIsAnother) {
  EXPECT_EQ(compare("<urn:uuid:ab>", "2"), Likeness::none);
  EXPECT_EQ(compare("<urn:uuid:cd>", "1"), Likeness::none);
  EXPECT_EQ(compare(std::nullopt, "2"), Likeness::none);
  EXPECT_EQ(compare("<urn:uuid:cd>", std::nullopt), Likeness::none);
}

TEST(Bindings, AreTakenByTheUriWhereTheCoreDoesNotSay) {
  EXPECT_EQ(compare(std::nullopt, std::nullopt), Likeness::uri);
  EXPECT_EQ(compare("<urn:uuid:ab>", std::nullopt), Likeness::uri);
  EXPECT_EQ(compare(std::nullopt, std::nullopt, "sip:bob@df7jal.invalid;transport=ws"), Likeness::none);
}

}  // namespace
}  // namespace turnpike::epcscf
