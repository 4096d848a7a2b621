#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace parley {

/// An integer that cannot be mixed up with another kind of integer: `using SocketId =
/// StrongId<struct SocketTag>`.
template <class Tag, class Rep = uint32_t>
struct StrongId {
  Rep value{};
  constexpr StrongId() = default;
  explicit constexpr StrongId(Rep v) : value(v) {}
  constexpr auto operator<=>(const StrongId&) const = default;
};

}  // namespace parley

template <class Tag, class Rep>
struct std::hash<parley::StrongId<Tag, Rep>> {
  size_t operator()(const parley::StrongId<Tag, Rep>& id) const noexcept {
    return std::hash<Rep>{}(id.value);
  }
};
