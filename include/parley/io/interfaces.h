#pragma once

#include <memory>
#include <vector>

#include "parley/base/driven.h"
#include "parley/base/export.h"

namespace parley::io {

/// The system's network interfaces with their addresses, ordered by index. An interface counts as
/// up if it is configured and has a carrier.
PARLEY_EXPORT std::vector<NetworkInterface> listInterfaces();

/// Tells when the list may have changed (rtnetlink). Without rtnetlink (a sandbox) fd() is -1.
class PARLEY_EXPORT InterfaceWatcher {
 public:
  InterfaceWatcher();
  ~InterfaceWatcher();
  InterfaceWatcher(const InterfaceWatcher&) = delete;
  InterfaceWatcher& operator=(const InterfaceWatcher&) = delete;

  int fd() const { return fd_; }
  /// To call when fd() is readable: reads all notices and lists anew. True if the list changed.
  bool refresh();
  const std::vector<NetworkInterface>& interfaces() const { return list_; }

 private:
  int fd_ = -1;
  std::vector<NetworkInterface> list_;
};

}  // namespace parley::io
