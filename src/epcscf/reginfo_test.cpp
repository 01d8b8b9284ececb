#include "epcscf/reginfo.hpp"

#include <gtest/gtest.h>

namespace turnpike::epcscf {
namespace {

constexpr std::string_view document = R"(<?xml version="1.0"?>
<!-- from the registrar -->
<reg:reginfo xmlns:reg="urn:ietf:params:xml:ns:reginfo" version="3" state="partial">
  <reg:registration aor="sip:alice@ims.example" id="a7" state="terminated">
    <reg:contact id="76" state="terminated" event="rejected" q='0.8'>
      <reg:uri> sip:alice@df7jal.invalid;transport=ws&amp;x </reg:uri>
      <reg:unknown-param name="+sip.instance">"&lt;urn:uuid:1&gt;"</reg:unknown-param>
    </reg:contact>
    <other xmlns="urn:x"><deep/></other>
  </reg:registration>
  <reg:registration aor="tel:+15550100" id="a8" state="active"/>
</reg:reginfo>
)";

TEST(Reginfo, IsReadWithPrefixesEntitiesAndWhatIsNotKnown) {
  const auto info = parse_reginfo(document);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->version, 3U);
  EXPECT_FALSE(info->is_full);
  ASSERT_EQ(info->registrations.size(), 2U);
  EXPECT_EQ(info->registrations[0].aor, "sip:alice@ims.example");
  EXPECT_FALSE(info->registrations[0].is_active);
  ASSERT_EQ(info->registrations[0].contacts.size(), 1U);
  EXPECT_EQ(info->registrations[0].contacts[0].uri, "sip:alice@df7jal.invalid;transport=ws&x");
  EXPECT_EQ(info->registrations[0].contacts[0].event, "rejected");
  EXPECT_TRUE(info->registrations[0].contacts[0].is_terminated);
  EXPECT_TRUE(info->registrations[1].is_active);
}

TEST(Reginfo, HostileDocumentsAreRefused) {
  std::string deep = "<reginfo version='0' state='full'>";
  for (int i = 0; i < 100; ++i) deep += "<a>";
  std::string wide = "<reginfo version='0' state='full'>";
  for (int i = 0; i < 3000; ++i) wide += "<a/>";
  wide += "</reginfo>";
  for (const std::string& text : {std::string{},
                                  std::string{"text"},
                                  std::string{"<reginfo"},
                                  std::string{"<other/>"},
                                  std::string{"<reginfo></other>"},
                                  std::string{"<reginfo>"},
                                  std::string{"</reginfo>"},
                                  std::string{"<reginfo/><reginfo/>"},
                                  std::string{"<reginfo a=1/>"},
                                  std::string{"<reginfo a='1/>"},
                                  std::string{"<!DOCTYPE r [<!ENTITY a 'b'>]><reginfo/>"},
                                  std::string{"<reginfo a='&a;'/>"},
                                  std::string{"<reginfo><![CDATA[x]]></reginfo>"},
                                  std::string{"<!-- <reginfo/>"},
                                  std::string{"<reginfo a='&#0;'/>"},
                                  std::string{"<reginfo/>x"},
                                  std::string{"<>"},
                                  deep,
                                  wide,
                                  std::string(70'000, ' ') + "<reginfo/>"})
    EXPECT_FALSE(parse_reginfo(text)) << text.substr(0, 60);
}

TEST(Reginfo, NoPrefixOfADocumentIsOne) {
  const std::string_view trimmed = document.substr(0, document.rfind('>') + 1);
  for (std::size_t size = 0; size < trimmed.size(); ++size)
    EXPECT_FALSE(parse_reginfo(trimmed.substr(0, size))) << size;
}

}  // namespace
}  // namespace turnpike::epcscf
