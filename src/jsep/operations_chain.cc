#include "parley/jsep/operations_chain.h"

#include <utility>

namespace parley::jsep {

bool OperationsChain::enqueue(Operation operation) {
  if (closed_) return false;
  waiting_.push_back(std::move(operation));
  run();
  return true;
}

void OperationsChain::finished() {
  if (closed_) return;
  running_ = false;
  run();
}

/// A loop instead of recursion: an operation that finishes at once returns here for the next.
void OperationsChain::run() {
  if (unwinding_) return;
  unwinding_ = true;
  while (!running_ && !waiting_.empty()) {
    const Operation operation = std::move(waiting_.front());
    waiting_.pop_front();
    running_ = true;
    operation();
  }
  unwinding_ = false;
}

bool OperationsChain::requestNegotiationCheck() {
  if (empty()) return true;
  checkOnEmpty_ = true;
  return false;
}

bool OperationsChain::takeNegotiationCheck() {
  if (closed_ || !checkOnEmpty_ || !empty()) return false;
  checkOnEmpty_ = false;
  return true;
}

std::deque<OperationsChain::Operation> OperationsChain::close() {
  closed_ = true;
  running_ = false;
  checkOnEmpty_ = false;
  return std::exchange(waiting_, {});
}

}  // namespace parley::jsep
