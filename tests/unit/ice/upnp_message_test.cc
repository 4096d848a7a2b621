#include "ice/upnp_message.h"

#include <gtest/gtest.h>

namespace parley::ice::upnp {
namespace {

const Url kLocation{{IpAddress::v4(192, 168, 1, 1), 5000}, "/dir/igd.xml"};

std::string description(const std::string& services, const std::string& more = {}) {
  return "<root><device><serviceList>" + services + "</serviceList></device>" + more + "</root>";
}
std::string service(const std::string& type, const std::string& control) {
  return "<service><serviceType>urn:schemas-upnp-org:service:" + type +
         "</serviceType><controlURL>" + control + "</controlURL></service>";
}

TEST(UpnpMessage, UrlsAreOfHttpAndNumbers) {
  EXPECT_EQ(parseUrl("http://192.168.1.1:5000/dir/igd.xml"), kLocation);
  EXPECT_EQ(parseUrl("HTTP://10.0.0.1")->path, "/");
  EXPECT_EQ(parseUrl("http://10.0.0.1")->host.port, 80);
  for (const char* bad :
       {"", "http://", "https://10.0.0.1/", "http://router/", "http://10.0.0.1:0/",
        "http://10.0.0.1:99999/", "http://[::1]/", "http://10.0.0.1/a b",
        "http://10.0.0.1/a\r\nX: y", "http://user@10.0.0.1/"}) {
    EXPECT_FALSE(parseUrl(bad)) << bad;
  }
}

TEST(UpnpMessage, ReferencesStayOnTheirHost) {
  EXPECT_EQ(resolveUrl(kLocation, "/ctl")->path, "/ctl");
  EXPECT_EQ(resolveUrl(kLocation, "ctl")->path, "/dir/ctl");
  EXPECT_EQ(resolveUrl(kLocation, "http://192.168.1.1:6000/ctl")->host.port, 6000);
  EXPECT_FALSE(resolveUrl(kLocation, "http://192.168.1.2/ctl"));
  EXPECT_FALSE(resolveUrl(kLocation, "/a\r\nb"));
  EXPECT_FALSE(resolveUrl(kLocation, "/" + std::string(600, 'x')));
}

TEST(UpnpMessage, SearchAnswersLeadToWhoSentThem) {
  const auto answer = [](const std::string& location, const std::string& target) {
    return "HTTP/1.1 200 OK\r\nST: " + target + "\r\nLocation: " + location + "\r\n\r\n";
  };
  const std::string target = "urn:schemas-upnp-org:device:InternetGatewayDevice:1";
  const std::string good = answer("http://192.168.1.1:5000/dir/igd.xml", target);
  EXPECT_EQ(parseSearchAnswer(asBytes(good), kLocation.host.ip), kLocation);
  EXPECT_FALSE(parseSearchAnswer(asBytes(good), IpAddress::v4(192, 168, 1, 9)));
  EXPECT_FALSE(
      parseSearchAnswer(asBytes(answer("http://192.168.1.1/", "other")), kLocation.host.ip));
  EXPECT_FALSE(parseSearchAnswer(asBytes("NOTIFY * HTTP/1.1\r\n\r\n"), kLocation.host.ip));
}

TEST(UpnpMessage, TheBestServiceOfADescriptionIsTaken) {
  const auto both = parseDescription(
      description(service("WANPPPConnection:1", "/ppp") + service("WANIPConnection:2", "ip2") +
                  service("WANIPConnection:1", "/ip1")),
      kLocation);
  ASSERT_TRUE(both);
  EXPECT_EQ(both->type, "urn:schemas-upnp-org:service:WANIPConnection:2");
  EXPECT_EQ(both->control.path, "/dir/ip2");
  EXPECT_TRUE(both->any);
  const auto ppp = parseDescription(description(service("WANPPPConnection:1", "/ppp")), kLocation);
  ASSERT_TRUE(ppp);
  EXPECT_FALSE(ppp->any);
  const auto based = parseDescription(
      description(service("WANIPConnection:1", "c"), "<URLBase>http://192.168.1.1:80/b/</URLBase>"),
      kLocation);
  ASSERT_TRUE(based);
  EXPECT_EQ(based->control, (Url{{kLocation.host.ip, 80}, "/b/c"}));
}

TEST(UpnpMessage, DescriptionsThatLeadAstrayAreNone) {
  EXPECT_FALSE(parseDescription("", kLocation));
  EXPECT_FALSE(parseDescription(description(service("WANIPConnection:x", "/c")), kLocation));
  EXPECT_FALSE(parseDescription(description(service("WANIPConnection:1", "")), kLocation));
  EXPECT_FALSE(
      parseDescription(description(service("WANIPConnection:1", "http://10.0.0.9/c")), kLocation));
  EXPECT_FALSE(
      parseDescription(description(service("WANIPConnection:1\"&gt;&lt;b", "/c")), kLocation));
  EXPECT_FALSE(parseDescription("<!DOCTYPE r>" + description(service("WANIPConnection:1", "/c")),
                                kLocation));
}

TEST(UpnpMessage, AnswersTellAddressPortAndError) {
  EXPECT_EQ(
      parseAnswer(200, "<a><NewExternalIPAddress>1.2.3.4</NewExternalIPAddress></a>")->address,
      IpAddress::v4(1, 2, 3, 4));
  EXPECT_EQ(parseAnswer(200, "<a><u:NewReservedPort>99</u:NewReservedPort></a>")->port, 99);
  EXPECT_EQ(parseAnswer(500, "<a><errorCode>718</errorCode></a>")->error, kConflict);
  EXPECT_TRUE(parseAnswer(500, "<a></a>")->error) << "an error whatever it says";
  EXPECT_FALSE(parseAnswer(404, "<a></a>"));
  EXPECT_FALSE(parseAnswer(200, "<a>"));
}

TEST(UpnpMessage, RequestsCarryTheLengthOfTheirBodies) {
  const Service service{"urn:schemas-upnp-org:service:WANIPConnection:1", kLocation, false};
  const std::string text =
      writeMap(service, {5001, {IpAddress::v4(192, 168, 1, 2), 5002}, 3600, false});
  const size_t head = text.find("\r\n\r\n") + 4;
  EXPECT_NE(text.find("Content-Length: " + std::to_string(text.size() - head) + "\r\n"),
            std::string::npos);
  EXPECT_TRUE(text.starts_with("POST /dir/igd.xml HTTP/1.1\r\nHost: 192.168.1.1:5000\r\n"));
  EXPECT_NE(text.find("<NewExternalPort>5001</NewExternalPort>"), std::string::npos);
  EXPECT_NE(text.find("<NewInternalPort>5002</NewInternalPort>"), std::string::npos);
}

}  // namespace
}  // namespace parley::ice::upnp
