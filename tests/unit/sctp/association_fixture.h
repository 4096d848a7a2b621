#pragma once

#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "parley/sctp/association.h"

#include "unit/sctp/pair.h"

namespace parley::sctp {

struct AssociationPeer {
  explicit AssociationPeer(uint64_t seed, AssociationConfig config = {})
      : world(seed), association(createUsrSctpAssociation(world.env, config)) {}

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

class AssociationTest : public ::testing::Test {
 protected:
  void make(AssociationConfig configA = {}, AssociationConfig configB = {}, LinkConfig link = {},
            uint64_t seed = 1) {
    a = std::make_unique<AssociationPeer>(seed, configA);
    b = std::make_unique<AssociationPeer>(seed + 1, configB);
    pair = std::make_unique<Pair<Association>>(*a->association, *b->association, link, seed + 2);
    pair->onStep([this] {
      if (a) a->drain();
      if (b) b->drain();
    });
  }
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

  std::unique_ptr<AssociationPeer> a, b;
  std::unique_ptr<Pair<Association>> pair;
};

}  // namespace parley::sctp
