#pragma once

#include <cstdint>
#include <string>

struct Options {
  std::string host = "localhost";
  int port = 8091;
  bool portGiven = false;
  uint16_t videoIn = 5004;
  uint16_t audioIn = 5006;
  std::string videoOut = "127.0.0.1:5104";
  std::string audioOut = "127.0.0.1:5106";
  std::string videoCodec = "VP8";
  std::string sdp = "rtp_bridge.sdp";
};

Options parseOptions(int count, char** words);
