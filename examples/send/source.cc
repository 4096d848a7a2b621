#include "source.h"

#include <algorithm>
#include <fcntl.h>
#include <utility>

namespace sending {

namespace {

constexpr size_t kReadBytes = 256 * 1024;  // at once, for checksums
constexpr std::chrono::seconds kFarewell{3};

}  // namespace

Source::Source(Manifest manifest, double bytesPerSecond, Progress& progress)
    : Transfer(progress), bytesPerSecond_(bytesPerSecond), buffer_(kReadBytes) {
  manifest_ = std::move(manifest);
  results_.resize(count());
}

End Source::run(Link& link, const Stop& stop) {
  requests_.clear();
  current_.reset();
  sent_ = acked_ = 0;
  bye_ = false;
  progress_.begin(manifest_.bytes(), manifest_.files());
  list(link);
  for (;;) {
    // Asked before reading: what came before the loss counts.
    const bool lost = link.lost();
    while (const auto message = link.next()) {
      if (!handle(link, *message)) return End::Broken;
    }
    if (bye_ || (allDone() && lost)) break;
    if (stop()) return End::Stopped;
    if (lost) return End::Lost;
    progress_.show();
    link.keepAlive();
    if (!current_ && !requests_.empty()) {
      if (!begin(link, stop)) return stop() ? End::Stopped : End::Lost;
    } else if (current_ && mayContinue() && inTime() && link.hasRoom()) {
      sendContent(link);
    } else {
      const bool late = current_ && mayContinue() && !inTime();
      link.wait(std::chrono::milliseconds(late ? 5 : 100), current_ && mayContinue() && !late);
    }
  }
  (void)link.send({{"t", "bye"}});
  // Who has everything hangs up; until then our last words may be under way.
  const auto end = Clock::now() + kFarewell;
  while (!link.lost() && Clock::now() < end) link.wait(std::chrono::milliseconds(100));
  link.close();
  return End::Done;
}

void Source::list(Link& link) {
  Json part = Json::array();
  size_t bytes = 0;
  for (size_t i = 0; i < count(); ++i) {
    part.push_back(entry(i).toJson());
    bytes += entry(i).path.size() + 80;
    if (bytes < kListBytes || i + 1 == count()) continue;
    // A long list is content too: what waits to be sent stays within bounds.
    while (!link.hasRoom() && !link.lost()) link.wait(std::chrono::milliseconds(100), true);
    if (!link.send({{"t", "list"}, {"entries", std::move(part)}})) return;
    part = Json::array();
    bytes = 0;
  }
  (void)link.send({{"t", "list"}, {"entries", std::move(part)}, {"last", true}});
}

bool Source::handle(Link& link, const Link::Message& message) {
  const Json json = message.isText ? Json::parse(parley::asText(message.data), nullptr, false)
                                   : Json(Json::value_t::discarded);
  if (!json.is_object()) return false;
  const std::string kind = textIn(json, "t");
  if (kind == "want" || kind == "check") return addRequest(json, kind == "check");
  if (kind == "done" || kind == "failed") onSettled(json, kind == "done");
  if (kind == "bye") bye_ = true;
  if (kind == "drop" && current_ && numberIn(json, "file") == current_->file)
    skip(link, current_->file, "the receiver cannot take it");
  if (kind == "ack") {
    acked_ = std::min(sent_, numberIn(json, "bytes").value_or(acked_));
    progress_.at(numberIn(json, "total").value_or(0), numberIn(json, "files").value_or(0));
    progress_.skipped(numberIn(json, "skipped").value_or(0));
  }
  return true;
}

bool Source::addRequest(const Json& message, bool check) {
  const auto file = numberIn(message, "file");
  if (!file || *file >= count() || entry(*file).isFolder) return false;
  if (requests_.size() > 2 * kRequestsAhead) return false;
  Request request{*file, check, {}};
  if (const auto pieces = message.find("pieces"); pieces != message.end() && pieces->is_array()) {
    for (const Json& piece : *pieces) {
      if (!piece.is_string()) return false;
      request.pieces.push_back(piece.get<std::string>());
    }
  }
  requests_.push_back(std::move(request));
  return true;
}

void Source::onSettled(const Json& message, bool done) {
  const auto file = numberIn(message, "file");
  if (!file || *file >= count()) return;
  FileResult& result = results_[*file];
  if (result.state != FileResult::State::Pending) return;
  result.state = done ? FileResult::State::Done : FileResult::State::Failed;
  if (result.sha256.empty()) result.sha256 = textIn(message, "sha256");
  result.wasThere = flagIn(message, "there");
  result.error = textIn(message, "error");
  done ? noteDone(*file) : noteFailed(*file);
}

bool Source::mayContinue() const {
  return sent_ - acked_ < kWindowBytes;
}

bool Source::inTime() {
  return bytesPerSecond_ <= 0 || Clock::now() >= due_;
}

bool Source::begin(Link& link, const Stop& stop) {
  const Request request = std::move(requests_.front());
  requests_.pop_front();
  const Entry& wanted = entry(request.file);
  File from(::open(wanted.source.c_str(), O_RDONLY | O_CLOEXEC));
  if (!from || from.size() != wanted.size) {
    skip(link, request.file, from ? "it has changed at the sender" : "the sender cannot read it");
    return true;
  }
  example::Sha256 whole;
  const auto same = agreed(link, stop, request, from, whole);
  if (!same) return false;
  if (request.check) {
    return link.send({{"t", "checked"},
                      {"file", request.file},
                      {"same", *same == wanted.size},
                      {"sha256", whole.hex()}});
  }
  results_[request.file].resumedBytes = *same;
  progress_.file(wanted.path, wanted.size, *same);
  current_ = Current{request.file, std::move(from), *same, std::move(whole)};
  if (!link.send({{"t", "file"}, {"file", request.file}, {"start", *same}})) return false;
  if (*same == wanted.size) sendContent(link);  // only its end is left
  return true;
}

std::optional<uint64_t> Source::agreed(Link& link, const Stop& stop, const Request& request,
                                       const File& file, example::Sha256& whole) {
  const uint64_t size = entry(request.file).size;
  uint64_t same = 0;
  for (const std::string& theirs : request.pieces) {
    const uint64_t end = std::min(size, same + pieceSize(size));
    example::Sha256 piece;
    example::Sha256 ahead = whole;
    for (uint64_t at = same; at < end;) {
      const auto part = parley::MutableByteSpan(buffer_).first(
          static_cast<size_t>(std::min<uint64_t>(end - at, buffer_.size())));
      if (file.read(part, at) != part.size()) return same;
      piece.add(part);
      ahead.add(part);
      at += part.size();
      progress_.show();
      link.keepAlive();
      if (stop() || link.lost()) return std::nullopt;
    }
    if (piece.hex() != theirs) break;
    whole = std::move(ahead);
    same = end;
  }
  return same;
}

void Source::sendContent(Link& link) {
  const Entry& wanted = entry(current_->file);
  const auto part = parley::MutableByteSpan(buffer_).first(
      static_cast<size_t>(std::min<uint64_t>(wanted.size - current_->offset, kMessageBytes)));
  if (!part.empty()) {
    if (current_->from.read(part, current_->offset) != part.size())
      return skip(link, current_->file, "it became shorter while it was read");
    current_->hash.add(part);
    if (!link.send(parley::ByteSpan(part))) return;
    current_->offset += part.size();
    sent_ += part.size();
    moved(part.size());
    progress_.fileAt(current_->offset);
    if (bytesPerSecond_ > 0) {
      const std::chrono::duration<double> cost(static_cast<double>(part.size()) / bytesPerSecond_);
      due_ = std::max(due_, Clock::now() - std::chrono::milliseconds(50)) +
             std::chrono::duration_cast<Clock::duration>(cost);
    }
  }
  if (current_->offset < wanted.size) return;
  const size_t file = current_->file;
  if (current_->from.size() != wanted.size) return skip(link, file, "it grew while it was read");
  results_[file].sha256 = current_->hash.hex();
  (void)link.send({{"t", "end"}, {"file", file}, {"sha256", results_[file].sha256}});
  current_.reset();
}

void Source::skip(Link& link, size_t file, const std::string& reason) {
  if (current_ && current_->file == file) current_.reset();
  (void)link.send({{"t", "skip"}, {"file", file}, {"error", reason}});
}

}  // namespace sending
