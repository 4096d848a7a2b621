#pragma once

// How the benchmarks call libdatachannel: the optimized binary inside the npm package
// node-datachannel, called directly, so that no JavaScript is measured. LIBDATACHANNEL_BINARY names
// the file. It exports nothing of its C++ API but keeps its symbol table, from which the functions
// are taken; their types are those of libdatachannel 0.24 compiled by GCC, hence the pinned version
// of the package. Its objects stay opaque: room for them, and where in them their bases lie.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <fstream>
#include <functional>
#include <iterator>
#include <link.h>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

// The functions of Node that the binary takes the address of must exist for it to load.
extern "C" {
[[gnu::visibility("default")]] void napi_create_error();
void napi_create_error() {
  std::abort();
}
[[gnu::visibility("default")]] void napi_create_type_error();
void napi_create_type_error() {
  std::abort();
}
}

namespace parley::bench {

[[noreturn]] inline void giveUp(const std::string& why) {
  std::fprintf(stderr, "libdatachannel: %s\n", why.c_str());
  std::exit(1);
}

/// A shared object's symbol table, the local symbols included.
class Symbols {
 public:
  explicit Symbols(const char* path) {
    std::ifstream in(path, std::ios::binary);
    const std::vector<char> file{std::istreambuf_iterator<char>(in), {}};
    void* handle = dlopen(path, RTLD_LAZY);  // lazy: what belongs to Node is never called
    if (handle == nullptr || file.size() < sizeof(Elf64_Ehdr)) giveUp(dlerror());
    link_map* map = nullptr;
    dlinfo(handle, RTLD_DI_LINKMAP, &map);
    const auto at = [&](size_t offset) { return file.data() + offset; };
    const auto* header = reinterpret_cast<const Elf64_Ehdr*>(at(0));
    const auto* sections = reinterpret_cast<const Elf64_Shdr*>(at(header->e_shoff));
    for (size_t i = 0; i < header->e_shnum; ++i) {
      if (sections[i].sh_type != SHT_SYMTAB) continue;
      const auto* symbols = reinterpret_cast<const Elf64_Sym*>(at(sections[i].sh_offset));
      const char* names = at(sections[sections[i].sh_link].sh_offset);
      for (size_t n = 0; n < sections[i].sh_size / sizeof(Elf64_Sym); ++n) {
        if (ELF64_ST_TYPE(symbols[n].st_info) == STT_FUNC)
          addresses_[names + symbols[n].st_name] = map->l_addr + symbols[n].st_value;
      }
    }
  }
  template <class F>
  void load(F*& function, const char* name) const {
    const auto found = addresses_.find(name);
    if (found == addresses_.end()) giveUp(std::string("not found: ") + name);
    function = reinterpret_cast<F*>(found->second);
  }

 private:
  std::unordered_map<std::string, uintptr_t> addresses_;
};

/// Room for an object of unknown type. Larger than any passed through it.
struct alignas(16) Opaque {
  std::array<std::byte, 2048> bytes{};
  void* get() { return bytes.data(); }
};

using Binary = std::vector<std::byte>;

inline const char* fileOfTheBinary() {
  const char* path = std::getenv("LIBDATACHANNEL_BINARY");
  if (path == nullptr) giveUp("LIBDATACHANNEL_BINARY is not set");
  return path;
}

/// What every benchmark calls. Objects passed by value are passed by address, as the C++ ABI has it
/// for types with a destructor.
struct ConnectionFunctions {
  void (*construct)(void* connection);
  const void* (*config)(const void* connection);
  void (*onGatheringStateChange)(void* connection, std::function<void(int)>);
  void (*localDescription)(void* result, const void* connection);
  void (*setRemoteDescription)(void* connection, void* description);
  void (*constructDescription)(void* description, const std::string&, std::string type);
  std::string (*generateSdp)(const void* description, std::string_view lineEnd);
  void (*onMessage)(void* channel, std::function<void(Binary)>, std::function<void(std::string)>);

  explicit ConnectionFunctions(const Symbols& symbols) {
    symbols.load(construct, "_ZN3rtc14PeerConnectionC1Ev");
    symbols.load(config, "_ZNK3rtc14PeerConnection6configEv");
    symbols.load(onGatheringStateChange,
                 "_ZN3rtc14PeerConnection22onGatheringStateChangeE"
                 "St8functionIFvNS0_14GatheringStateEEE");
    symbols.load(localDescription, "_ZNK3rtc14PeerConnection16localDescriptionEv");
    symbols.load(setRemoteDescription,
                 "_ZN3rtc14PeerConnection20setRemoteDescriptionENS_11DescriptionE");
    symbols.load(constructDescription,
                 "_ZN3rtc11DescriptionC1E"
                 "RKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEES6_");
    symbols.load(generateSdp,
                 "_ZNK3rtc11Description11generateSdpB5cxx11E"
                 "St17basic_string_viewIcSt11char_traitsIcEE");
    symbols.load(onMessage,
                 "_ZN3rtc7Channel9onMessageESt8functionIFvSt6vectorISt4byteSaIS3_EEEES1_"
                 "IFvNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEEE");
  }
};

/// The second base of a DataChannel or Track, Channel, begins behind its first (a vtable and a
/// shared pointer).
inline void* channelOf(void* derived) {
  return static_cast<std::byte*>(derived) + 24;
}

/// Binds a connection to the loopback address. Its configuration: a vector, an optional proxy, an
/// optional address, then options and the range of ports, whose defaults show that this is so.
inline void bindToLoopback(void* configuration) {
  constexpr size_t kBindAddress = 160, kPortRange = 214;
  auto* config = static_cast<std::byte*>(configuration);
  uint16_t ports[2];
  std::memcpy(ports, config + kPortRange, sizeof ports);
  auto* address = reinterpret_cast<std::optional<std::string>*>(config + kBindAddress);
  if (ports[0] != 1024 || ports[1] != 65535 || address->has_value()) {
    giveUp("a configuration of another layout");
  }
  address->emplace("127.0.0.1");
}

}  // namespace parley::bench
