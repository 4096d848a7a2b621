#pragma once

#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

namespace parley {

/// A list that many hold and hardly anybody changes: copies share the items until one is edited.
/// For what each connection of a process has the same of, such as the codecs it offers.
template <class T>
class SharedList {
 public:
  SharedList() : SharedList(std::vector<T>()) {}
  SharedList(std::initializer_list<T> items) : SharedList(std::vector<T>(items)) {}
  // Implicit: it stands in for a vector.
  SharedList(std::vector<T> items)
      : items_(std::make_shared<const std::vector<T>>(std::move(items))) {}
  // Never moved from, so that there are always items.
  SharedList(const SharedList&) = default;
  SharedList& operator=(const SharedList&) = default;
  ~SharedList() = default;

  const std::vector<T>& get() const { return *items_; }
  operator const std::vector<T>&() const { return get(); }
  auto begin() const { return get().begin(); }
  auto end() const { return get().end(); }
  size_t size() const { return get().size(); }
  bool empty() const { return size() == 0; }
  const T& operator[](size_t i) const { return get()[i]; }
  /// Whether both hold the very same items, not only equal ones.
  bool sharesWith(const SharedList& other) const { return items_ == other.items_; }

  /// Replaces the items by what `change` makes of a copy of them; other holders keep theirs.
  template <class F>
  void edit(F&& change) {
    std::vector<T> copy = get();
    std::forward<F>(change)(copy);
    *this = SharedList(std::move(copy));
  }

  bool operator==(const SharedList& other) const {
    return items_ == other.items_ || get() == other.get();
  }

 private:
  std::shared_ptr<const std::vector<T>> items_;
};

}  // namespace parley
