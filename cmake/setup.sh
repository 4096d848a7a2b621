# Shared by tests/run, tests/bench/run and examples/run: installs what is missing and builds. To be sourced.
#
#   setup_packages GROUP...    base lint tidy clang devices examples bench bench_peers bench_counts bench_libwebrtc peers turn
#                              browsers node
#   setup_build PRESET TARGET...    configures build-PRESET from cmake/cache/PRESET.cmake and builds the targets

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
jobs=${PARLEY_JOBS:-$(nproc 2>/dev/null || echo 2)}
# Consumer projects of the package tests compile the same files in other folders: let the cache recognise them.
# Another checkout of the same sources finds what this one compiled. The locale: CMake leaves an empty LC_ALL behind
# when it has looked at a compiler, and every file would count as another one.
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=${CCACHE_SLOPPINESS:+$CCACHE_SLOPPINESS,}locale

declare -A package_groups=(
  [base]="g++ cmake ninja-build ccache pkg-config python3 libssl-dev libsrtp2-dev libusrsctp-dev libopus-dev libvpx-dev"
  [test]="libgtest-dev libgmock-dev"
  [lint]="clang-format git binutils"
  [tidy]="clang-tidy"
  [clang]="clang libclang-rt-14-dev"
  [devices]="libavcodec-dev libavformat-dev libavutil-dev libavdevice-dev libswscale-dev libswresample-dev libsdl2-dev"
  [examples]="libcpp-httplib-dev nlohmann-json3-dev"
  [bench]="libbenchmark-dev"
  [bench_peers]="golang-go golang-github-pion-webrtc.v3-dev iproute2 util-linux"
  [bench_counts]="valgrind"
  [bench_libwebrtc]="libtgowt-dev"
  [peers]="golang-go golang-github-pion-webrtc.v3-dev python3-venv"
  [turn]="coturn openssl libnss3-tools"
  [browsers]="chromium firefox-esr ffmpeg iproute2 util-linux"
  [node]=""
)

say() { printf '\n== %s\n' "$*" >&2; }
die() { printf '%s\n' "$*" >&2; exit 1; }

# Node 18 or newer may be there from elsewhere; Debian's is good enough too.
node_missing() {
  local major
  major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null) || return 0
  [ "$major" -lt 18 ] || ! command -v npm >/dev/null
}

setup_packages() {
  local wanted=() missing=() group package
  for group in "$@"; do
    # shellcheck disable=SC2206
    wanted+=(${package_groups[$group]})
    if [[ $group =~ ^(browsers|bench_peers|node)$ ]] && node_missing; then missing+=(nodejs npm); fi
  done
  if ! command -v dpkg-query >/dev/null; then
    say "not a Debian system: taking for granted that these are there: ${wanted[*]}"
    return
  fi
  local installed
  # dpkg-query fails where it knows one of them not at all, which must not end a script that runs with -e.
  installed=$({ dpkg-query -W -f='${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null || true; } |
    sed -n 's/^installed //p')
  for package in "${wanted[@]}"; do
    grep -qxF "$package" <<<"$installed" || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
      as_root=(sudo -n)
    else
      die "These packages are missing, and neither root nor sudo without password is at hand. Please run:
  sudo apt-get install --no-install-recommends ${missing[*]}"
    fi
  fi
  say "installing ${missing[*]}"
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)
  local install=("${apt[@]}" install -y --no-install-recommends "${missing[@]}")
  # The lists may be old or absent: fetch them, and once more if the first try still fails.
  "${apt[@]}" update >&2 || true
  "${install[@]}" >&2 || { "${apt[@]}" update >&2; "${install[@]}" >&2; } ||
    die "could not install: ${missing[*]}"
}

# A build directory is configured once per state of the presets; CMake notices other changes itself.
setup_build() {
  local preset=$1 dir=$root/build-$1 stamp
  shift
  stamp=$(cat "$root"/cmake/cache/*.cmake | cksum)
  if [ ! -f "$dir/build.ninja" ] || [ "$(cat "$dir/preset_stamp" 2>/dev/null)" != "$stamp" ]; then
    say "configuring build-$preset"
    rm -rf "$dir"
    cmake -S "$root" -B "$dir" -G Ninja -C "$root/cmake/cache/$preset.cmake" >"$dir.log" 2>&1 || {
      cat "$dir.log" >&2
      rm -rf "$dir"
      return 1
    }
    echo "$stamp" >"$dir/preset_stamp"
  fi
  say "building build-$preset ($*)"
  if [ -t 2 ]; then
    ninja -C "$dir" -j "$jobs" -k 20 "$@" >&2
  else
    # In a log only the last line and what went wrong.
    NINJA_STATUS='[%f/%t %es] ' ninja -C "$dir" -j "$jobs" -k 20 "$@" >"$dir.log" 2>&1 ||
      { grep -v '^\[[0-9/]* [0-9.]*s\] \(Building\|Linking\|Generating\)' "$dir.log" | tail -150 >&2; return 1; }
    tail -1 "$dir.log" >&2
  fi
}
