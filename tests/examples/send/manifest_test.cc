#include "manifest.h"

#include <filesystem>
#include <fstream>
#include <stdlib.h>

#include <gtest/gtest.h>

namespace sending {
namespace {

namespace fs = std::filesystem;

class ManifestTest : public testing::Test {
 protected:
  ManifestTest() {
    std::string made = fs::temp_directory_path() / "parley-manifest-XXXXXX";
    path_ = mkdtemp(made.data());
    fs::create_directories(path_ / "folder/deep");
    fs::create_directories(path_ / "folder/nothing");
    std::ofstream(path_ / "folder/b") << "12345";
    std::ofstream(path_ / "folder/deep/a") << "123";
    std::ofstream(path_ / "single") << "1";
  }
  ~ManifestTest() override { fs::remove_all(path_); }

  std::vector<std::string> paths(const Manifest& manifest) {
    std::vector<std::string> out;
    for (const Entry& entry : manifest.entries) out.push_back(entry.path);
    return out;
  }

  fs::path path_;
  std::vector<std::string> notes_;
};

TEST_F(ManifestTest, NamesFilesByWhereTheyLieInTheFolder) {
  const auto manifest = readManifest({path_ / "single", path_ / "folder/"}, notes_);
  ASSERT_TRUE(manifest);
  EXPECT_EQ(paths(*manifest),
            (std::vector<std::string>{"single", "folder/b", "folder/deep/a", "folder/nothing"}));
  EXPECT_TRUE(manifest->entries.back().isFolder);
  EXPECT_EQ(manifest->bytes(), 9u);
  EXPECT_EQ(manifest->files(), 3u);
  EXPECT_TRUE(notes_.empty());
}

TEST_F(ManifestTest, FollowsNoLinksInsideOfFolders) {
  fs::create_directory_symlink(path_, path_ / "folder/round");
  fs::create_symlink(path_ / "single", path_ / "folder/link");
  const auto manifest = readManifest({path_ / "folder"}, notes_);
  ASSERT_TRUE(manifest);
  EXPECT_EQ(manifest->files(), 2u);
  EXPECT_EQ(notes_.size(), 2u);
}

TEST_F(ManifestTest, SendsWhatALinkThatIsNamedPointsTo) {
  fs::create_symlink(path_ / "single", path_ / "alias");
  const auto manifest = readManifest({path_ / "alias"}, notes_);
  ASSERT_TRUE(manifest);
  EXPECT_EQ(manifest->bytes(), 1u);
}

TEST_F(ManifestTest, RefusesTwoThingsOfOneName) {
  fs::create_directory(path_ / "other");
  std::ofstream(path_ / "other/single") << "1";
  EXPECT_FALSE(readManifest({path_ / "single", path_ / "other/single"}, notes_));
  EXPECT_FALSE(readManifest({path_ / "nowhere"}, notes_));
}

TEST_F(ManifestTest, EntriesSurviveTheJourney) {
  Entry entry;
  entry.path = "a/b";
  entry.size = uint64_t{5} << 40;
  entry.modified = 1'700'000'000;
  entry.executable = true;
  const auto back = Entry::fromJson(entry.toJson());
  ASSERT_TRUE(back);
  EXPECT_EQ(back->path, entry.path);
  EXPECT_EQ(back->size, entry.size);
  EXPECT_EQ(back->modified, entry.modified);
  EXPECT_TRUE(back->executable);
}

TEST_F(ManifestTest, RefusesEntriesThatAreNone) {
  for (const char* text :
       {"1", "[]", R"({"path":"a"})", R"({"path":"a","size":-1})", R"({"path":"a","size":"1"})",
        R"({"path":"a","size":1e99})", R"({"path":"a","size":18446744073709551615})"}) {
    EXPECT_FALSE(Entry::fromJson(Json::parse(text))) << text;
  }
}

}  // namespace
}  // namespace sending
