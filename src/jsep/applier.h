#pragma once

#include "parley/jsep/delta.h"

#include "jsep/media_settings.h"

namespace parley::jsep {

/// Works on a copy of the state, after everything has been checked; the steps of webrtc-pc section
/// 4.4.1.5 and RFC 9429 sections 5.9 to 5.11. The caller's state is untouched until it commits.
class Applier {
 public:
  explicit Applier(Delta start);
  Applier(const Applier&) = delete;
  Applier& operator=(const Applier&) = delete;

  void localOffer(const sdp::SessionDescription& offer);
  void remoteOffer(const sdp::SessionDescription& offer);
  void answer(SdpType type, const sdp::SessionDescription& answer, bool local);
  void rollBack();

  /// A local offer must find a transceiver for each of its sections; false if it does not.
  TransceiverState* freeForLocal(const sdp::SessionDescription& offer, size_t i);
  bool associateLocalSections(const sdp::SessionDescription& offer);

  Delta finish() &&;

 private:
  // Sections and transceivers.
  void saveBeforeOffer();
  void associate(TransceiverState& t, const std::string& mid, size_t i);
  TransceiverState& transceiverForRemote(const sdp::SessionDescription& offer, size_t i);
  void remoteOfferSection(const sdp::SessionDescription& offer, size_t i);
  void remoteDataSection(const sdp::SessionDescription& offer, size_t i);
  void adoptProposedRids(TransceiverState& t, const sdp::MediaDescription& section);
  std::string midFor(const sdp::SessionDescription& offer, size_t i);
  void stop(TransceiverState& t);

  // The incoming track of a transceiver, as the application sees it.
  void setReceiving(TransceiverState& t, bool receiving, const sdp::MediaDescription& remote);
  bool setStreams(TransceiverState& t, std::vector<std::string> streams);

  // After an answer.
  void applyAgreement(const Agreement& agreement, bool final);
  void agreeSection(const Agreement& agreement, size_t i, bool usable, bool final);
  void agreeData(const Agreement& agreement, size_t i, bool usable, bool final);
  void agreeTransport(const Agreement& agreement, size_t leader, uint32_t id);
  void dropUnusedTransports();
  void agreeEncodings(TransceiverState& t, const MediaSettings& settings) const;
  void becomeStable();
  void removeStopped();

  // Which transport a section has.
  using Leaders = std::vector<std::optional<size_t>>;
  Leaders usableLeaders(const sdp::SessionDescription& answer) const;
  void assignOffered(const sdp::SessionDescription& offer);
  void assignAnswered(const Leaders& leaders, const Leaders& offered, bool final);
  uint32_t newTransport();
  bool uses(uint32_t transport) const;
  void rollBack(TransceiverState& transceiver);
  void forgetCreated();
  void rollBackFirst(const TransportState& before);
  void rollBackSides(TransportMap before);
  TransportChange& changeOf(uint32_t transport);
  const TransportState* beforeOffer(uint32_t transport) const;

  void setLocalIce(const sdp::SessionDescription& local, bool offer);
  void setSettings(TransceiverState& t, MediaSettings settings);
  void setData(std::optional<DataSettings> settings);
  void remember(const sdp::SessionDescription& d);

  Delta d_;
  SessionState& s_;
  SignalingState before_;
};

}  // namespace parley::jsep
