#include "parley/sdp/parser.h"

#include <algorithm>

#include "sdp/attribute_parser.h"
#include "sdp/grammar.h"

namespace parley::sdp {
namespace {

constexpr uint64_t kMaxSessionNumber = (uint64_t{1} << 63) - 1;

class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  Result<SessionDescription> run() {
    if (rest_.size() > Bounds::kTextBytes)
      return fail(Error{ErrorCode::Syntax, "line 1: description is over 1 MiB", 1,
                        ErrorDetail::SdpSyntaxError});
    while (!rest_.empty()) {
      ++number_;
      if (const char* problem = line(cutLine())) return failHere(problem);
      groupLines_.resize(out_.groups.size(), number_);
    }
    number_ = std::max(number_, 1);  // also where there is none
    if (linesSeen_ < kHeadLines) return failHere("description ends before its s= line");
    if (const char* problem = checkMids()) return failHere(problem);
    return std::move(out_);
  }

 private:
  static constexpr int kHeadLines =
      3;  // v=, o=, s= stand first, in this order (RFC 8866 section 5)

  Failure failHere(const char* problem) const {
    // webrtc-pc section 4.4.1.5 tells text that does not read from values that cannot be: the
    // credentials of ICE are of the latter kind.
    if (std::string_view(problem).starts_with("ice-"))
      return fail(Error{ErrorCode::InvalidAccess,
                        "line " + std::to_string(number_) + ": " + problem, number_});
    return fail(Error{ErrorCode::Syntax, "line " + std::to_string(number_) + ": " + problem,
                      number_, ErrorDetail::SdpSyntaxError});
  }

  std::string_view cutLine() {
    std::string_view line = cutToken(rest_, '\n');
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }

  const char* line(std::string_view line) {
    if (line.empty()) return nullptr;
    if (line.size() > Bounds::kLineBytes) return "line is over 8 KiB";
    if (!isByteString(line)) return "line holds NUL or CR";
    const char letter = line[0];
    if (letter < 'a' || letter > 'z' || line.size() < 2 || line[1] != '=')
      return "line is not letter=value";
    const std::string_view value = line.substr(2);
    if (linesSeen_ < kHeadLines) return headLine(letter, value);
    switch (letter) {
      case 'm':
        return mediaLine(value);
      case 'a':
        if (section() != nullptr && value.starts_with("mid:")) section()->midLine.number = number_;
        return applyAttribute(out_, section(), value);
      case 'c':
        return connectionLine(value);
      case 'b':
        return bandwidthLine(value);
      case 't':
        if (section() == nullptr) out_.timing = value;
        return nullptr;
      case 'v':
      case 'o':
      case 's':
        return "v=, o= or s= line repeated";
      default:
        return nullptr;
    }
  }

  const char* headLine(char letter, std::string_view value) {
    constexpr std::string_view kOrder = "vos";
    if (letter != kOrder[static_cast<size_t>(linesSeen_)])
      return "v=, o=, s= must be the first lines";
    ++linesSeen_;
    switch (letter) {
      case 'v':
        return value == "0" ? nullptr : "version is not 0";
      case 'o':
        return originLine(value);
      default:
        out_.sessionName = value;
        return nullptr;
    }
  }

  const char* originLine(std::string_view rest) {
    Origin origin;
    origin.username = cutWord(rest);
    const auto id = parseNumber<uint64_t>(cutWord(rest));
    const auto version = parseNumber<uint64_t>(cutWord(rest));
    origin.netType = cutWord(rest);
    origin.addressType = cutWord(rest);
    origin.address = cutWord(rest);
    if (!id || *id > kMaxSessionNumber) return "session id is not a number below 2^63";
    if (!version || *version > kMaxSessionNumber)
      return "session version is not a number below 2^63";
    for (const std::string& field :
         {origin.username, origin.netType, origin.addressType, origin.address}) {
      if (!isNonWhitespace(field)) return "o= line does not have six fields";
    }
    if (!rest.empty()) return "o= line does not have six fields";
    origin.sessionId = *id;
    origin.sessionVersion = *version;
    out_.origin = std::move(origin);
    return nullptr;
  }

