#include "parley/transport/diagnosis.h"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <utility>

#include "parley/base/text.h"

namespace parley::transport {
namespace {

using ice::CandidateType;
using ice::IceConnectionState;

template <class... Arguments>
std::string format(const char* pattern, Arguments... arguments) {
  char buffer[256];
  std::snprintf(buffer, sizeof buffer, pattern, arguments...);
  return buffer;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += format("\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string tallyJson(const CandidateTally& tally) {
  std::string out = "{";
  for (size_t type = 0; type < tally.byType.size(); ++type) {
    out += format("\"%s_ipv4\":%u,\"%s_ipv6\":%u,", ice::toString(static_cast<CandidateType>(type)),
                  unsigned{tally.byType[type][0]}, ice::toString(static_cast<CandidateType>(type)),
                  unsigned{tally.byType[type][1]});
  }
  return out + format("\"mdns\":%u,\"tcp\":%u}", unsigned{tally.names}, unsigned{tally.tcp});
}

}  // namespace

CandidateKind CandidateKind::of(const ice::Candidate& candidate) {
  unsigned bits = static_cast<unsigned>(candidate.type);
  if (candidate.address.ip.isV6()) bits |= 4;
  if (candidate.protocol == ice::Protocol::Tcp) bits |= 8;
  if (!candidate.hostname.empty()) bits |= 16;
  return CandidateKind(static_cast<uint8_t>(bits));
}

std::string CandidateKind::toString() const {
  return std::string(ice::toString(type())) +
         (isName() ? " mDNS"
          : isV6() ? " IPv6"
                   : " IPv4") +
         (isTcp() ? " TCP" : "");
}

std::string TimelineEntry::toString() const {
  switch (what) {
    case Milestone::GatheringStarted:
      return "gathering started";
    case Milestone::CandidateFound:
      return "own candidate: " + CandidateKind(detail).toString();
    case Milestone::ServerFailed:
      return format("a server failed: %u", unsigned{value});
    case Milestone::GatheringDone:
      return "gathering done";
    case Milestone::RemoteDescribed:
      return "description of the peer";
    case Milestone::RemoteCandidate:
      return "candidate of the peer: " + CandidateKind(detail).toString();
    case Milestone::RemoteEnd:
      return "the peer has no more candidates";
    case Milestone::IceState:
      return std::string("ICE ") + ice::toString(static_cast<IceConnectionState>(detail));
    case Milestone::PathChosen:
      return "path: " + CandidateKind(detail).toString() + " to " +
             CandidateKind(static_cast<uint8_t>(value)).toString();
    case Milestone::PathLost:
      return "no path";
    case Milestone::IceRestarted:
      return "ICE restart";
    case Milestone::DtlsState: {
      const auto reason = static_cast<dtls::Reason>(value);
      return std::string("DTLS ") + dtls::toString(static_cast<dtls::State>(detail)) +
             (reason == dtls::Reason::None ? "" : std::string(": ") + dtls::toString(reason));
    }
    case Milestone::SctpStarted:
      return "SCTP started";
    case Milestone::SctpState:
      return std::string("SCTP ") + sctp::toString(static_cast<sctp::AssociationState>(detail));
    case Milestone::FirstMediaSent:
      return "first media sent";
    case Milestone::FirstMediaReceived:
      return "first media received";
    case Milestone::Closed:
      return "closed";
  }
  return "";
}

void Timeline::note(Milestone what, Timestamp now, uint8_t detail, uint16_t value) {
  if (begin_.isNever()) begin_ = now;
  constexpr int64_t kMost = std::numeric_limits<uint32_t>::max();
  const auto at = static_cast<uint32_t>(std::clamp<int64_t>(age(now).micros() / 100, 0, kMost));
  const TimelineEntry entry{at, what, detail, value};
  if (first_.size() < kKept / 2) {
    first_.push_back(entry);
  } else if (last_.size() < kKept / 2) {
    last_.push_back(entry);
  } else {
    last_[oldest_] = entry;
    oldest_ = (oldest_ + 1) % last_.size();
    ++forgotten_;
  }
}

std::vector<TimelineEntry> Timeline::entries() const {
  std::vector<TimelineEntry> out = first_;
  for (size_t i = 0; i < last_.size(); ++i) out.push_back(last_[(oldest_ + i) % last_.size()]);
  return out;
}

Duration Timeline::age(Timestamp now) const {
  return begin_.isNever() || now < begin_ ? Duration() : now - begin_;
}

void CandidateTally::add(CandidateKind kind) {
  const auto up = [](uint16_t& n) { n = static_cast<uint16_t>(std::min(n + 1, 0xFFFF)); };
  if (kind.isTcp()) up(tcp);
  if (kind.isName()) {
    up(names);
  } else {
    up(byType[static_cast<size_t>(kind.type())][kind.isV6()]);
  }
}

size_t CandidateTally::total() const {
  return names + of(false) + of(true);
}

size_t CandidateTally::of(bool v6) const {
  size_t sum = 0;
  for (const auto& versions : byType) sum += versions[v6];
  return sum;
}

size_t CandidateTally::of(ice::CandidateType type) const {
  const auto& versions = byType[static_cast<size_t>(type)];
  return size_t{versions[0]} + versions[1];
}

std::string Diagnosis::text() const {
  std::string out = verdict.text + "\n";
  if (!others.empty()) out += "section \"" + mid + "\": " + judge(facts).text + "\n";
  const size_t half = Timeline::kKept / 2;
  for (size_t i = 0; i < timeline.size(); ++i) {
    if (i == half && forgotten > 0)
      out += format("            ... %llu more\n", static_cast<unsigned long long>(forgotten));
    out += format("%9.1f ms ", timeline[i].when().seconds() * 1000) + timeline[i].toString() + "\n";
  }
  for (const ServerProblem& problem : facts.problems)
    out += "  " + problem.url + ": " + std::to_string(problem.code) + " " + problem.text + "\n";
  for (const StoppedStream& stream : facts.stoppedStreams) {
    out += "  what is sent in section " + stream.mid +
           (stream.rid.empty() ? "" : " as " + stream.rid) +
           " was stopped by the circuit breaker: " + stream.reason + "\n";
  }
  for (const Diagnosis& other : others) out += "section \"" + other.mid + "\": " + other.text();
  return out;
}

std::string Diagnosis::json() const {
  std::string out = "{\"verdict\":" + quoted(transport::toString(verdict.code)) +
                    ",\"summary\":" + quoted(verdict.text) +
                    format(",\"age_s\":%.4f,\"timeline\":[", age.seconds());
  const char* separator = "";
  for (const TimelineEntry& entry : timeline) {
    out += std::exchange(separator, ",") +
           format("{\"at_ms\":%.1f,\"event\":", entry.when().seconds() * 1000) +
           quoted(entry.toString()) + "}";
  }
  out += format("],\"forgotten\":%llu", static_cast<unsigned long long>(forgotten)) +
         ",\"local_candidates\":" + tallyJson(facts.local) +
         ",\"remote_candidates\":" + tallyJson(facts.remote) +
         format(",\"checks_sent\":%llu,\"checks_answered\":%llu,\"checks_received\":%llu",
                static_cast<unsigned long long>(facts.checksSent),
                static_cast<unsigned long long>(facts.checksAnswered),
                static_cast<unsigned long long>(facts.checksReceived)) +
         ",\"servers\":[";
  separator = "";
  for (const ServerProblem& problem : facts.problems) {
    out += std::exchange(separator, ",") + std::string("{\"url\":") + quoted(problem.url) +
           ",\"code\":" + std::to_string(problem.code) + ",\"text\":" + quoted(problem.text) + "}";
  }
  out += "],\"stopped_streams\":[";
  separator = "";
  for (const StoppedStream& stream : facts.stoppedStreams) {
    out += std::exchange(separator, ",") + std::string("{\"mid\":") + quoted(stream.mid) +
           ",\"rid\":" + quoted(stream.rid) + ",\"reason\":" + quoted(stream.reason) + "}";
  }
  out += "]";
  if (!mid.empty()) out += ",\"mid\":" + quoted(mid);
  if (!others.empty()) {
    out += ",\"others\":[";
    separator = "";
    for (const Diagnosis& other : others) out += std::exchange(separator, ",") + other.json();
    out += "]";
  }
  return out + "}";
}

}  // namespace parley::transport
