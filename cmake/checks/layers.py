#!/usr/bin/env python3
"""lint.layers: who may include whom. The rules come from cmake/layers.txt and from nowhere else.

- A layer includes only itself and what layers.txt lets it reach (the closure of its direct layers).
- Headers of an external package are included only by layers that list the package, and never by a
  public header: users of the library need none of those packages' headers.
- Operating system sockets belong to io.
- Public headers include public headers only; every header says #pragma once.
"""

import re
import sys

import tree

EXTERNAL_HEADERS = {
    "openssl": r"openssl/",
    "srtp2": r"srtp2/|srtp\.h$",
    "usrsctp": r"usrsctp\.h$",
    "opus": r"opus/|opus[a-z_]*\.h$",
    "vpx": r"vpx/",
    "ffmpeg": r"lib(av[a-z]*|swscale|swresample|postproc)/",
    "sdl2": r"SDL",
    "threads": r"(thread|pthread\.h|stop_token|future|semaphore|latch|barrier)$",
}
SOCKET_HEADERS = re.compile(
    r"sys/(socket|epoll|eventfd|timerfd|select|un|uio)\.h$|poll\.h$|netdb\.h$|arpa/inet\.h$|netinet/|net/if|"
    r"ifaddrs\.h$|linux/")
# path -> why it may include a system header of sockets, a package or threads outside its layer.
EXCEPTIONS = {}
# Tests may set the clock that the C libraries read behind our back.
TEST_HEADERS = {"parley/sim/clock_shim.h"}
SOCKET_LAYERS = {"io", "devices"}
THREAD_LAYERS = {"io"}  # the resolver's helper thread (getaddrinfo has no other form)
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def check(path, layers, problems):
    layer = tree.layer_of(path)
    public = path.startswith("include/")
    test = path.startswith("tests/")
    reach = layers.closure(layer)
    if path.endswith(".h") and "\n#pragma once\n" not in "\n" + tree.read(path):
        problems.append(f"{path}: no #pragma once")
    for number, line in enumerate(tree.code_only(tree.read(path)).splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        quote, name = match[1], match[2]
        where = f"{path}:{number}: "
        parts = name.split("/")
        if quote == '"':
            if name == "parley/parley.h":  # the facade in one header
                parts = ["parley", "api", "parley.h"]
            used = parts[1] if parts[0] == "parley" else parts[0]
            if public and parts[0] != "parley":
                problems.append(where + f'public header includes private "{name}"')
            elif parts[0] == "parley" and len(parts) < 3:
                problems.append(where + f'"{name}" belongs to no layer')
            elif used not in reach and not (
                    test and (used in ("support", "vectors", "unit") or name in TEST_HEADERS or len(parts) == 1)):
                problems.append(where + f'layer {layer} may not use {used} (cmake/layers.txt): "{name}"')
            continue
        if name.startswith("parley/"):
            problems.append(where + f'own header <{name}> belongs in quotes')
        for external, pattern in EXTERNAL_HEADERS.items():
            if not re.match(pattern, name) or name in EXCEPTIONS.get(path, ()) or test:
                continue
            owners = {n for n, e in layers.externals.items() if external in e}
            if external == "threads":
                owners |= THREAD_LAYERS
            if layer not in owners:
                problems.append(where + f"<{name}> belongs to {sorted(owners)} only")
            elif public and external != "threads":
                problems.append(where + f"public header includes <{name}> of package {external}")
        if SOCKET_HEADERS.match(name) and layer not in SOCKET_LAYERS and name not in EXCEPTIONS.get(path, ()):
            problems.append(where + f"<{name}>: sockets belong to {sorted(SOCKET_LAYERS)} only")


def main():
    layers, problems = tree.Layers(), []
    checked = [p for p in tree.files(*tree.CXX) if tree.layer_of(p)]
    for path in checked:
        if tree.layer_of(path) not in layers.direct:
            problems.append(f"{path}: layer is not in cmake/layers.txt")
        else:
            check(path, layers, problems)
    for layer, direct in layers.direct.items():
        for used in direct:
            if list(layers.direct).index(used) >= list(layers.direct).index(layer):
                problems.append(f"cmake/layers.txt: {layer} uses {used}, which is not above it in the file")
    return tree.finish("lint.layers", problems, f"{len(checked)} files")


sys.exit(main())
