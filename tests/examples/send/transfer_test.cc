#include <filesystem>
#include <fstream>
#include <stdlib.h>
#include <thread>

#include <gtest/gtest.h>

#include "common/sha256.h"
#include "scripted_link.h"
#include "sink.h"
#include "source.h"

namespace sending {
namespace {

namespace fs = std::filesystem;

const Transfer::Stop kGoOn = [] { return false; };

std::string sha256(const std::string& content) {
  example::Sha256 hash;
  hash.add(parley::asBytes(content));
  return hash.hex();
}

/// Bytes that differ from each other, and by `seed` from those of another file.
std::string pattern(size_t size, size_t seed) {
  std::string out(size, '\0');
  for (size_t i = 0; i < size; ++i) out[i] = static_cast<char>((i * 31 + i / 251 + seed) & 0xff);
  return out;
}

class TransferTest : public testing::Test {
 protected:
  TransferTest() {
    std::string made = fs::temp_directory_path() / "parley-transfer-XXXXXX";
    path_ = mkdtemp(made.data());
    fs::create_directory(path_ / "out");
    fs::create_directory(path_ / "in");
  }
  ~TransferTest() override { fs::remove_all(path_); }

  void write(const fs::path& path, const std::string& content) {
    fs::create_directories((path_ / path).parent_path());
    std::ofstream(path_ / path, std::ios::binary) << content;
  }
  std::string read(const fs::path& path) {
    std::ifstream in(path_ / path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  size_t filesOutside() {
    size_t count = 0;
    for (const auto& entry : fs::directory_iterator(path_)) count += entry.is_regular_file();
    return count;
  }
  std::unique_ptr<Sink> sink(bool force = false) {
    return std::make_unique<Sink>(TargetFolder::open(path_ / "out").value(), force, progress_);
  }
  std::unique_ptr<Source> source() {
    std::vector<std::string> notes;
    return std::make_unique<Source>(readManifest({path_ / "in"}, notes).value(), 0, other_);
  }
  static Json list(std::initializer_list<std::pair<const char*, uint64_t>> files) {
    Json entries = Json::array();
    for (const auto& [path, size] : files) entries.push_back({{"path", path}, {"size", size}});
    return {{"t", "list"}, {"entries", entries}, {"last", true}};
  }
  /// One link, on which both run until their end.
  std::pair<End, End> connect(Source& from, Sink& to, size_t contentBeforeLoss = SIZE_MAX) {
    auto [left, right] = PairedLink::make(contentBeforeLoss);
    End sent = End::Broken;
    std::thread sender([&, link = left.get()] { sent = from.run(*link, kGoOn); });
    const End received = to.run(*right, kGoOn);
    right->close();
    sender.join();
    return {sent, received};
  }

  fs::path path_;
  Progress progress_;
  Progress other_;
};

TEST_F(TransferTest, EveryFileArrivesAsItWas) {
  write("in/large", pattern(3 * 1024 * 1024 + 17, 1));
  write("in/deep/small", "content");
  write("in/deep/empty", "");
  fs::create_directory(path_ / "in/nothing");
  const auto from = source();
  const auto to = sink();
  EXPECT_EQ(connect(*from, *to), std::make_pair(End::Done, End::Done));
  EXPECT_EQ(read("out/in/large"), read("in/large"));
  EXPECT_EQ(read("out/in/deep/small"), "content");
  EXPECT_TRUE(fs::exists(path_ / "out/in/deep/empty"));
  EXPECT_TRUE(fs::is_directory(path_ / "out/in/nothing"));
  EXPECT_EQ(from->failed() + to->failed(), 0u);
  EXPECT_EQ(from->report()["files"], to->report()["files"]);
}

TEST_F(TransferTest, GoesOnWhereItStoppedWhereverThatWas) {
  write("in/a", pattern(2'500'000, 1));
  write("in/b", pattern(2'500'000, 2));
  write("in/c", "last");
  for (const size_t before : {0, 1, 17, 38, 39, 60, 76, 77}) {
    fs::remove_all(path_ / "out");
    const auto from = source();
    const auto to = sink();
    const auto first = connect(*from, *to, before);
    EXPECT_EQ(first, std::make_pair(End::Lost, End::Lost)) << before;
    // The receiver is another program now, as if it had been killed.
    const auto later = sink();
    EXPECT_EQ(connect(*from, *later), std::make_pair(End::Done, End::Done)) << before;
    for (const char* name : {"a", "b", "c"})
      EXPECT_EQ(read(fs::path("out/in") / name), read(fs::path("in") / name)) << before;
    const Json report = later->report();
    EXPECT_EQ(report["moved_bytes"].get<uint64_t>() + report["resumed_bytes"].get<uint64_t>(),
              report["bytes"].get<uint64_t>());
    if (before >= 17) EXPECT_GE(report["resumed_bytes"], 1u << 20) << before;
  }
}

TEST_F(TransferTest, TheSameReceiverAsksForNothingTwice) {
  write("in/a", pattern(1'500'000, 1));
  write("in/b", pattern(1'500'000, 2));
  const auto from = source();
  const auto to = sink();
  EXPECT_EQ(connect(*from, *to, 42).second, End::Lost);
  const auto fresh = source();  // the sender was killed and knows nothing
  EXPECT_EQ(connect(*fresh, *to), std::make_pair(End::Done, End::Done));
  EXPECT_EQ(fresh->failed(), 0u);
  EXPECT_LT(fresh->report()["moved_bytes"], 1'500'000u);
}

TEST_F(TransferTest, WrongPiecesAreNotKept) {
  write("in/a", pattern(3'000'000, 1));
  std::string part = pattern(2'900'000, 1);
  part[1'500'000] ^= 1;  // in the second piece
  write("out/in/a.parley-part", part);
  const auto from = source();
  const auto to = sink();
  EXPECT_EQ(connect(*from, *to), std::make_pair(End::Done, End::Done));
  EXPECT_EQ(read("out/in/a"), read("in/a"));
  EXPECT_EQ(to->report()["resumed_bytes"], 1u << 20);
}

TEST_F(TransferTest, FilesThatAreThereAreComparedNotReplaced) {
  write("in/same", "same");
  write("in/other", "mine");
  write("in/longer", "longer");
  write("out/in/same", "same");
  write("out/in/other", "them");
  write("out/in/longer", "l");
  const auto from = source();
  const auto to = sink();
  EXPECT_EQ(connect(*from, *to), std::make_pair(End::Done, End::Done));
  EXPECT_EQ(to->failed(), 2u);
  EXPECT_EQ(from->failed(), 2u);
  EXPECT_EQ(read("out/in/other"), "them");
  const auto forced = sink(true);
  const auto again = source();
  EXPECT_EQ(connect(*again, *forced), std::make_pair(End::Done, End::Done));
  EXPECT_EQ(forced->failed(), 0u);
  EXPECT_EQ(read("out/in/other"), "mine");
  EXPECT_EQ(read("out/in/longer"), "longer");
}

TEST_F(TransferTest, PathsThatLeadOutAreRefusedAndTheRestComes) {
  const auto to = sink();
  ScriptedLink link;
  link.says(
          list({{"../evil", 4}, {"/tmp/evil", 4}, {"good", 4}, {"good", 4}, {"x.parley-part", 4}}))
      .says({{"t", "alive"}});
  EXPECT_EQ(to->run(link, kGoOn), End::Lost);
  EXPECT_EQ(link.heardOf("failed").size(), 4u);
  const auto wants = link.heardOf("want");
  ASSERT_EQ(wants.size(), 1u);
  EXPECT_EQ(wants[0]["file"], 2);
  EXPECT_EQ(filesOutside(), 0u);
}

TEST_F(TransferTest, NonsenseEndsTheLinkAndNothingElse) {
  const std::vector<const char*> scripts[] = {
      {"not JSON"},
      {"[]"},
      {R"({"t":"list"})"},
      {R"({"t":"list","entries":[1]})"},
      {R"({"t":"list","entries":[{"path":"a"}]})"},
      {R"({"t":"list","entries":[],"last":true})", R"({"t":"list","entries":[],"last":true})"},
      {R"({"t":"file","file":0,"start":0})"},
      {R"({"t":"end","file":0,"sha256":""})"},
      {R"({"t":"skip"})"},
      {R"({"t":"skip","file":99999999999})"},
      {R"({"t":"checked","file":0,"same":true})"},
  };
  for (const auto& script : scripts) {
    const auto to = sink();
    ScriptedLink link;
    for (const char* text : script) link.says(text);
    link.says({{"t", "alive"}});
    EXPECT_EQ(to->run(link, kGoOn), End::Broken) << script[0];
  }
  const auto to = sink();
  ScriptedLink link;
  link.brings("content that nobody asked for");
  EXPECT_EQ(to->run(link, kGoOn), End::Broken);
}

TEST_F(TransferTest, ASenderRefusesRequestsThatCannotBe) {
  write("in/a", "content");
  for (const char* text : {"not JSON", "[]", R"({"t":"want"})", R"({"t":"want","file":7})",
                           R"({"t":"want","file":-1})", R"({"t":"check","file":0,"pieces":[1]})"}) {
    const auto from = source();
    ScriptedLink link;
    link.says(text).says({{"t", "alive"}});
    EXPECT_EQ(from->run(link, kGoOn), End::Broken) << text;
  }
  const auto from = source();
  ScriptedLink flood;
  for (int i = 0; i < 1000; ++i) flood.says({{"t", "want"}, {"file", 0}});
  EXPECT_EQ(from->run(flood, kGoOn), End::Broken);
}

TEST_F(TransferTest, AFileThatChangedIsNotSent) {
  write("in/a", "content");
  const auto from = source();
  write("in/a", "something longer");
  const auto to = sink();
  EXPECT_EQ(connect(*from, *to), std::make_pair(End::Done, End::Done));
  EXPECT_EQ(to->failed(), 1u);
  EXPECT_EQ(from->failed(), 1u);
  EXPECT_FALSE(fs::exists(path_ / "out/in/a"));
}

TEST_F(TransferTest, ChecksumsAreThoseOfTheContent) {
  write("in/a", "content");
  const auto from = source();
  const auto to = sink();
  EXPECT_EQ(connect(*from, *to), std::make_pair(End::Done, End::Done));
  EXPECT_EQ(to->report()["files"][0]["sha256"], sha256("content"));
}

}  // namespace
}  // namespace sending
