/* Part of the shared library only. Distributions build libusrsctp.a for executables: it reads in6addr_any at a
 * fixed distance, which a shared library may do only for a symbol of its own. This is that symbol, invisible
 * outside; its value is the one that RFC 3493 section 3.8 gives. */
#include <netinet/in.h>

__attribute__((visibility("hidden"))) const struct in6_addr in6addr_any = IN6ADDR_ANY_INIT;
