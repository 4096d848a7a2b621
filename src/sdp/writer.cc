#include "parley/sdp/writer.h"

#include "sdp/grammar.h"

namespace parley::sdp {
namespace {

/// Builds the text and remembers the first piece that must not stand where it was put.
class Writer {
 public:
  Result<std::string> run(const SessionDescription& d) {
    session(d);
    for (const MediaDescription& m : d.media) section(m);
    if (problem_ != nullptr)
      return fail(ErrorCode::Type, std::string(problem_) + " cannot be written as SDP");
    return std::move(out_);
  }

 private:
  Writer& raw(std::string_view text) {
    out_ += text;
    return *this;
  }
  Writer& number(uint64_t value) { return raw(std::to_string(value)); }
  Writer& checked(std::string_view text, bool good, const char* what) {
    if (!good && problem_ == nullptr) problem_ = what;
    return raw(text);
  }
  Writer& token(std::string_view text, const char* what) {
    return checked(text, isToken(text), what);
  }
  Writer& word(std::string_view text, const char* what) {
    return checked(text, isNonWhitespace(text), what);
  }
  Writer& text(std::string_view t, const char* what) { return checked(t, isByteString(t), what); }
  Writer& end() { return raw("\r\n"); }
  void flag(bool set, std::string_view name) {
    if (set) raw("a=").raw(name).end();
  }

  void session(const SessionDescription& d) {
    const Origin& o = d.origin;
    raw("v=0\r\no=").word(o.username, "origin user name").raw(" ").number(o.sessionId).raw(" ");
    number(o.sessionVersion)
        .raw(" ")
        .word(o.netType, "origin")
        .raw(" ")
        .word(o.addressType, "origin");
    raw(" ").word(o.address, "origin address").end();
    raw("s=").text(d.sessionName, "session name").end();
    if (d.connection) connection(*d.connection);
    for (const Bandwidth& b : d.bandwidths) bandwidth(b);
    raw("t=").text(d.timing, "timing").end();
    for (const Group& g : d.groups) {
      raw("a=group:").token(g.semantics, "group semantics");
      for (const std::string& mid : g.mids) raw(" ").token(mid, "mid");
      end();
    }
    flag(d.iceLite, "ice-lite");
    flag(d.extmapAllowMixed, "extmap-allow-mixed");
    flag(d.cryptex, "cryptex");
    if (d.direction) flag(true, toString(*d.direction));
    transport(d.transport);
    for (const Extmap& e : d.extmaps) extmap(e);
    flag(d.endOfCandidates, "end-of-candidates");
    for (const Attribute& a : d.otherAttributes) attribute(a);
  }

  void section(const MediaDescription& m) {
    raw("m=")
        .token(m.media, "media type")
        .raw(" ")
        .number(m.port)
        .raw(" ")
        .word(m.protocol, "protocol");
    if (m.isRtp()) {
      for (const CodecParams& c : m.codecs) raw(" ").number(c.payloadType);
    } else {
      for (const std::string& f : m.formats) raw(" ").token(f, "format");
    }
    end();
    if (m.connection) connection(*m.connection);
    for (const Bandwidth& b : m.bandwidths) bandwidth(b);
    candidates(m);
    transport(m.transport);
    if (m.mid) raw("a=mid:").token(*m.mid, "mid").end();
    flag(m.extmapAllowMixed, "extmap-allow-mixed");
    flag(m.cryptex, "cryptex");
    for (const Extmap& e : m.extmaps) extmap(e);
    if (m.direction) flag(true, toString(*m.direction));
    for (const Msid& id : m.msids) msid(id);
    flag(m.bundleOnly, "bundle-only");
    flag(m.rtcpMux, "rtcp-mux");
    flag(m.rtcpMuxOnly, "rtcp-mux-only");
    flag(m.rtcpReducedSize, "rtcp-rsize");
    if (m.isRtp()) codecs(m);
    if (m.ptime) raw("a=ptime:").number(*m.ptime).end();
    if (m.maxPtime) raw("a=maxptime:").number(*m.maxPtime).end();
    sources(m);
    simulcast(m);
    sctp(m);
    for (const Attribute& a : m.otherAttributes) attribute(a);
  }

  void connection(const Connection& c) {
    raw("c=").word(c.netType, "connection").raw(" ").word(c.addressType, "connection").raw(" ");
    word(c.address, "connection address").end();
  }

  void bandwidth(const Bandwidth& b) {
    raw("b=").token(b.type, "bandwidth type").raw(":").number(b.value).end();
  }

  void attribute(const Attribute& a) {
    raw("a=").token(a.name, "attribute name");
    if (a.value) raw(":").text(*a.value, "attribute value");
    end();
  }

  void transport(const TransportAttributes& t) {
    if (t.iceUfrag)
      raw("a=ice-ufrag:").checked(*t.iceUfrag, isIceChars(*t.iceUfrag, 4, 256), "ice-ufrag").end();
    if (t.icePwd)
      raw("a=ice-pwd:").checked(*t.icePwd, isIceChars(*t.icePwd, 22, 256), "ice-pwd").end();
    if (!t.iceOptions.empty()) {
      raw("a=ice-options:");
      for (size_t i = 0; i < t.iceOptions.size(); ++i) {
        raw(i == 0 ? "" : " ").token(t.iceOptions[i], "ice-option");
      }
      end();
    }
    for (const Fingerprint& f : t.fingerprints) fingerprint(f);
    if (t.setup) raw("a=setup:").raw(toString(*t.setup)).end();
    if (t.tlsId) raw("a=tls-id:").word(*t.tlsId, "tls-id").end();
  }

