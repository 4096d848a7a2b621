// Lines of media sections that are told rather than negotiated.

#include "parley/jsep/offer_answer.h"

#include "unit/jsep/peer.h"

namespace parley::jsep {
namespace {

using sdp::MediaKind;
using test::Peer;

TEST(CreateOffer, OffersSimulcastBySsrcWhereThatIsWanted) {
  Peer a("a"), b("b");
  TransceiverInit init;
  init.trackId = "t";
  init.layersBySsrc = true;
  init.encodings = {a.encoding("l"), a.encoding("h")};
  addTransceiver(a.state, MediaKind::Video, init);
  const auto offer = a.offer();
  const auto& section = offer.media[0];
  EXPECT_TRUE(section.rids.empty());
  EXPECT_FALSE(section.simulcast);
  const Encoding low = init.encodings[0], high = init.encodings[1];
  EXPECT_EQ(section.ssrcGroups, (std::vector<sdp::SsrcGroup>{{"SIM", {low.ssrc, high.ssrc}},
                                                             {"FID", {low.ssrc, low.rtxSsrc}},
                                                             {"FID", {high.ssrc, high.rtxSsrc}}}));
  EXPECT_EQ(section.ssrcs.size(), 4u) << "layers are sent without FEC";
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  ASSERT_TRUE(a.remote(SdpType::Answer, b.answer()));
  EXPECT_EQ(a.at(0).sender.encodings.size(), 2u) << "the answer has no say in it";
  EXPECT_TRUE(a.at(0).negotiated.media.sendRids.empty());
  EXPECT_EQ(a.peek().media[0].ssrcGroups, section.ssrcGroups);
}

TEST(CreateAnswer, TakesTheReportsOnRoundTripsThatAreOffered) {
  const auto xrOf = [](const sdp::SessionDescription& d) {
    std::vector<std::string> out;
    for (const sdp::Attribute& a : d.media[0].otherAttributes) {
      if (a.name == "rtcp-xr") out.push_back(a.value.value_or(""));
    }
    return out;
  };
  Peer a("a"), b("b");
  a.add(MediaKind::Audio);
  auto offer = a.offer();
  EXPECT_EQ(xrOf(offer), std::vector<std::string>{"rcvr-rtt=all"});
  struct Case {
    const char* offered;
    std::vector<std::string> answered;
  };
  const Case cases[] = {{"rcvr-rtt=all", {"rcvr-rtt=all"}},
                        {"pkt-loss-rle=400 rcvr-rtt=sender voip-metrics", {"rcvr-rtt=sender"}},
                        {"stat-summary", {}},
                        {"", {}}};
  for (const Case& c : cases) {
    Peer answerer("c");
    auto changed = offer;
    std::erase_if(changed.media[0].otherAttributes,
                  [](const sdp::Attribute& x) { return x.name == "rtcp-xr"; });
    changed.media[0].otherAttributes.push_back({"rtcp-xr", c.offered});
    ASSERT_TRUE(answerer.remote(SdpType::Offer, changed));
    EXPECT_EQ(xrOf(answerer.answer()), c.answered) << c.offered;
    // For the whole session.
    changed.media[0].otherAttributes.clear();
    changed.otherAttributes.push_back({"rtcp-xr", c.offered});
    Peer other("d");
    ASSERT_TRUE(other.remote(SdpType::Offer, changed));
    EXPECT_EQ(xrOf(other.answer()), c.answered) << c.offered;
  }
}

}  // namespace
}  // namespace parley::jsep
