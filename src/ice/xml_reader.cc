#include "ice/xml_reader.h"

#include "parley/base/text.h"

namespace parley::ice {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

std::string_view localName(std::string_view name) {
  const size_t colon = name.rfind(':');
  return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

/// The character that an entity stands for; 0 for what no router needs to say.
char decodeEntity(std::string_view entity) {
  if (entity == "amp") return '&';
  if (entity == "lt") return '<';
  if (entity == "gt") return '>';
  if (entity == "quot") return '"';
  if (entity == "apos") return '\'';
  if (!entity.starts_with('#') || entity.starts_with("#x")) return 0;
  const auto code = parseNumber<unsigned>(entity.substr(1));
  return code && *code >= 0x20 && *code < 0x7F ? static_cast<char>(*code) : char{0};
}

}  // namespace

XmlReader::Token XmlReader::next() {
  if (bad_) return Token::Bad;
  if (closing_) {
    closing_ = false;
    name_ = localName(open_.back());
    open_.pop_back();
    return Token::Close;
  }
  while (!rest_.empty()) {
    skipped_ = false;
    Token token;
    if (rest_.front() == '<') {
      token = readMarkup();
    } else {
      const size_t end = rest_.find('<');
      token = readText(rest_.substr(0, end), true);
      rest_ = end == std::string_view::npos ? std::string_view{} : rest_.substr(end);
    }
    if (token == Token::Bad) bad_ = true;
    if (!skipped_ || bad_) return token;
  }
  bad_ = !open_.empty();
  return bad_ ? Token::Bad : Token::End;
}

bool XmlReader::skipPast(std::string_view mark) {
  const size_t at = rest_.find(mark);
  if (at == std::string_view::npos) return false;
  rest_ = rest_.substr(at + mark.size());
  return true;
}

XmlReader::Token XmlReader::readMarkup() {
  skipped_ = true;
  if (rest_.starts_with("<!--")) return skipPast("-->") ? Token::Text : Token::Bad;
  if (rest_.starts_with("<?")) return skipPast("?>") ? Token::Text : Token::Bad;
  constexpr std::string_view kData = "<![CDATA[";
  if (rest_.starts_with(kData)) {
    const std::string_view inside = rest_.substr(kData.size());
    const size_t end = inside.find("]]>");
    if (end == std::string_view::npos) return Token::Bad;
    rest_ = inside.substr(end + 3);
    return readText(inside.substr(0, end), false);
  }
  if (rest_.starts_with("<!")) return Token::Bad;
  skipped_ = false;
  return rest_.starts_with("</") ? readClosing() : readOpening();
}

XmlReader::Token XmlReader::readOpening() {
  rest_.remove_prefix(1);
  const size_t end = rest_.find_first_of(" \t\r\n/>");
  if (end == 0 || end == std::string_view::npos || open_.size() == kMaxDepth) return Token::Bad;
  open_.push_back(rest_.substr(0, end));
  name_ = localName(open_.back());
  // A quoted attribute may hold what would end the tag.
  char quote = 0;
  for (size_t i = end; i < rest_.size(); ++i) {
    const char c = rest_[i];
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '<') {
      return Token::Bad;
    } else if (c == '>') {
      closing_ = rest_[i - 1] == '/';
      rest_ = rest_.substr(i + 1);
      return Token::Open;
    }
  }
  return Token::Bad;
}

XmlReader::Token XmlReader::readClosing() {
  rest_.remove_prefix(2);
  const size_t end = rest_.find('>');
  if (end == std::string_view::npos || open_.empty()) return Token::Bad;
  if (trimmed(rest_.substr(0, end)) != open_.back()) return Token::Bad;
  name_ = localName(open_.back());
  open_.pop_back();
  rest_ = rest_.substr(end + 1);
  return Token::Close;
}

XmlReader::Token XmlReader::readText(std::string_view raw, bool decode) {
  raw = trimmed(raw);
  skipped_ = raw.empty();
  if (raw.empty()) return Token::Text;
  if (open_.empty()) return Token::Bad;
  name_ = localName(open_.back());
  text_.clear();
  while (!raw.empty()) {
    const size_t at = decode ? raw.find('&') : std::string_view::npos;
    text_ += raw.substr(0, at);
    if (at == std::string_view::npos) break;
    const size_t end = raw.find(';', at);
    const char c =
        end == std::string_view::npos ? char{0} : decodeEntity(raw.substr(at + 1, end - at - 1));
    if (c == 0) return Token::Bad;
    text_ += c;
    raw = raw.substr(end + 1);
  }
  return Token::Text;
}

}  // namespace parley::ice
