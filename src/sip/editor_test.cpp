#include "sip/editor.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "sip/test_messages.hpp"

namespace turnpike::sip {
namespace {

using test::parsed;

// The message after `edit`.
template <typename Edit>
std::string edited(const std::string& text, Edit edit) {
  const Message message = parsed(text);
  Editor editor{message};
  edit(editor, message);
  return editor.text();
}
std::string replaced(std::string text, std::string_view old, std::string_view other) {
  check(text.find(old) != std::string::npos, "the test replaces what is not there");
  return text.replace(text.find(old), old.size(), other);
}

TEST(Editor, LeavesAMessageAsItIs) {
  test::MessageMaker maker{4};
  for (int i = 0; i < 500; ++i) {
    const std::string text = maker.next();
    ASSERT_EQ(edited(text, [](Editor&, const Message&) {}), text);
  }
}

TEST(Editor, PutsRowsInFrontOfTheirName) {
  const std::string text = test::request("Route: <sip:a>\r\n");
  EXPECT_EQ(edited(text,
                   [](Editor& editor, const Message&) {
                     editor.push_via("SIP/2.0/UDP one").push_via("SIP/2.0/UDP two").push_route("<sip:new>");
                   }),
            replaced(replaced(text, "Via: ", "Via: SIP/2.0/UDP two\r\nVia: SIP/2.0/UDP one\r\nVia: "),
                     "Route: ", "Route: <sip:new>\r\nRoute: "));
}

TEST(Editor, PutsRowsOfANewNameAtTheTopOrTheEnd) {
  const std::string text = test::request();
  EXPECT_EQ(edited(text, [](Editor& editor, const Message&) { editor.push_path("<sip:p>"); }),
            replaced(text, "Via: ", "Path: <sip:p>\r\nVia: "));
  EXPECT_EQ(edited(text,
                   [](Editor& editor, const Message&) {
                     editor.append(HeaderName::require, "path").append("X-Own", "1").append("X-Own", "2");
                   }),
            replaced(text, "\r\n\r\n", "\r\nRequire: path\r\nX-Own: 1\r\nX-Own: 2\r\n\r\n"));
}

TEST(Editor, PutsRowsBehindTheirName) {
  const std::string text = test::request("x-own: 1\r\nk: a\r\nSubject: s\r\n");
  EXPECT_EQ(edited(text, [](Editor& editor,
                            const Message&) { editor.append("Supported", "b").append("X-OWN", "2"); }),
            replaced(replaced(text, "k: a\r\n", "k: a\r\nSupported: b\r\n"), "x-own: 1\r\n",
                     "x-own: 1\r\nX-OWN: 2\r\n"));
}

TEST(Editor, RemovesRows) {
  const std::string text = test::request("P-Charging-Vector: a\r\nX-Own: 1\r\n 2\r\nx-own: 3\r\n");
  EXPECT_EQ(edited(text,
                   [](Editor& editor, const Message&) {
                     editor.remove(HeaderName::p_charging_vector).remove("X-OWN").remove("P-Charging-Vector");
                   }),
            test::request());
}

TEST(Editor, ReplacesAllRowsByOne) {
  const std::string text = test::request("Contact: <sip:a>\r\nSubject: x\r\nm: <sip:b>\r\n");
  EXPECT_EQ(edited(text, [](Editor& editor, const Message&) { editor.replace(HeaderName::contact, "*"); }),
            test::request("Contact: *\r\nSubject: x\r\n"));
  EXPECT_EQ(edited(text, [](Editor& editor, const Message&) { editor.replace(HeaderName::expires, "1"); }),
            replaced(text, "\r\n\r\n", "\r\nExpires: 1\r\n\r\n"));
}

TEST(Editor, LetsNoValueEndItsRow) {
  const std::string text = edited(test::request(), [](Editor& editor, const Message& message) {
    editor.append(HeaderName::subject, "a\r\nEvil: 1").set_request_uri("sip:a SIP/2.0\r\nEvil: 2");
    editor.add_param(from(message)->params, "x=1\r\nEvil: 3");
  });
  EXPECT_EQ(text.find("\nEvil"), std::string::npos);
}

// --- lists
// --------------------------------------------------------------------------------------------------

std::string without(const std::string& routes, const std::vector<std::string_view>& unwanted) {
  return edited(test::request(routes), [&](Editor& editor, const Message&) {
    editor.remove_values(HeaderName::route, [&](std::string_view value) {
      return std::find(unwanted.begin(), unwanted.end(), value) != unwanted.end();
    });
  });
}

TEST(EditorLists, LoseMembersWithOneComma) {
  const std::string list = "Route: <a> , <b>,\r\n <c>,<d>\r\n";
  EXPECT_EQ(without(list, {}), test::request(list));
  EXPECT_EQ(without(list, {"<a>"}), test::request("Route: <b>,\r\n <c>,<d>\r\n"));
  EXPECT_EQ(without(list, {"<a>", "<b>"}), test::request("Route: <c>,<d>\r\n"));
  EXPECT_EQ(without(list, {"<b>"}), test::request("Route: <a>,\r\n <c>,<d>\r\n"));
  EXPECT_EQ(without(list, {"<b>", "<c>"}), test::request("Route: <a>,<d>\r\n"));
  EXPECT_EQ(without(list, {"<d>"}), test::request("Route: <a> , <b>,\r\n <c>\r\n"));
  EXPECT_EQ(without(list, {"<a>", "<c>"}), test::request("Route: <b>,<d>\r\n"));
  EXPECT_EQ(without(list, {"<b>", "<d>"}), test::request("Route: <a>,\r\n <c>\r\n"));
  EXPECT_EQ(without(list, {"<a>", "<b>", "<c>", "<d>"}), test::request());
  EXPECT_EQ(without(list + "Route: <a>\r\nRoute: <e>\r\n", {"<a>"}),
            test::request("Route: <b>,\r\n <c>,<d>\r\nRoute: <e>\r\n"));
}

TEST(EditorLists, AreSplicedWithOneCommaWhateverGoes) {
  for (unsigned unwanted = 0; unwanted < 32; ++unwanted) {
    unsigned at = 0;
    const std::string text =
        edited(test::request("Route: <a>, <b>,<c> ,<d>,\r\n <e>\r\n"), [&](Editor& editor, const Message&) {
          editor.remove_values(HeaderName::route,
                               [&](std::string_view) { return (unwanted >> at++ & 1U) != 0; });
        });
    std::string kept;
    const Message again = parsed(text);
    ValueCursor values{again, HeaderName::route};
    while (const auto value = values.next()) kept += *value;
    std::string expected;
    for (unsigned i = 0; i < 5; ++i)
      if ((unwanted >> i & 1U) == 0) expected += std::string{"<"} + static_cast<char>('a' + i) + '>';
    EXPECT_EQ(kept, expected) << text;
  }
}

TEST(EditorLists, LoseTheirFirstMember) {
  const std::string text =
      replaced(test::request("Route: <a>\r\n"), "rport\r\n", "rport, SIP/2.0/UDP second\r\n");
  EXPECT_EQ(edited(text, [](Editor& editor, const Message&) { editor.pop_via().pop_route(); }),
            replaced(replaced(text, "SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bKasudf;rport, ", ""),
                     "Route: <a>\r\n", ""));
  EXPECT_EQ(edited(test::request(), [](Editor& editor, const Message&) { editor.pop_route(); }),
            test::request());
}

// --- parameters -------------------------------------------------------------------------------------------

std::string without_params(std::string_view authorization, std::initializer_list<std::string_view> names) {
  const std::string text =
      test::request("Authorization: Digest " + std::string{authorization} + "\r\nX: 1\r\n");
  const std::string after = edited(text, [&](Editor& editor, const Message& message) {
    editor.remove_params(credentials(message, HeaderName::authorization)->params, names);
  });
  const Message again = parsed(after);
  EXPECT_EQ(again.find("X")->value, "1");
  return std::string{again.find(HeaderName::authorization)->value};
}

TEST(EditorParams, OfCredentialsGoWithOneComma) {
  const std::string_view all = "username=\"a\", integrity-protected=\"yes\" ,realm=\"b\"";
  EXPECT_EQ(without_params(all, {"Integrity-Protected"}), "Digest username=\"a\" ,realm=\"b\"");
  EXPECT_EQ(without_params(all, {"username"}), "Digest integrity-protected=\"yes\" ,realm=\"b\"");
  EXPECT_EQ(without_params(all, {"realm"}), "Digest username=\"a\", integrity-protected=\"yes\"");
  EXPECT_EQ(without_params(all, {"realm", "integrity-protected"}), "Digest username=\"a\"");
  EXPECT_EQ(without_params(all, {"username", "integrity-protected"}), "Digest realm=\"b\"");
  EXPECT_EQ(without_params(all, {"absent"}), "Digest " + std::string{all});
}

TEST(EditorParams, OfHeadersGoWithTheirSemicolon) {
  const std::string text = test::request("Contact: <sip:a@b;x;ob;y>;expires=10 ; q=1;z\r\n");
  const auto after = [&](std::initializer_list<std::string_view> names) {
    return edited(text, [&](Editor& editor, const Message& message) {
      const auto contact = first_name_addr(message, HeaderName::contact);
      editor.remove_params(contact->params, names).remove_params(contact->uri.params(), {"ob"});
    });
  };
  EXPECT_EQ(after({"q"}), test::request("Contact: <sip:a@b;x;y>;expires=10;z\r\n"));
  EXPECT_EQ(after({"expires"}), test::request("Contact: <sip:a@b;x;y> ; q=1;z\r\n"));
  EXPECT_EQ(after({"z"}), test::request("Contact: <sip:a@b;x;y>;expires=10 ; q=1\r\n"));
  EXPECT_EQ(after({"z", "q", "expires"}), test::request("Contact: <sip:a@b;x;y>\r\n"));
}

TEST(EditorParams, AreAddedAndSet) {
  const std::string text = test::request("Contact: <sip:a@b>;expires=600\r\nAuthorization: Digest a=1\r\n");
  EXPECT_EQ(edited(text,
                   [](Editor& editor, const Message& message) {
                     const auto contact = first_name_addr(message, HeaderName::contact);
                     editor.set_param(contact->params, "expires", "540").set_param(contact->params, "q", "1");
                     editor.add_param(contact->uri.params(), "ob").add_param(to(message)->params, "tag=1");
                     editor.add_param(credentials(message, HeaderName::authorization)->params,
                                      "integrity-protected=\"auth-done\"");
                   }),
            replaced(test::request("Contact: <sip:a@b;ob>;expires=540;q=1\r\n"
                                   "Authorization: Digest a=1, integrity-protected=\"auth-done\"\r\n"),
                     "To: <sip:alice@ims.example>", "To: <sip:alice@ims.example>;tag=1"));
}

// --- what a proxy does
// --------------------------------------------------------------------------------------

std::string stamped(std::string_view via, std::string_view source) {
  const std::string text =
      replaced(test::request(), "SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bKasudf;rport", via);
  const std::string after = edited(text, [&](Editor& editor, const Message& message) {
    editor.stamp_via(*top_via(message), *SocketAddress::parse(source));
  });
  return std::string{parsed(after).find(HeaderName::via)->value};
}

TEST(EditorVia, IsStampedWithTheSource) {
  EXPECT_EQ(stamped("SIP/2.0/WSS a.invalid;branch=1;rport", "192.0.2.9:4000"),
            "SIP/2.0/WSS a.invalid;branch=1;rport=4000;received=192.0.2.9");
  EXPECT_EQ(stamped("SIP/2.0/UDP 192.0.2.9;branch=1", "192.0.2.9:4000"), "SIP/2.0/UDP 192.0.2.9;branch=1");
  EXPECT_EQ(stamped("SIP/2.0/UDP 192.0.2.9;rport", "192.0.2.9:4000"),
            "SIP/2.0/UDP 192.0.2.9;rport=4000;received=192.0.2.9");
  EXPECT_EQ(stamped("SIP/2.0/UDP [2001:db8::1]:5060", "[2001:db8::1]:5060"),
            "SIP/2.0/UDP [2001:db8::1]:5060");
  EXPECT_EQ(stamped("SIP/2.0/UDP a;received=192.0.2.1, SIP/2.0/UDP b", "[2001:db8::1]:5060"),
            "SIP/2.0/UDP a;received=2001:db8::1, SIP/2.0/UDP b");
}

TEST(EditorMaxForwards, CountsDown) {
  const auto decremented = [](const std::string& text) {
    return edited(text, [](Editor& editor, const Message&) { ASSERT_TRUE(editor.decrement_max_forwards()); });
  };
  EXPECT_EQ(decremented(test::request()), replaced(test::request(), ": 70", ": 69"));
  const std::string none = replaced(test::request(), "Max-Forwards: 70\r\n", "");
  EXPECT_EQ(decremented(none), replaced(none, "\r\n\r\n", "\r\nMax-Forwards: 70\r\n\r\n"));
}

TEST(EditorMaxForwards, EndsAtZero) {
  const auto error_of = [](std::string_view value) {
    const std::string text = replaced(test::request(), ": 70", value);
    const Message message = parsed(text);
    return Editor{message}.decrement_max_forwards().error();
  };
  EXPECT_EQ(error_of(": 0"), ParseError{Defect::too_many_hops});
  EXPECT_EQ(error_of(": x"), (ParseError{Defect::malformed, HeaderName::max_forwards}));
}

TEST(EditorBody, IsReplacedWithItsLengthAndType) {
  const std::string text = test::request("l: 3\r\nSubject: x\r\nc: a/b\r\n", "MESSAGE", "old and more");
  EXPECT_EQ(
      edited(text, [](Editor& editor, const Message&) { editor.set_body("text/plain", "new one"); }),
      test::request("Subject: x\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n", "MESSAGE", "new one"));
  EXPECT_EQ(edited(text, [](Editor& editor, const Message&) { editor.set_body("", ""); }),
            test::request("Subject: x\r\nContent-Length: 0\r\n", "MESSAGE"));
}

TEST(EditorBody, IsNotFollowedByWhatCameBehindIt) {
  const std::string text = test::request("l: 3\r\n", "MESSAGE", "bodOPTIONS sip:a SIP/2.0\r\n\r\n");
  EXPECT_EQ(edited(text, [](Editor&, const Message&) {}), test::request("l: 3\r\n", "MESSAGE", "bod"));
}

// Rows that no edit names keep their bytes, whatever is done to others.
TEST(Editor, KeepsTheBytesThatAreNotNamed) {
  test::MessageMaker maker{5};
  for (int i = 0; i < 1500; ++i) {
    const std::string text = maker.next();
    const Message message = parsed(text);
    Editor editor{message};
    if (maker.once_in(2)) editor.push_via("SIP/2.0/UDP new");
    if (maker.once_in(2)) editor.pop_via();
    if (maker.once_in(2)) editor.pop_route();
    if (maker.once_in(2)) editor.push_record_route("<sip:new;lr>");
    if (maker.once_in(2)) editor.remove(HeaderName::contact);
    if (maker.once_in(2)) editor.append(HeaderName::contact, "<sip:new>");
    if (maker.once_in(2)) editor.remove_params(to(message)->params, {"p0", "p2"});
    if (maker.once_in(2)) editor.set_param(top_via(message)->params, "received", "192.0.2.1");
    const std::string after = editor.text();
    const auto again = Message::parse(after);
    ASSERT_TRUE(again) << text << after;
    ASSERT_FALSE(find_defect(*again) && again->has(HeaderName::via)) << text << after;
    const auto untouched = [](HeaderName name) {
      return name != HeaderName::via && name != HeaderName::route && name != HeaderName::record_route &&
             name != HeaderName::contact && name != HeaderName::to;
    };
    const auto rows_of = [&](const Message& from) {
      std::string rows;
      for (std::size_t row = 0; row < from.header_count(); ++row)
        if (untouched(from.header_name(row))) rows += from.header(row).row;
      return rows;
    };
    ASSERT_EQ(rows_of(*again), rows_of(message));
    ASSERT_EQ(again->start_line(), message.start_line());
    ASSERT_EQ(again->after_headers(), message.after_headers());
  }
}

}  // namespace
}  // namespace turnpike::sip
