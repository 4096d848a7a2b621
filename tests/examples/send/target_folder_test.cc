#include "target_folder.h"

#include <filesystem>
#include <fstream>
#include <stdlib.h>
#include <sys/stat.h>

#include <gtest/gtest.h>

namespace sending {
namespace {

namespace fs = std::filesystem;

class TargetFolderTest : public testing::Test {
 protected:
  TargetFolderTest() {
    std::string made = fs::temp_directory_path() / "parley-target-XXXXXX";
    path_ = mkdtemp(made.data());
    fs::create_directory(path_ / "in");
    fs::create_directory(path_ / "outside");
  }
  ~TargetFolderTest() override { fs::remove_all(path_); }

  TargetFolder folder() { return TargetFolder::open(path_ / "in").value(); }
  /// Stores a file of that path the way a receiver does.
  bool store(const std::string& path, const std::string& content, bool force = false) {
    const TargetFolder target = folder();
    const File file = target.openUnfinished(path, true);
    if (!file || !file.write(parley::asBytes(content), 0)) return false;
    Entry entry;
    entry.path = path;
    return target.finish(entry, file, force).has_value();
  }
  std::string read(const fs::path& path) {
    std::ifstream in(path_ / path);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const fs::path& path, const std::string& content) {
    std::ofstream(path_ / path) << content;
  }

  fs::path path_;
};

TEST_F(TargetFolderTest, StoresBelowFoldersThatItMakes) {
  ASSERT_TRUE(store("a/b/c", "content"));
  EXPECT_EQ(read("in/a/b/c"), "content");
  EXPECT_FALSE(fs::exists(path_ / "in/a/b/c.parley-part"));
  EXPECT_TRUE(folder().openFinished("a/b/c"));
  EXPECT_FALSE(folder().openFinished("a/b"));
}

TEST_F(TargetFolderTest, ReplacesNothingUnlessForced) {
  write("in/a", "mine");
  EXPECT_FALSE(store("a", "theirs"));
  EXPECT_EQ(read("in/a"), "mine");
  EXPECT_TRUE(store("a", "theirs", true));
  EXPECT_EQ(read("in/a"), "theirs");
}

TEST_F(TargetFolderTest, FollowsNoLinks) {
  write("outside/secret", "mine");
  fs::create_directory_symlink(path_ / "outside", path_ / "in/folder");
  fs::create_symlink(path_ / "outside/secret", path_ / "in/file");
  fs::create_symlink(path_ / "outside/new", path_ / "in/part.parley-part");
  const TargetFolder target = folder();
  EXPECT_FALSE(target.openUnfinished("folder/secret", true));
  EXPECT_FALSE(target.openFinished("folder/secret"));
  EXPECT_FALSE(target.openFinished("file"));
  EXPECT_FALSE(target.openUnfinished("part", true));
  EXPECT_FALSE(target.makeFolder("folder/deep").has_value());
  EXPECT_FALSE(target.makeFolder("folder").has_value());
  EXPECT_TRUE(target.exists("file"));
  // A link in the place of the file is replaced itself, if at all.
  EXPECT_FALSE(store("file", "theirs"));
  EXPECT_TRUE(store("file", "theirs", true));
  EXPECT_EQ(read("outside/secret"), "mine");
  EXPECT_EQ(std::distance(fs::directory_iterator(path_ / "outside"), {}), 1);
}

TEST_F(TargetFolderTest, DoesNotWaitForPipes) {
  ASSERT_EQ(mkfifo((path_ / "in/pipe").c_str(), 0600), 0);
  ASSERT_EQ(mkfifo((path_ / "in/other.parley-part").c_str(), 0600), 0);
  EXPECT_FALSE(folder().openFinished("pipe"));
  EXPECT_FALSE(folder().openUnfinished("other", true));
}

TEST_F(TargetFolderTest, KeepsTimeAndTheRightToRun) {
  const TargetFolder target = folder();
  const File file = target.openUnfinished("tool", true);
  Entry entry;
  entry.path = "tool";
  entry.modified = 1'000'000'000;
  entry.executable = true;
  ASSERT_TRUE(target.finish(entry, file, false));
  struct stat status {};
  ASSERT_EQ(stat((path_ / "in/tool").c_str(), &status), 0);
  EXPECT_EQ(status.st_mtime, 1'000'000'000);
  EXPECT_NE(status.st_mode & S_IXUSR, 0u);
}

TEST(PathProblemTest, OrdinaryPathsHaveNone) {
  for (const char* path :
       {"a", "a/b/c.txt", "..a", "a..", "...", ".hidden", "a b/\xc3\xa4", "a\\b"})
    EXPECT_EQ(pathProblem(path), "") << path;
}

TEST(PathProblemTest, WhatLeadsOutIsRefused) {
  for (const char* path : {"", "/", "/etc/passwd", "..", ".", "../a", "a/../../b", "a/..", "a/.",
                           "./a", "a//b", "a/", "a\nb", "a/\x1b[2J", "\x7f"})
    EXPECT_NE(pathProblem(path), "") << path;
  EXPECT_NE(pathProblem(std::string_view("a\0b", 3)), "");
  EXPECT_NE(pathProblem(std::string(250, 'a')), "");
  std::string deep = "a";
  for (int i = 0; i < 100; ++i) deep += "/a";
  EXPECT_NE(pathProblem(deep), "");
  std::string longPath = std::string(200, 'a');
  for (int i = 0; i < 30; ++i) longPath += "/" + std::string(200, 'a');
  EXPECT_NE(pathProblem(longPath), "");
}

TEST(PieceSizeTest, ChecksumsOfAFileFitIntoAMessage) {
  EXPECT_EQ(pieceSize(0), 1u << 20);
  EXPECT_EQ(pieceSize(uint64_t{1} << 30), 2u << 20);
  for (uint64_t size = 1; size < uint64_t{1} << 50; size = size * 3 + 1)
    EXPECT_LE(size / pieceSize(size), 1023u) << size;
}

}  // namespace
}  // namespace sending
