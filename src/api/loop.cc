#include "parley/api/loop.h"

#include <atomic>
#include <mutex>
#include <thread>
#include <utility>

#include "api/loop_core.h"
#include "api/loop_runner.h"

namespace parley {

using api_internal::LoopCore;

Loop::Loop(LoopOptions options)
    : core_(std::make_shared<LoopCore>(std::move(options))),
      runner_(std::make_unique<api_internal::LoopRunner>(core_)) {}

Loop::~Loop() {
  runner_.reset();
  core_->abandon();
}

std::shared_ptr<Loop> Loop::create(LoopOptions options) {
  return std::shared_ptr<Loop>(new Loop(std::move(options)));
}

Result<void> Loop::startThread() {
  return runner_->startThread();
}
Result<void> Loop::run() {
  return runner_->run();
}
void Loop::stop() {
  runner_->stop();
}
int Loop::fd() {
  return runner_->eventLoop().fd();
}
void Loop::process() {
  runner_->eventLoop().process();
}
Timestamp Loop::nextDeadline() const {
  return runner_->nextDeadline();
}
Timestamp Loop::now() const {
  return core_->now();
}
void Loop::post(std::function<void()> fn) {
  core_->post(std::move(fn));
}
void Loop::deliverSettled() {
  core_->deliverSettled();
}
void Loop::wake() {
  core_->wake();
}
Driven& Loop::driven() {
  return *core_;
}
void Loop::setWaker(std::function<void()> waker) {
  core_->setWaker(std::move(waker));
}

std::vector<SocketAddress> Loop::udpPorts() const {
  const LoopCore::Lock lock(*core_);
  return core_->endpoint().sharedAddresses();
}

std::vector<SocketAddress> Loop::tcpPorts() const {
  const LoopCore::Lock lock(*core_);
  return core_->endpoint().sharedTcpAddresses();
}

void Loop::onUnknownUfrag(std::function<void(const UnknownUfrag&)> callback) {
  core_->setUnknownUfragHandler(std::move(callback));
}

size_t Loop::connectionCount() const {
  const LoopCore::Lock lock(*core_);
  return core_->connectionCount();
}

}  // namespace parley
