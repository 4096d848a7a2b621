#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "parley/sctp/association.h"

#include "sctp/packet.h"
#include "unit/sctp/pair.h"

namespace parley::sctp {

/// The engines of the two ends: what holds for ours holds for it against another one.
enum class Engine : uint8_t { Native, UsrSctp };
using Engines = std::pair<Engine, Engine>;

/// usrsctp does not interleave unless the test is about that, like in browsers.
inline std::unique_ptr<Association> createWith(Engine engine, Environment& environment,
                                               AssociationConfig config = {},
                                               bool usrSctpInterleaves = false) {
  if (engine == Engine::Native) return createAssociation(environment, config);
  config.interleaving = config.interleaving && usrSctpInterleaves;
  return createUsrSctpAssociation(environment, config);
}

inline std::string nameOf(const ::testing::TestParamInfo<Engines>& info) {
  const auto name = [](Engine e) { return e == Engine::Native ? "Native" : "UsrSctp"; };
  return std::string(name(info.param.first)) + "To" + name(info.param.second);
}

inline auto allEngines() {
  return ::testing::Values(
      Engines{Engine::Native, Engine::Native}, Engines{Engine::Native, Engine::UsrSctp},
      Engines{Engine::UsrSctp, Engine::Native}, Engines{Engine::UsrSctp, Engine::UsrSctp});
}

/// Whether the packet begins with data, of either kind.
inline bool isData(ByteSpan packet) {
  return packet[12] == chunk::kData || packet[12] == chunk::kIData;
}

/// Those with our own engine at one end or both.
inline auto oursFirst() {
  return ::testing::Values(Engines{Engine::Native, Engine::Native},
                           Engines{Engine::Native, Engine::UsrSctp},
                           Engines{Engine::UsrSctp, Engine::Native});
}

struct AssociationPeer {
  explicit AssociationPeer(uint64_t seed, AssociationConfig config = {},
                           Engine engine = Engine::Native, bool usrSctpInterleaves = false)
      : world(seed), association(createWith(engine, world.env, config, usrSctpInterleaves)) {}

  void drain() {
    if (readMessages) {
      Inbound in;
      while (association->pollInbound(in)) inbound.push_back(in);
    }
    AssociationEvent event;
    while (association->pollEvent(event)) {
      if (const auto* change = std::get_if<AssociationStateChanged>(&event))
        changes.push_back(*change);
      if (const auto* reset = std::get_if<OutgoingStreamsReset>(&event)) {
        for (const uint16_t s : reset->streams) outgoingResets.push_back(s);
      }
      if (const auto* less = std::get_if<BufferedAmountDecreased>(&event))
        decreases.push_back(less->stream);
    }
  }

  World world;
  std::unique_ptr<Association> association;
  bool readMessages = true;
  std::vector<Inbound> inbound;
  std::vector<AssociationStateChanged> changes;
  std::vector<uint16_t> outgoingResets;
  std::vector<uint16_t> decreases;
};

class AssociationTest : public ::testing::TestWithParam<Engines> {
 protected:
  void make(AssociationConfig configA = {}, AssociationConfig configB = {}, LinkConfig link = {},
            uint64_t seed = 1) {
    a = std::make_unique<AssociationPeer>(seed, configA, GetParam().first, usrSctpInterleaves);
    b = std::make_unique<AssociationPeer>(seed + 1, configB, GetParam().second, usrSctpInterleaves);
    pair = std::make_unique<Pair<Association>>(*a->association, *b->association, link, seed + 2);
    pair->onStep([this] {
      if (a) a->drain();
      if (b) b->drain();
    });
  }
  bool isNative() const { return GetParam() == Engines{Engine::Native, Engine::Native}; }
  bool connect() {
    a->association->connect(pair->now());
    b->association->connect(pair->now());
    return pair->runUntil([this] {
      return a->association->state() == AssociationState::Connected &&
             b->association->state() == AssociationState::Connected;
    });
  }
  Result<void> send(AssociationPeer& from, uint16_t stream, ByteSpan data,
                    SendOptions options = {}) {
    return from.association->send(stream, 53, data, options, pair->now());
  }

  bool usrSctpInterleaves = false;
  std::unique_ptr<AssociationPeer> a, b;
  std::unique_ptr<Pair<Association>> pair;
};

}  // namespace parley::sctp
