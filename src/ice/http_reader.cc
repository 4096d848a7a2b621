#include "ice/http_reader.h"

#include <charconv>

#include "parley/base/text.h"

namespace parley::ice {
namespace {

/// Framing of chunks included.
constexpr size_t kMaxRaw = HttpReader::kMaxHead + 2 * HttpReader::kMaxBody;

std::string_view withoutBlanks(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

}  // namespace

std::string_view headerField(std::string_view lines, std::string_view name) {
  while (!lines.empty()) {
    const size_t end = lines.find("\r\n");
    const std::string_view line = lines.substr(0, end);
    lines = end == std::string_view::npos ? std::string_view{} : lines.substr(end + 2);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || !equalsIgnoreCase(line.substr(0, colon), name)) continue;
    return withoutBlanks(line.substr(colon + 1));
  }
  return {};
}

HttpReader::Status HttpReader::feed(ByteSpan bytes) {
  if (status_ != Status::Partial) return status_;
  if (bytes.size() > kMaxRaw - raw_.size()) return status_ = Status::Bad;
  raw_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return status_ = parse(false);
}

HttpReader::Status HttpReader::end() {
  if (status_ != Status::Partial) return status_;
  status_ = parse(true);
  return status_ = status_ == Status::Done ? Status::Done : Status::Bad;
}

HttpReader::Status HttpReader::parse(bool ended) {
  for (;;) {
    const size_t end = raw_.find("\r\n\r\n");
    if (end == std::string::npos) return raw_.size() > kMaxHead ? Status::Bad : Status::Partial;
    if (end > kMaxHead) return Status::Bad;
    const std::string_view head = std::string_view(raw_).substr(0, end + 2);
    // "HTTP/1.1 200 OK"
    if (!head.starts_with("HTTP/1.") || head.size() < 12 || head[8] != ' ') return Status::Bad;
    const auto code = parseNumber<int>(head.substr(9, 3));
    if (!code || *code < 100) return Status::Bad;
    code_ = *code;
    if (code_ >= 200) return readBody(head, std::string_view(raw_).substr(end + 4), ended);
    raw_.erase(0, end + 4);  // interim: the answer follows
  }
}

HttpReader::Status HttpReader::readBody(std::string_view head, std::string_view rest, bool ended) {
  if (equalsIgnoreCase(headerField(head, "Transfer-Encoding"), "chunked")) return readChunks(rest);
  const std::string_view length = headerField(head, "Content-Length");
  if (length.empty()) {
    if (rest.size() > kMaxBody) return Status::Bad;
    if (!ended) return Status::Partial;
    body_ = rest;
    return Status::Done;
  }
  const auto size = parseNumber<size_t>(length);
  if (!size || *size > kMaxBody) return Status::Bad;
  if (rest.size() < *size) return Status::Partial;
  body_ = rest.substr(0, *size);
  return Status::Done;
}

HttpReader::Status HttpReader::readChunks(std::string_view rest) {
  body_.clear();
  for (;;) {
    const size_t end = rest.find("\r\n");
    if (end == std::string_view::npos) return rest.size() > 64 ? Status::Bad : Status::Partial;
    const std::string_view line = rest.substr(0, end);
    size_t size = 0;
    const char* last = line.data() + line.size();
    const auto [stop, error] = std::from_chars(line.data(), last, size, 16);
    if (error != std::errc{} || (stop != last && *stop != ';' && *stop != ' ')) return Status::Bad;
    rest = rest.substr(end + 2);
    if (size == 0) return Status::Done;  // trailers are of no interest
    if (size > kMaxBody - body_.size()) return Status::Bad;
    if (rest.size() < size + 2) return Status::Partial;
    if (rest.substr(size, 2) != "\r\n") return Status::Bad;
    body_ += rest.substr(0, size);
    rest = rest.substr(size + 2);
  }
}

}  // namespace parley::ice
