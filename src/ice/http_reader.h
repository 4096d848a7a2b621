#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "parley/base/bytes.h"

namespace parley::ice {

/// The value of a header field in lines that end with CR LF; empty if it is not there. Blanks
/// around it are left out, and the name's case does not matter (RFC 9110 section 5).
std::string_view headerField(std::string_view lines, std::string_view name);

/// Takes in one HTTP/1.1 response (RFC 9112), as far as home routers need it: bodies by
/// Content-Length, in chunks, or up to the end of the connection. Bounded.
class HttpReader {
 public:
  static constexpr size_t kMaxHead = 8 * 1024;
  static constexpr size_t kMaxBody = 64 * 1024;
  enum class Status { Partial, Done, Bad };

  Status feed(ByteSpan bytes);
  /// The connection has ended.
  Status end();
  int code() const { return code_; }  ///< once done
  const std::string& body() const { return body_; }

 private:
  Status parse(bool ended);
  Status readBody(std::string_view head, std::string_view rest, bool ended);
  Status readChunks(std::string_view rest);

  std::string raw_;
  std::string body_;
  int code_ = 0;
  Status status_ = Status::Partial;
};

}  // namespace parley::ice
