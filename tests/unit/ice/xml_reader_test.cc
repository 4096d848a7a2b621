#include "ice/xml_reader.h"

#include <gtest/gtest.h>

namespace parley::ice {
namespace {

/// What a reader makes of a text: "<a", "a=text", "a>", "." for its end and "!" for refusal.
std::string read(std::string_view xml) {
  XmlReader reader(xml);
  std::string out;
  for (;;) {
    const XmlReader::Token token = reader.next();
    if (token == XmlReader::Token::End) return out + ".";
    if (token == XmlReader::Token::Bad) return out + "!";
    if (!out.empty()) out += ' ';
    if (token == XmlReader::Token::Open) out += '<';
    out += reader.name();
    if (token == XmlReader::Token::Text) out += "=" + reader.text();
    if (token == XmlReader::Token::Close) out += '>';
  }
}

TEST(XmlReader, ElementsGoByLocalNamesAndTextIsTrimmed) {
  EXPECT_EQ(read("<?xml version='1.0'?>\n<s:a xmlns:s=\"x/>y\">\n <b> t &amp; u </b><c/></s:a>\n"),
            "<a <b b=t & u b> <c c> a>.");
  EXPECT_EQ(read("<a><!-- <b> --><![CDATA[<&]]></a>"), "<a a=<& a>.");
  EXPECT_EQ(read("<a>&#65;&lt;&quot;&apos;&gt;</a>"), "<a a=A<\"'> a>.");
}

TEST(XmlReader, WhatIsNotWellFormedIsRefused) {
  for (const char* bad : {"<a>", "</a>", "<a></b>", "<a", "<a b='", "text", "<>", "<a>&",
                          "<a>&x;</a>", "<a>&#1;</a>", "<a>&#x41;</a>", "<a><!--", "<a><![CDATA[",
                          "<?xml", "<a b=<c>", "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>"}) {
    const std::string got = read(bad);
    EXPECT_EQ(got.back(), '!') << bad << ": " << got;
  }
}

TEST(XmlReader, DepthIsBounded) {
  std::string deep;
  for (size_t i = 0; i < XmlReader::kMaxDepth; ++i) deep += "<a>";
  std::string all = deep;
  for (size_t i = 0; i < XmlReader::kMaxDepth; ++i) all += "</a>";
  EXPECT_EQ(read(all).back(), '.');
  EXPECT_EQ(read(deep + "<a>").back(), '!');
}

}  // namespace
}  // namespace parley::ice
