#include "words.h"

#include <array>
#include <cctype>
#include <vector>

#include "parley/base/random.h"

namespace sending {
namespace {

// One clear word for each value of a byte; none sounds like another.
constexpr std::array<const char*, 256> kList{
    "acorn",   "album",  "amber",   "angel",   "apple",  "apron",   "arch",     "arrow",  "atlas",
    "bacon",   "badge",  "baker",   "banjo",   "barn",   "basil",   "basket",   "beach",  "bean",
    "bell",    "berry",  "bird",    "boat",    "book",   "bottle",  "bowl",     "brick",  "bridge",
    "broom",   "brush",  "bucket",  "butter",  "button", "cabin",   "cactus",   "cake",   "camel",
    "canal",   "candle", "canoe",   "carpet",  "carrot", "castle",  "cedar",    "cellar", "chair",
    "chalk",   "cherry", "chess",   "circle",  "circus", "clay",    "clock",    "cloud",  "clover",
    "coat",    "coffee", "comet",   "copper",  "coral",  "corn",    "cotton",   "crane",  "crayon",
    "cricket", "crown",  "daisy",   "dance",   "desert", "dolphin", "donkey",   "door",   "dragon",
    "dream",   "drum",   "duck",    "eagle",   "easel",  "echo",    "elbow",    "engine", "fabric",
    "falcon",  "farm",   "feather", "ferry",   "fiddle", "field",   "finger",   "fish",   "flag",
    "flute",   "forest", "fox",     "frost",   "galaxy", "garden",  "garlic",   "gate",   "ginger",
    "glass",   "globe",  "goat",    "gold",    "goose",  "grape",   "guitar",   "hammer", "harbor",
    "harp",    "hazel",  "heron",   "hill",    "honey",  "horse",   "igloo",    "iron",   "island",
    "ivory",   "jacket", "jelly",   "jewel",   "jungle", "kayak",   "kettle",   "king",   "kitchen",
    "kiwi",    "koala",  "ladder",  "lagoon",  "lake",   "lamp",    "lantern",  "lemon",  "leopard",
    "lily",    "lion",   "lizard",  "lobster", "lotus",  "magnet",  "mango",    "maple",  "marble",
    "market",  "meadow", "melon",   "mirror",  "monkey", "moon",    "moss",     "motor",  "museum",
    "music",   "napkin", "needle",  "nest",    "noodle", "north",   "oasis",    "ocean",  "olive",
    "onion",   "opera",  "orange",  "orbit",   "orchid", "otter",   "owl",      "paddle", "palace",
    "palm",    "panda",  "paper",   "parrot",  "peach",  "peanut",  "pebble",   "pencil", "pepper",
    "piano",   "picnic", "pigeon",  "pillow",  "pilot",  "pine",    "pirate",   "planet", "plum",
    "pocket",  "pony",   "poppy",   "potato",  "prince", "pumpkin", "puzzle",   "quartz", "queen",
    "quilt",   "rabbit", "radio",   "raven",   "ribbon", "river",   "robin",    "robot",  "rocket",
    "roof",    "rose",   "ruby",    "saddle",  "sailor", "salmon",  "satin",    "saturn", "scarf",
    "shadow",  "shell",  "silver",  "snow",    "soap",   "sparrow", "spider",   "spoon",  "spring",
    "stone",   "summer", "swan",    "table",   "tailor", "temple",  "tiger",    "timber", "toast",
    "tomato",  "tower",  "train",   "tulip",   "tunnel", "turtle",  "umbrella", "valley", "vanilla",
    "velvet",  "violin", "wagon",   "walnut",  "whale",  "willow",  "window",   "winter", "wizard",
    "wolf",    "yellow", "yogurt",  "zebra"};

}  // namespace

CodePhrase CodePhrase::make(parley::Random& random) {
  std::array<uint8_t, kWords> bytes{};
  random.fill(bytes);
  CodePhrase out;
  out.name = kList[bytes[0]];
  for (const uint8_t byte : bytes) {
    if (!out.text.empty()) out.text += '-';
    out.text += kList[byte];
  }
  return out;
}

std::optional<CodePhrase> CodePhrase::parse(std::string_view typed) {
  std::vector<std::string> words(1);
  for (const char c : typed) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '-' || std::isspace(byte)) {
      if (!words.back().empty()) words.emplace_back();
    } else if (byte < 0x80 && std::isalnum(byte)) {
      words.back() += static_cast<char>(std::tolower(byte));
    } else {
      return std::nullopt;
    }
  }
  if (words.back().empty()) words.pop_back();
  if (words.size() < kWords) return std::nullopt;
  CodePhrase out;
  out.name = words.front();
  for (const std::string& word : words) out.text += (out.text.empty() ? "" : "-") + word;
  return out;
}

}  // namespace sending
