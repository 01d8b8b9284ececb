#include "client/wic_credentials.hpp"

#include <gtest/gtest.h>

namespace turnpike::client {
namespace {

using credentials::Source;
using provisioning::Entry;
using provisioning::Form;

Entry user(std::string name, std::vector<std::string> uris = {"turn:127.0.0.1"}) {
  return {.uris = std::move(uris), .username = std::move(name), .password = Secret::from_text("p")};
}

Entry token() {
  return {.form = Form::oauth,
          .uris = {"turn:127.0.0.1:4000"},
          .username = "k1.s",
          .password = Secret::from_text("a2V5"),
          .access_token = {1, 2, 3}};
}

TEST(WicCredentials, ShowHowTheyWereMade) {
  EXPECT_EQ(find_source(user("1900000000:k1.id")), Source::computed);
  EXPECT_EQ(find_source(user("1900000000")), Source::pushed);
  EXPECT_EQ(find_source(user(":id")), Source::pushed);
  EXPECT_EQ(find_source(user("k3j8fh2kd93jd")), Source::pushed);
  EXPECT_EQ(find_source(user("a.b@c")), Source::pushed);
  EXPECT_EQ(find_source(user("t1.AAxDnFPX5uHXdewxZNb1OdvfD9RclHq_MTjiKSMf")), Source::token);
  EXPECT_EQ(find_source(token()), Source::token);
}

TEST(WicCredentials, AreChosenInTheirOrderButForTokensThatArePreferred) {
  const std::vector<Entry> entries{user("unreachable", {"turns:127.0.0.1"}), user("u"), token()};
  const auto first = choose_relay(entries);
  ASSERT_TRUE(first);
  EXPECT_EQ(std::get<turn::PasswordCredential>(first->credential).username, "u");
  const auto preferred = choose_relay(entries, true);
  ASSERT_TRUE(preferred);
  EXPECT_EQ(std::get<turn::TokenCredential>(preferred->credential).kid, "k1.s");
  EXPECT_EQ(preferred->uri.port, 4000);
  // Better than nothing.
  EXPECT_EQ(std::get<turn::PasswordCredential>(choose_relay({user("u")}, true)->credential).username, "u");
  EXPECT_FALSE(choose_relay({}, true));
  Entry broken = token();
  broken.password = Secret::from_text("?");
  EXPECT_FALSE(choose_relay({broken}, true));
}

}  // namespace
}  // namespace turnpike::client
