#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace parley::ice {

/// Reads the XML of home routers piece by piece: elements by their local names, and text. No
/// attributes, no namespaces, no document types: whoever sends one means to expand entities, and is
/// refused. Bounded by the text that it is given, and by a depth of kMaxDepth elements.
class XmlReader {
 public:
  static constexpr size_t kMaxDepth = 32;
  enum class Token { Open, Close, Text, End, Bad };

  /// `text` must outlive the reader.
  explicit XmlReader(std::string_view text) : rest_(text) {}

  /// After End or Bad always the same again. Text of blanks alone is left out.
  Token next();
  /// Of Open and Close that element's local name, of Text the name of the element around it.
  std::string_view name() const { return name_; }
  /// Of Text, without entities and outer blanks.
  const std::string& text() const { return text_; }

 private:
  Token readMarkup();
  Token readOpening();
  Token readClosing();
  Token readText(std::string_view raw, bool decode);
  bool skipPast(std::string_view mark);

  std::string_view rest_;
  std::string_view name_;
  std::string text_;
  std::vector<std::string_view> open_;  ///< full names
  bool closing_ = false;                ///< an empty element was opened
  bool bad_ = false;
  bool skipped_ = false;
};

}  // namespace parley::ice
