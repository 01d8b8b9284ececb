#include "epcscf/flow_tokens.hpp"

#include <gtest/gtest.h>

#include "epcscf/identities.hpp"
#include "epcscf/registrations.hpp"

namespace turnpike::epcscf {
namespace {

TEST(FlowToken, ComesBackAsItWasSealed) {
  SeededRandom random{1};
  const FlowTokens tokens{random};
  for (const FlowToken& token :
       {FlowToken{TokenUse::path, FlowId{1}, {}}, FlowToken{TokenUse::record_route, FlowId{UINT64_MAX}, {}},
        FlowToken{TokenUse::record_route, FlowId{7}, sip::Hop{sip::Transport::tcp, "[2001:db8::1]", 6060}}})
    EXPECT_EQ(tokens.open(tokens.seal(token)), token);
}

TEST(FlowToken, IsNotMadeUp) {
  SeededRandom random{1};
  const FlowTokens tokens{random};
  const FlowTokens others{random};
  const std::string sealed =
      tokens.seal({TokenUse::record_route, FlowId{7}, sip::Hop{sip::Transport::udp, "a.example", 5060}});
  EXPECT_FALSE(others.open(sealed));
  for (std::size_t at = 0; at < sealed.size(); ++at) {
    std::string forged = sealed;
    forged[at] = forged[at] == 'A' ? 'Q' : 'A';
    EXPECT_FALSE(tokens.open(forged)) << at;
    EXPECT_FALSE(tokens.open(sealed.substr(0, at)));
  }
  EXPECT_FALSE(tokens.open(std::string(1000, 'A')));
}

TEST(Identity, HasOneSpelling) {
  EXPECT_EQ(canonical_identity("sips:Alice@IMS.Example:5061;user=phone"), "sip:Alice@ims.example");
  EXPECT_EQ(canonical_identity("sip:%41lice@ims.example"), "sip:Alice@ims.example");
  EXPECT_EQ(canonical_identity("tel:+1-555-0100;x=y"), "tel:+15550100");
  EXPECT_EQ(derive_impi(*sip::Uri::parse("sip:alice@IMS.example")), "alice@ims.example");
  EXPECT_EQ(derive_impi(*sip::Uri::parse("tel:+15550100")), "");
}

TEST(Identity, APoolIsAListOrADomain) {
  EXPECT_TRUE(matches_identity_pattern("*@pool.example", "guest@POOL.example"));
  EXPECT_FALSE(matches_identity_pattern("*@pool.example", "guest@sub.pool.example"));
  EXPECT_FALSE(matches_identity_pattern("*@pool.example", "@pool.example"));
  EXPECT_FALSE(matches_identity_pattern("*@pool.example", "a@x@pool.example.evil"));
  EXPECT_TRUE(matches_identity_pattern("guest@pool.example", "guest@pool.example"));
  EXPECT_FALSE(matches_identity_pattern("guest@pool.example", "guest2@pool.example"));
}

TEST(Registrations, ForgetNothingAndKeepNothing) {
  Registrations table;
  Registration& first = table.add({"impi", "sip:a", "i1", "1"}, FlowId{1});
  table.set_identities(first, {"sip:a", "tel:+1"});
  table.set_end(first, Instant{std::chrono::seconds{9}}, std::nullopt);
  EXPECT_EQ(table.of_identity("tel:+1").size(), 1U);
  for (std::uint64_t flow = 2; flow < 20; ++flow) table.move(first, FlowId{flow});
  EXPECT_EQ(table.find_successor(FlowId{18}), FlowId{19});
  EXPECT_FALSE(table.find_successor(FlowId{2})) << "only the last ones are remembered";
  EXPECT_FALSE(table.has_flow(FlowId{18}));
  EXPECT_EQ(table.of_flow(FlowId{19}).size(), 1U);
  EXPECT_FALSE(table.find_due(Instant{std::chrono::seconds{8}}));
  EXPECT_TRUE(table.find_due(Instant{std::chrono::seconds{9}}));
  table.remove(first.id);
  EXPECT_EQ(table.size(), 0U);
  EXPECT_FALSE(table.next_timeout());
  EXPECT_FALSE(table.find_successor(FlowId{18}));
  EXPECT_TRUE(table.of_identity("tel:+1").empty());
  EXPECT_TRUE(table.of_impi("impi").empty());
}

}  // namespace
}  // namespace turnpike::epcscf