  void fingerprint(const Fingerprint& f) {
    constexpr char kHex[] = "0123456789ABCDEF";
    raw("a=fingerprint:").token(f.algorithm, "hash function").raw(" ");
    for (size_t i = 0; i < f.bytes.size(); ++i) {
      if (i != 0) out_ += ':';
      out_ += kHex[f.bytes[i] >> 4];
      out_ += kHex[f.bytes[i] & 15];
    }
    end();
  }

  void candidates(const MediaDescription& m) {
    for (const CandidateLine& c : m.candidates) {
      const std::string line = writeCandidate(c);
      // Its own parser is the strictest check there is on foundation, names and extensions.
      const auto again = parseCandidate(line);
      raw("a=").checked(line, again && *again == c, "candidate").end();
    }
    flag(m.endOfCandidates, "end-of-candidates");
  }

  void extmap(const Extmap& e) {
    raw("a=extmap:").number(e.id);
    if (e.direction) raw("/").raw(toString(*e.direction));
    raw(" ").word(e.uri, "header extension URI");
    if (!e.attributes.empty()) raw(" ").text(e.attributes, "header extension attributes");
    end();
  }

  void msid(const Msid& id) {
    raw("a=msid:").word(id.stream, "stream id");
    if (id.track) raw(" ").word(*id.track, "track id");
    end();
  }

  void feedback(const RtcpFeedback& f) {
    raw(" ").token(f.type, "rtcp-fb type");
    if (!f.parameter.empty()) raw(" ").text(f.parameter, "rtcp-fb parameter");
    end();
  }

  void codecs(const MediaDescription& m) {
    for (const RtcpFeedback& f : m.wildcardFeedback) {
      raw("a=rtcp-fb:*");
      feedback(f);
    }
    for (const CodecParams& c : m.codecs) {
      if (!c.name.empty()) {
        raw("a=rtpmap:")
            .number(c.payloadType)
            .raw(" ")
            .token(c.name, "codec name")
            .raw("/")
            .number(c.clockRate);
        if (c.channels > 1) raw("/").number(c.channels);
        end();
      }
      for (const RtcpFeedback& f : c.feedback) {
        raw("a=rtcp-fb:").number(c.payloadType);
        feedback(f);
      }
      if (c.fmtp.empty()) continue;
      raw("a=fmtp:").number(c.payloadType).raw(" ");
      parameters(c.fmtp);
      end();
    }
  }

  void parameters(const std::vector<FmtpParameter>& list) {
    for (const FmtpParameter& p : list) {
      const bool good =
          isByteString(p.key) && !p.key.empty() && p.key.find_first_of(";=") == std::string::npos &&
          (!p.value || (isByteString(*p.value) && p.value->find(';') == std::string::npos));
      if (!good && problem_ == nullptr) problem_ = "format parameter";
    }
    raw(writeFmtp(list));
  }

  void sources(const MediaDescription& m) {
    for (const SsrcGroup& g : m.ssrcGroups) {
      raw("a=ssrc-group:").token(g.semantics, "ssrc-group semantics");
      for (const uint32_t ssrc : g.ssrcs) raw(" ").number(ssrc);
      end();
    }
    for (const SsrcDescription& s : m.ssrcs) {
      for (const Attribute& a : s.attributes) {
        raw("a=ssrc:").number(s.ssrc).raw(" ").token(a.name, "ssrc attribute");
        if (a.value) raw(":").text(*a.value, "ssrc attribute value");
        end();
      }
    }
  }

  void simulcast(const MediaDescription& m) {
    for (const Rid& r : m.rids) {
      raw("a=rid:").checked(r.id, isRidId(r.id), "rid").raw(r.send ? " send" : " recv");
      if (!r.payloadTypes.empty()) {
        raw(" pt=");
        for (size_t i = 0; i < r.payloadTypes.size(); ++i)
          raw(i == 0 ? "" : ",").number(r.payloadTypes[i]);
      }
      if (!r.restrictions.empty()) {
        raw(r.payloadTypes.empty() ? " " : ";");
        parameters(r.restrictions);
      }
      end();
    }
    if (!m.simulcast) return;
    raw("a=simulcast:");
    if (!m.simulcast->send.empty()) simulcastList("send ", m.simulcast->send);
    if (!m.simulcast->send.empty() && !m.simulcast->recv.empty()) raw(" ");
    if (!m.simulcast->recv.empty()) simulcastList("recv ", m.simulcast->recv);
    end();
  }

  void simulcastList(std::string_view way, const std::vector<std::vector<SimulcastRid>>& streams) {
    raw(way);
    for (size_t i = 0; i < streams.size(); ++i) {
      raw(i == 0 ? "" : ";");
      for (size_t j = 0; j < streams[i].size(); ++j) {
        const SimulcastRid& r = streams[i][j];
        raw(j == 0 ? "" : ",").raw(r.paused ? "~" : "").checked(r.id, isRidId(r.id), "rid");
      }
    }
  }

  void sctp(const MediaDescription& m) {
    if (m.sctpPort) raw("a=sctp-port:").number(*m.sctpPort).end();
    if (m.maxMessageSize) raw("a=max-message-size:").number(*m.maxMessageSize).end();
    if (!m.sctpMap) return;
    raw("a=sctpmap:")
        .number(m.sctpMap->port)
        .raw(" ")
        .token(m.sctpMap->protocol, "sctpmap protocol");
    if (m.sctpMap->streams) raw(" ").number(*m.sctpMap->streams);
    end();
  }

  std::string out_;
  const char* problem_ = nullptr;
};

}  // namespace

Result<std::string> write(const SessionDescription& description) {
  return Writer().run(description);
}

}  // namespace parley::sdp
