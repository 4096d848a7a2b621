#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>

namespace parley::api_internal {

/// The numbers of an enumeration's members; unused places are -1.
template <class E>
constexpr std::array<long, 16> numbersOf(std::initializer_list<E> members) {
  std::array<long, 16> out{};
  out.fill(-1);
  size_t i = 0;
  for (const E member : members) out[i++] = static_cast<long>(member);
  return out;
}

}  // namespace parley::api_internal

/// Beside a cast between an enumeration of the facade and its twin in another layer: does not
/// compile unless these members have the same numbers in both.
#define PARLEY_SAME_NUMBERS(Ours, Theirs, ...)                             \
  static_assert(                                                           \
      [] {                                                                 \
        using enum Ours;                                                   \
        return parley::api_internal::numbersOf<Ours>({__VA_ARGS__});       \
      }() ==                                                               \
          [] {                                                             \
            using enum Theirs;                                             \
            return parley::api_internal::numbersOf<Theirs>({__VA_ARGS__}); \
          }(),                                                             \
      #Ours " and " #Theirs " have different numbers")
