#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "parley/base/bytes.h"

// The line protocol of the test peers (tests/interop/README.md): one JSON object per line.

namespace parley::interop {

using Json = nlohmann::json;

/// Writes lines to standard output from any thread.
class LineWriter {
 public:
  void event(const Json& value) { write(value); }
  void reply(const Json& id, Json result) {
    write({{"id", id}, {"ok", true}, {"result", std::move(result)}});
  }
  void failure(const Json& id, const std::string& error) {
    write({{"id", id}, {"ok", false}, {"error", error}});
  }

 private:
  void write(const Json& value);

  std::mutex mutex_;
};

/// A member if it is there and not null.
template <class T>
std::optional<T> optionalMember(const Json& object, const char* name) {
  const auto it = object.find(name);
  if (it == object.end() || it->is_null()) return std::nullopt;
  return it->get<T>();
}

template <class T>
Json orNull(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

std::string toBase64(ByteSpan bytes);
Bytes fromBase64(std::string_view text);

}  // namespace parley::interop
