#include "support/alloc_guard.h"

#include <atomic>
#include <cstdlib>
#include <new>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PARLEY_TEST_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PARLEY_TEST_SANITIZED 1
#endif

namespace parley::test {

namespace {
std::atomic<size_t> allocations{0};
}

AllocGuard::AllocGuard() : start_(allocations.load(std::memory_order_relaxed)) {}

size_t AllocGuard::count() const {
  return allocations.load(std::memory_order_relaxed) - start_;
}

bool AllocGuard::isActive() {
#ifdef PARLEY_TEST_SANITIZED
  return false;
#else
  return true;
#endif
}

#ifndef PARLEY_TEST_SANITIZED
namespace {

void* allocate(size_t size, size_t alignment) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (size == 0) size = 1;
  if (alignment <= alignof(std::max_align_t)) return std::malloc(size);
  return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

void* allocateOrAbort(size_t size, size_t alignment = 0) {
  void* p = allocate(size, alignment);
  if (!p) std::abort();
  return p;
}

}  // namespace
#endif

}  // namespace parley::test

#ifndef PARLEY_TEST_SANITIZED
void* operator new(size_t size) {
  return parley::test::allocateOrAbort(size);
}
void* operator new[](size_t size) {
  return parley::test::allocateOrAbort(size);
}
void* operator new(size_t size, std::align_val_t alignment) {
  return parley::test::allocateOrAbort(size, static_cast<size_t>(alignment));
}
void* operator new[](size_t size, std::align_val_t alignment) {
  return parley::test::allocateOrAbort(size, static_cast<size_t>(alignment));
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return parley::test::allocate(size, 0);
}
void* operator new[](size_t size, const std::nothrow_t&) noexcept {
  return parley::test::allocate(size, 0);
}
void operator delete(void* p) noexcept {
  std::free(p);
}
void operator delete[](void* p) noexcept {
  std::free(p);
}
void operator delete(void* p, size_t) noexcept {
  std::free(p);
}
void operator delete[](void* p, size_t) noexcept {
  std::free(p);
}
void operator delete(void* p, std::align_val_t) noexcept {
  std::free(p);
}
void operator delete[](void* p, std::align_val_t) noexcept {
  std::free(p);
}
void operator delete(void* p, size_t, std::align_val_t) noexcept {
  std::free(p);
}
void operator delete[](void* p, size_t, std::align_val_t) noexcept {
  std::free(p);
}
#endif
