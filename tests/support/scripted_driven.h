#pragma once

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parley/base/driven.h"

namespace parley::test {

/// A Driven whose behaviour a test writes: queues what to send and wish, keeps what came in.
class ScriptedDriven final : public Driven {
 public:
  struct Arrived {
    Timestamp time;
    SocketId socket;
    SocketAddress from;
    SocketAddress to;
    std::string text;
    Ecn ecn;
  };

  void handle(Input&& input, Timestamp now) override {
    now_ = now;
    if (auto* datagram = std::get_if<Datagram>(&input)) {
      arrived.push_back({now, datagram->socket, datagram->from, datagram->to,
                         std::string(asText(datagram->data.span())), datagram->ecn});
      if (echo) send(datagram->socket, datagram->from, arrived.back().text);
    } else if (auto* bytes = std::get_if<StreamBytes>(&input)) {
      stream += asText(bytes->data.span());
    } else if (auto* changedNow = std::get_if<StreamPressure>(&input)) {
      pressure.push_back(changedNow->high);
    } else if (auto* openedNow = std::get_if<SocketOpened>(&input)) {
      opened.push_back(*openedNow);
    } else if (auto* failedNow = std::get_if<SocketFailed>(&input)) {
      failed.push_back(*failedNow);
    } else if (auto* acceptedNow = std::get_if<TcpAccepted>(&input)) {
      accepted.push_back(*acceptedNow);
    } else if (auto* resolvedNow = std::get_if<Resolved>(&input)) {
      resolved.push_back(*resolvedNow);
    } else if (auto* changed = std::get_if<InterfacesChanged>(&input)) {
      interfaces.push_back(changed->interfaces);
    }
    if (onInput) onInput(now);
  }
  void advance(Timestamp now) override {
    now_ = now;
    advances.push_back(now);
    if (onAdvance) onAdvance(now);
    if (deadline <= now && !keepsDeadline) deadline = Timestamp::never();
  }
  size_t pollTransmit(std::span<TxPacket> out) override {
    size_t count = 0;
    while (count < out.size() && !transmits.empty()) {
      out[count++] = std::move(transmits.front());
      transmits.pop_front();
    }
    return count;
  }
  bool pollEffect(Effect& out) override {
    if (effects.empty()) return false;
    out = std::move(effects.front());
    effects.pop_front();
    return true;
  }
  Timestamp nextDeadline() const override { return deadline; }
  void dispatch() override {
    ++dispatches;
    if (onDispatch) onDispatch();
  }
  PacketPool& pool() override { return pool_; }

  void openUdp(uint32_t id, SocketAddress local = {}) {
    effects.push_back(OpenUdp{SocketId(id), local});
  }
  void send(SocketId socket, const SocketAddress& to, std::string_view text) {
    TxPacket packet;
    packet.socket = socket;
    packet.to = to;
    packet.data = pool_.copyOf(asBytes(text));
    transmits.push_back(std::move(packet));
  }
  void send(uint32_t socket, const SocketAddress& to, std::string_view text) {
    send(SocketId(socket), to, text);
  }

 private:
  PacketPool pool_;  // first, to outlive the packets below

 public:
  bool echo = false;
  bool keepsDeadline = false;
  Timestamp deadline = Timestamp::never();
  std::function<void(Timestamp)> onInput;
  std::function<void(Timestamp)> onAdvance;
  std::function<void()> onDispatch;
  std::deque<TxPacket> transmits;
  std::deque<Effect> effects;
  std::vector<Arrived> arrived;
  std::vector<SocketOpened> opened;
  std::vector<SocketFailed> failed;
  std::vector<TcpAccepted> accepted;
  std::vector<Resolved> resolved;
  std::vector<std::vector<NetworkInterface>> interfaces;
  std::vector<Timestamp> advances;
  std::string stream;
  std::vector<bool> pressure;
  int dispatches = 0;

 private:
  Timestamp now_;
};

}  // namespace parley::test