  const char* mediaLine(std::string_view rest) {
    if (out_.media.size() == Bounds::kMediaSections) return "too many m= sections";
    MediaDescription media;
    media.media = cutWord(rest);
    std::string_view portText = cutWord(rest);
    const auto port = parseNumber<uint16_t>(cutToken(portText, '/'));
    media.protocol = cutWord(rest);
    if (!isToken(media.media)) return "m= line without media type";
    if (!port) return "m= line with an impossible port";
    if (!isNonWhitespace(media.protocol)) return "m= line without protocol";
    media.port = *port;
    media.line.number = number_;
    if (rest.empty() && media.port != 0) return "m= line without formats";
    if (const char* problem = formats(media, rest)) return problem;
    out_.media.push_back(std::move(media));
    return nullptr;
  }

  static const char* formats(MediaDescription& media, std::string_view rest) {
    const bool rtp = media.isRtp();
    while (!rest.empty()) {
      const std::string_view format = cutWord(rest);
      if (media.formats.size() == 256) return "too many formats";
      if (!rtp) {
        if (!isToken(format)) return "m= line with a malformed format";
        media.formats.emplace_back(format);
        continue;
      }
      const auto pt = parseNumber<uint32_t>(format);
      if (!pt || *pt > 127) return "payload type is not 0 to 127";
      const auto payloadType = static_cast<uint8_t>(*pt);
      if (media.codec(payloadType) != nullptr) return "payload type listed twice";
      CodecParams codec;
      codec.payloadType = payloadType;
      media.codecs.push_back(staticPayloadType(payloadType).value_or(std::move(codec)));
    }
    return nullptr;
  }

  const char* connectionLine(std::string_view rest) {
    Connection connection;
    connection.netType = cutWord(rest);
    connection.addressType = cutWord(rest);
    connection.address = cutWord(rest);
    for (const std::string& field :
         {connection.netType, connection.addressType, connection.address}) {
      if (!isNonWhitespace(field)) return "c= line does not have three fields";
    }
    (section() ? section()->connection : out_.connection) = std::move(connection);
    return nullptr;
  }

  const char* bandwidthLine(std::string_view rest) {
    Bandwidth bandwidth;
    bandwidth.type = cutToken(rest, ':');
    const auto value = parseClamped(trimmed(rest));
    // Bandwidth is advice: what we cannot read is no reason to refuse a call.
    if (!value || !isToken(bandwidth.type)) return nullptr;
    bandwidth.value = *value;
    auto& list = section() ? section()->bandwidths : out_.bandwidths;
    if (list.size() == Bounds::kListItems) return "too many b= lines";
    list.push_back(std::move(bandwidth));
    return nullptr;
  }

  /// Mids are unique, and BUNDLE groups name existing sections once (RFC 9143 section 7, RFC 5888
  /// section 9.2). Other groups (LS) mean nothing to us and may say what they like.
  const char* checkMids() {
    std::vector<std::string_view> mids;
    for (size_t i = 0; i < out_.media.size(); ++i) {
      if (!out_.media[i].mid) continue;
      const std::string_view mid = *out_.media[i].mid;
      if (std::find(mids.begin(), mids.end(), mid) != mids.end()) {
        number_ = out_.media[i].midLine.number;
        return "section repeats the mid of another";
      }
      mids.push_back(mid);
    }
    std::vector<std::string_view> bundled;
    for (size_t i = 0; i < out_.groups.size(); ++i) {
      if (out_.groups[i].semantics != "BUNDLE") continue;
      number_ = groupLines_[i];
      for (const std::string& mid : out_.groups[i].mids) {
        if (std::find(mids.begin(), mids.end(), mid) == mids.end())
          return "BUNDLE names an unknown mid";
        if (std::find(bundled.begin(), bundled.end(), mid) != bundled.end())
          return "BUNDLE groups name one mid twice";
        bundled.push_back(mid);
      }
    }
    return nullptr;
  }

  MediaDescription* section() { return out_.media.empty() ? nullptr : &out_.media.back(); }

  std::string_view rest_;
  int number_ = 0;
  int linesSeen_ = 0;
  std::vector<int> groupLines_;  ///< of a=group, as they stand in `out_`
  SessionDescription out_;
};

}  // namespace

Result<SessionDescription> parse(std::string_view text) {
  return Parser(text).run();
}

}  // namespace parley::sdp
