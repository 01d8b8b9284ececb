// A registration brings credentials, and takes them along when it ends.

#include "sim/scenarios/edge_scenario.hpp"

namespace turnpike::sim {
namespace {

struct Registrations : EdgeScenario {};

struct Login {
  std::string_view name;
  WicWish wish;
};
class RegistrationByEachLogin : public EdgeScenario, public testing::WithParamInterface<Login> {};
INSTANTIATE_TEST_SUITE_P(All, RegistrationByEachLogin,
                         testing::Values(Login{"password", {.user = "alice"}},
                                         Login{"card", {.user = "carol"}}, Login{"token", {.user = "dave"}},
                                         Login{"bare_token",
                                               {.user = "dave", .spelling = client::BearerSpelling::bare}},
                                         Login{"lent_identity", {.user = "guest1"}}),
                         [](const auto& login) { return std::string{login.param.name}; });

TEST_P(RegistrationByEachLogin, BringsCredentialsThatEndWithIt) {
  WicHost& wic = enrolled_wic(GetParam().wish);
  const std::string username = username_of(wic);
  EXPECT_TRUE(takes(0, username) && takes(1, username));
  EXPECT_EQ(allocations(), 1U);
  wic.stop();
  ASSERT_TRUE(stage.wait([&] { return wic.unregistered == 1; }, seconds{10}));
  stage.pass(seconds{1});
  EXPECT_FALSE(takes(0, username) || takes(1, username));
  EXPECT_EQ(allocations(), 0U) << "what was relayed ends, too";
}

TEST_P(RegistrationByEachLogin, IsRenewedForHours) {
  WicHost& wic = enrolled_wic(GetParam().wish);
  stage.pass(minutes{55});
  EXPECT_TRUE(wic.is_registered());
  EXPECT_GE(wic.registered.size(), 10U);
  EXPECT_TRUE(stage.allocate(wic)) << "with the newest credentials";
}

TEST_F(Registrations, EachRenewalBringsOtherCredentialsAndLeavesTheOldOnes) {
  WicHost& wic = enrolled_wic();
  const std::string first = username_of(wic);
  ASSERT_TRUE(stage.wait([&] { return wic.registered.size() == 2; }, minutes{10}));
  EXPECT_NE(username_of(wic), first);
  EXPECT_TRUE(takes(0, first)) << "somebody may be talking";
  EXPECT_EQ(allocations(), 1U);
}

TEST_F(Registrations, OfTwoDevicesHaveCredentialsAndEndsOfTheirOwn) {
  WicHost& phone = enrolled_wic();
  WicHost& tablet = enrolled_wic();
  EXPECT_NE(username_of(phone), username_of(tablet));
  phone.stop();
  stage.pass(seconds{2});
  EXPECT_FALSE(takes(0, username_of(phone)));
  EXPECT_TRUE(takes(0, username_of(tablet)));
  EXPECT_EQ(allocations(), 1U);
}

TEST_F(Registrations, EndWhenTheNetworkSaysSo) {
  WicHost& wic = enrolled_wic();
  const std::string username = username_of(wic);
  ASSERT_TRUE(stage.core.deregister("alice@ims.example", ims::ContactEvent::deactivated));
  ASSERT_TRUE(stage.wait([&] { return wic.closed_by_edge == 1; }, seconds{5}));
  stage.pass(seconds{1});
  EXPECT_FALSE(takes(0, username));
  EXPECT_EQ(allocations(), 0U);
  // It comes back, and is somebody new.
  ASSERT_TRUE(stage.wait([&] { return wic.registered.size() == 2; }, seconds{10}));
  EXPECT_NE(username_of(wic), username);
}

TEST_F(Registrations, EndWhenAnOperatorSaysSo) {
  WicHost& wic = enrolled_wic();
  const std::string username = username_of(wic);
  EXPECT_EQ(stage.edge.deregister("alice@ims.example"), 1U);
  stage.pass(seconds{1});
  EXPECT_EQ(wic.closed_by_edge, 1U);
  EXPECT_FALSE(takes(0, username));
}

TEST_F(Registrations, EndWithTheirToken) {
  WicHost& wic = enrolled_wic({.user = "dave", .token_life = seconds{100}});
  const std::string username = username_of(wic);
  stage.pass(seconds{98});
  EXPECT_TRUE(takes(0, username));
  stage.pass(seconds{4});
  EXPECT_FALSE(takes(0, username));
  EXPECT_EQ(allocations(), 0U);
}

TEST_F(Registrations, OfALentIdentityEndWhenItIsLentAgain) {
  WicHost& former = enrolled_wic({.user = "guest1"});
  WicHost& bystander = enrolled_wic({.user = "guest2"});
  WicHost& later = stage.add_wic({.user = "guest1"});
  former.leave();  // its page is gone, its registration is not yet
  ASSERT_TRUE(stage.enroll(later));
  stage.pass(seconds{1});
  EXPECT_FALSE(takes(0, username_of(former)));
  EXPECT_TRUE(takes(0, username_of(later)) && takes(0, username_of(bystander)));
}

TEST_F(Registrations, OverAPlainConnectionBringNoCredentials) {
  WicHost& wic = stage.add_wic({.is_secure = false});
  ASSERT_TRUE(stage.enroll(wic));
  EXPECT_FALSE(wic.registered.back().credentials);
  EXPECT_NE(wic.registered.back().warning.find("not_secure"), std::string::npos);
  EXPECT_EQ(stage.model.tally().pushes, 0U);
}

TEST_F(Registrations, WithAWrongPasswordBringNothing) {
  WicHost& wic = stage.add_wic();
  auto agent = stage.make_agent({.user = "bob"});
  std::get<client::DigestLogin>(agent.login).password = Secret::from_text("guessed");
  wic.reload(agent);
  EXPECT_FALSE(stage.enroll(wic));
  EXPECT_EQ(stage.model.tally().pushes, 0U);
  EXPECT_EQ(stage.model.tally().registrations, 0U);
}

TEST_F(Registrations, BringCredentialsAsABodyAndTokensWhereTheyAreAskedFor) {
  WicHost& wic = enrolled_wic({.credentials = client::CredentialsAsk::body});
  EXPECT_TRUE(wic.registered.back().credentials->is_from_body);
  WicHost& native = enrolled_wic({.user = "bob", .wants_token = true});
  ASSERT_EQ(native.registered.back().credentials->entries.size(), 2U);
  EXPECT_EQ(native.registered.back().credentials->entries.back().form, provisioning::Form::oauth);
}

}  // namespace
}  // namespace turnpike::sim
