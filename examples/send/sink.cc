#include "sink.h"

#include <algorithm>
#include <utility>

#include "common/terminal.h"

namespace sending {

using example::byteCount;
using State = FileResult::State;

namespace {

constexpr size_t kReadBytes = 256 * 1024;
constexpr int kAttempts = 2;  // a file whose checksum is wrong comes once more
constexpr std::chrono::seconds kFarewell{5};

}  // namespace

Sink::Sink(TargetFolder folder, bool force, Progress& progress)
    : Transfer(progress), folder_(std::move(folder)), force_(force), buffer_(kReadBytes) {}

void Sink::again() {
  manifest_.entries.clear();
  finished_.clear();
  Transfer::again();
}

void Sink::reset() {
  for (size_t i = 0; i < count(); ++i) {
    if (results_[i].state == State::Done) finished_[entry(i).path] = {entry(i), results_[i]};
  }
  manifest_.entries.clear();
  results_.clear();
  named_.clear();
  attempts_.clear();
  outstanding_.clear();
  current_.reset();
  listed_ = bye_ = false;
  next_ = doneFiles_ = 0;
  got_ = acked_ = doneBytes_ = skipped_ = 0;
}

End Sink::run(Link& link, const Stop& stop) {
  reset();
  for (;;) {
    // Asked before reading: what came before the loss is kept.
    const bool lost = link.lost();
    while (const auto message = link.next()) {
      if (!handle(link, *message)) return End::Broken;
      if (stop()) return End::Stopped;
    }
    if (stop()) return End::Stopped;
    if (listed_) {
      ask(link, stop);
      if (next_ == count() && outstanding_.empty() && !current_) return farewell(link);
    }
    if (lost) return End::Lost;
    acknowledge(link, false);
    progress_.show();
    link.keepAlive();
    link.wait(std::chrono::milliseconds(100));
  }
}

End Sink::farewell(Link& link) {
  acknowledge(link, true);
  (void)link.send({{"t", "bye"}, {"failed", failed()}});
  const auto end = Clock::now() + kFarewell;
  while (!bye_ && !link.lost() && Clock::now() < end) {
    link.wait(std::chrono::milliseconds(100));
    while (const auto message = link.next()) (void)handle(link, *message);
  }
  link.close();
  return End::Done;
}

bool Sink::handle(Link& link, const Link::Message& message) {
  if (!message.isText) return onContent(message.data, link);
  const Json json = Json::parse(parley::asText(message.data), nullptr, false);
  if (!json.is_object()) return false;
  const std::string kind = textIn(json, "t");
  if (kind == "list") return onList(json, link);
  if (kind == "file") return onFile(json, link);
  if (kind == "end") return onEnd(json, link);
  if (kind == "skip") return onSkip(json, link);
  if (kind == "checked") return onChecked(json, link);
  if (kind == "bye") bye_ = true;
  return true;
}

bool Sink::onList(const Json& message, Link& link) {
  const auto entries = message.find("entries");
  if (listed_ || entries == message.end() || !entries->is_array()) return false;
  for (const Json& one : *entries) {
    auto parsed = Entry::fromJson(one);
    if (!parsed || count() >= kMaxFiles) return false;
    manifest_.entries.push_back(std::move(*parsed));
  }
  if (!flagIn(message, "last")) return true;
  listed_ = true;
  plan(link);
  return true;
}

std::string Sink::problemOf(const Entry& wanted) {
  std::string problem = pathProblem(wanted.path);
  if (!problem.empty()) return problem;
  if (!named_.insert(wanted.path).second) return "a name that comes twice";
  if (wanted.path.ends_with(TargetFolder::kUnfinished)) return "a name for unfinished files";
  return {};
}

void Sink::plan(Link& link) {
  results_.resize(count());
  attempts_.resize(count());
  progress_.begin(manifest_.bytes(), manifest_.files());
  uint64_t needed = 0;
  for (size_t i = 0; i < count(); ++i) {
    if (const std::string problem = problemOf(entry(i)); !problem.empty()) {
      fail(link, i, problem);
      continue;
    }
    const auto earlier = finished_.find(entry(i).path);
    if (earlier != finished_.end() && earlier->second.first.size == entry(i).size &&
        earlier->second.first.modified == entry(i).modified) {
      results_[i] = earlier->second.second;
      doneBytes_ += entry(i).size;
      skipped_ += entry(i).size;
      doneFiles_ += entry(i).isFolder ? 0 : 1;
      (void)link.send({{"t", "done"}, {"file", i}, {"sha256", results_[i].sha256}});
      continue;
    }
    if (!folder_.exists(entry(i).path)) needed += entry(i).size;
    const File part = folder_.openUnfinished(entry(i).path, false);
    if (part) needed -= std::min({needed, entry(i).size, part.size()});
  }
  if (needed <= folder_.freeBytes()) return;
  const std::string reason = "not enough room: " + byteCount(static_cast<double>(needed)) +
                             " are needed, " + byteCount(static_cast<double>(folder_.freeBytes())) +
                             " are free";
  for (size_t i = 0; i < count(); ++i) {
    if (results_[i].state == State::Pending) fail(link, i, reason);
  }
}

void Sink::ask(Link& link, const Stop& stop) {
  while (next_ < count() && outstanding_.size() < kRequestsAhead && !link.lost() && !stop()) {
    const size_t file = next_++;
    const Entry& wanted = entry(file);
    if (results_[file].state != State::Pending) continue;
    if (wanted.isFolder) {
      const auto made = folder_.makeFolder(wanted.path);
      made ? finish(link, file, "", false) : fail(link, file, made.error().message);
      continue;
    }
    if (!folder_.exists(wanted.path)) {
      want(link, file);
      continue;
    }
    const File there = folder_.openFinished(wanted.path);
    if (there && there.size() == wanted.size) {
      Pieces pieces = piecesOf(there, wanted.size, pieceSize(wanted.size), true, link);
      (void)link.send({{"t", "check"}, {"file", file}, {"pieces", std::move(pieces.checksums)}});
      outstanding_.push_back({file, true, pieces.bytes, std::move(pieces.whole)});
    } else if (there && force_) {
      want(link, file);
    } else {
      fail(link, file, "something else has that name here");
    }
    // What comes meanwhile is not left lying about.
    if (link.hasMessages()) return;
  }
}

void Sink::want(Link& link, size_t file) {
  const uint64_t size = entry(file).size;
  Pieces pieces;
  if (const File part = folder_.openUnfinished(entry(file).path, false))
    pieces = piecesOf(part, std::min(size, part.size()), pieceSize(size), false, link);
  (void)link.send({{"t", "want"}, {"file", file}, {"pieces", std::move(pieces.checksums)}});
  outstanding_.push_back({file, false, pieces.bytes, std::move(pieces.whole)});
}

Sink::Pieces Sink::piecesOf(const File& file, uint64_t size, uint64_t piece, bool tail, Link& link,
                            bool evenIfLost) {
  Pieces out;
  while (out.bytes < size && (tail || size - out.bytes >= piece)) {
    const uint64_t end = std::min(size, out.bytes + piece);
    example::Sha256 one;
    example::Sha256 ahead = out.whole;
    for (uint64_t at = out.bytes; at < end;) {
      const auto part = parley::MutableByteSpan(buffer_).first(
          static_cast<size_t>(std::min<uint64_t>(end - at, buffer_.size())));
      if (file.read(part, at) != part.size()) return out;
      if (link.lost() && !evenIfLost) return out;
      one.add(part);
      ahead.add(part);
      at += part.size();
      link.keepAlive();
    }
    out.checksums.push_back(one.hex());
    out.whole = std::move(ahead);
    out.bytes = end;
  }
  return out;
}

bool Sink::onChecked(const Json& message, Link& link) {
  if (outstanding_.empty() || !outstanding_.front().check) return false;
  const Request request = std::move(outstanding_.front());
  outstanding_.pop_front();
  if (numberIn(message, "file") != request.file) return false;
  if (flagIn(message, "same")) {
    finish(link, request.file, request.whole.hex(), true);
  } else if (force_) {
    want(link, request.file);
  } else {
    fail(link, request.file, "another file has that name here");
  }
  return true;
}

bool Sink::onFile(const Json& message, Link& link) {
  const auto start = numberIn(message, "start");
  if (current_ || outstanding_.empty() || outstanding_.front().check || !start) return false;
  Request request = std::move(outstanding_.front());
  outstanding_.pop_front();
  if (numberIn(message, "file") != request.file || *start > request.have) return false;
  const Entry& coming = entry(request.file);
  current_ = Current{request.file, folder_.openUnfinished(coming.path, true), *start, {}};
  progress_.file(coming.path, coming.size, *start);
  if (!current_->to || !current_->to.truncate(*start)) {
    cannotStore(link, "it cannot be stored here");
    return true;
  }
  if (*start == request.have) {
    current_->hash = std::move(request.whole);
  } else {
    // The sender agrees to less than there was.
    current_->hash =
        piecesOf(current_->to, *start, std::max<uint64_t>(*start, 1), true, link, true).whole;
  }
  results_[request.file].resumedBytes = *start;
  skipped_ += *start;
  return true;
}

bool Sink::onContent(parley::ByteSpan content, Link& link) {
  if (!current_ || content.size() > entry(current_->file).size - current_->offset) return false;
  if (current_->to) {
    if (current_->to.write(content, current_->offset)) {
      current_->hash.add(content);
    } else {
      cannotStore(link, "the disk takes no more");
    }
  }
  current_->offset += content.size();
  got_ += content.size();
  moved(content.size());
  progress_.fileAt(current_->offset);
  acknowledge(link, false);
  progress_.show();
  return true;
}

bool Sink::onEnd(const Json& message, Link& link) {
  if (!current_ || numberIn(message, "file") != current_->file ||
      current_->offset != entry(current_->file).size)
    return false;
  const Current file = std::move(*current_);
  current_.reset();
  if (!file.to) return true;
  const std::string sha256 = file.hash.hex();
  if (sha256 != textIn(message, "sha256")) {
    // Nothing of it can be trusted: what was there before may have been the wrong part.
    folder_.removeUnfinished(entry(file.file).path);
    if (++attempts_[file.file] < kAttempts) {
      want(link, file.file);
    } else {
      fail(link, file.file, "its checksum is wrong");
    }
    return true;
  }
  const auto stored = folder_.finish(entry(file.file), file.to, force_);
  stored ? finish(link, file.file, sha256, false) : fail(link, file.file, stored.error().message);
  return true;
}

bool Sink::onSkip(const Json& message, Link& link) {
  const auto file = numberIn(message, "file");
  if (!file) return false;
  if (current_ && current_->file == *file) {
    current_.reset();
  } else if (!outstanding_.empty() && outstanding_.front().file == *file) {
    outstanding_.pop_front();
  } else {
    return false;
  }
  if (results_[*file].state == State::Pending) fail(link, *file, textIn(message, "error"));
  return true;
}

void Sink::cannotStore(Link& link, const std::string& reason) {
  current_->to = File();
  fail(link, current_->file, reason);
  (void)link.send({{"t", "drop"}, {"file", current_->file}});
}

void Sink::acknowledge(Link& link, bool now) {
  const auto time = Clock::now();
  if (!now && got_ - acked_ < kAckBytes && time - ackedAt_ < kAckInterval) return;
  const uint64_t total = doneBytes_ + (current_ ? current_->offset : 0);
  progress_.at(total, doneFiles_);
  progress_.skipped(skipped_);
  ackedAt_ = time;
  acked_ = got_;
  (void)link.send({{"t", "ack"},
                   {"bytes", got_},
                   {"total", total},
                   {"files", doneFiles_},
                   {"skipped", skipped_}});
}

void Sink::finish(Link& link, size_t file, const std::string& sha256, bool wasThere) {
  FileResult& result = results_[file];
  result.state = State::Done;
  result.sha256 = sha256;
  result.wasThere = wasThere;
  doneBytes_ += entry(file).size;
  doneFiles_ += entry(file).isFolder ? 0 : 1;
  if (wasThere) skipped_ += entry(file).size;
  (void)link.send({{"t", "done"}, {"file", file}, {"sha256", sha256}, {"there", wasThere}});
  noteDone(file);
}

void Sink::fail(Link& link, size_t file, const std::string& reason) {
  results_[file].state = State::Failed;
  results_[file].error = reason;
  (void)link.send({{"t", "failed"}, {"file", file}, {"error", reason}});
  noteFailed(file);
}

}  // namespace sending
