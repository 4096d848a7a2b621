#include "sctp/engine/out_message.h"

#include <utility>

namespace parley::sctp {
namespace {

/// As many small ones as fit the bytes: a queue that an application fills and refills is full of
/// them.
constexpr size_t kMaxSpareMessages = 16'384;
constexpr size_t kMaxSpareBytes = 512 * 1024;
constexpr size_t kIdleSpareBytes = 4 * 1024;
constexpr size_t kIdleSpareMessages = 4;

}  // namespace

MessagePool::~MessagePool() {
  for (OutMessage* m : messages_) delete m;
  for (Piece* p : pieces_) delete p;
}

OutMessage* MessagePool::takeMessage() {
  if (messages_.empty()) {
    OutMessage* fresh = new OutMessage;
    fresh->refs = 1;
    return fresh;
  }
  OutMessage* m = messages_.back();
  messages_.pop_back();
  *m = OutMessage{};
  m->refs = 1;
  return m;
}

Piece* MessagePool::takePiece() {
  Piece* p = nullptr;
  if (pieces_.empty()) {
    p = new Piece;
  } else {
    p = pieces_.back();
    pieces_.pop_back();
    spareBytes_ -= p->data.capacity();
  }
  p->refs = 1;
  p->next = nullptr;
  return p;
}

void MessagePool::release(OutMessage* message) {
  if (--message->refs != 0) return;
  if (messages_.size() < kMaxSpareMessages) {
    messages_.push_back(message);
  } else {
    delete message;
  }
}

void MessagePool::release(Piece* piece) {
  if (--piece->refs != 0) return;
  const size_t capacity = piece->data.capacity();
  if (spareBytes_ + capacity > kMaxSpareBytes || pieces_.size() >= kMaxSpareMessages) {
    delete piece;
    return;
  }
  piece->data.clear();
  spareBytes_ += capacity;
  pieces_.push_back(piece);
}

void MessagePool::freePieces(size_t keepBytes) {
  while (!pieces_.empty() && spareBytes_ > keepBytes) {
    spareBytes_ -= pieces_.back()->data.capacity();
    delete pieces_.back();
    pieces_.pop_back();
  }
}

void MessagePool::trim() {
  freePieces(kIdleSpareBytes);
  while (messages_.size() > kIdleSpareMessages) {
    delete messages_.back();
    messages_.pop_back();
  }
  messages_.shrink_to_fit();
  pieces_.shrink_to_fit();
}

}  // namespace parley::sctp
