#include "ice/http_reader.h"

#include <gtest/gtest.h>

namespace parley::ice {
namespace {

using Status = HttpReader::Status;

/// Fed byte by byte and at once: the same.
std::pair<Status, std::string> read(const std::string& text, bool end = false) {
  HttpReader whole, bytes;
  Status status = whole.feed(asBytes(text));
  for (const char& c : text) bytes.feed(asBytes(std::string_view(&c, 1)));
  if (end) {
    status = whole.end();
    bytes.end();
  }
  EXPECT_EQ(whole.body(), bytes.body());
  return {status, whole.body()};
}

TEST(HttpReader, BodiesHaveALengthOrChunksOrEndWithTheConnection) {
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\ncontent-LENGTH:  4 \r\n\r\nbody").second, "body");
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: "
                 "chunked\r\n\r\n2\r\nbo\r\n2;x=y\r\ndy\r\n0\r\n\r\n")
                .second,
            "body");
  EXPECT_EQ(read("HTTP/1.0 500 Oh\r\n\r\nbody", true).second, "body");
  EXPECT_EQ(read("HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").first,
            Status::Done);
}

TEST(HttpReader, WhatIsCutOffOrTooLargeIsNoAnswer) {
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbody").first, Status::Partial);
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbody", true).first, Status::Bad);
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n").first, Status::Bad);
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n").first, Status::Bad);
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n").first,
            Status::Bad);
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbodies").first,
            Status::Bad);
  EXPECT_EQ(read("SSH-2.0\r\n\r\n").first, Status::Bad);
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\n" + std::string(9000, 'x')).first, Status::Bad);
}

TEST(HttpReader, NothingMakesItKeepMoreThanItsBounds) {
  HttpReader reader;
  const std::string piece(1000, 'x');
  EXPECT_EQ(reader.feed(asBytes("HTTP/1.1 200 OK\r\n\r\n")), Status::Partial);
  int pieces = 0;
  while (reader.feed(asBytes(piece)) == Status::Partial) ASSERT_LT(++pieces, 70);
  EXPECT_EQ(reader.end(), Status::Bad);
}

TEST(HttpReader, FieldsAreFoundByNameAlone) {
  EXPECT_EQ(headerField("A: 1\r\nab: 2\r\nAB: 3\r\n", "AB"), "2");
  EXPECT_EQ(headerField("A 1\r\nB:", "B"), "");
  EXPECT_EQ(headerField("", "B"), "");
}

}  // namespace
}  // namespace parley::ice
