#include "options.h"

#include "common/arguments.h"

namespace sending {

using example::Arguments;

namespace {

constexpr const char* kHelp =
    R"(send FILE...: files and folders to another machine or a browser, encrypted end to end

  send FILE...                         prints a code phrase and a URL; the other side takes one of:
  send --receive PHRASE --from URL       the same program on another machine
  (the URL in a browser)                 a page that asks for the phrase

The other way round, the receiver may be the one that waits:
  send --receive                       prints a code phrase and a URL; the other side takes one of:
  send FILE... --to URL --phrase PHRASE
  (the URL in a browser)                 a page to drop files on

A transfer that was interrupted, on whichever side, goes on where it stopped: call the same again
(with --phrase and --port as before on the side that waits).

  --dir DIR        where to store what comes (default: here); made if it is not there
  --force          replace files of the same name that are there
  --phrase PHRASE  a phrase of your own, four words at least, instead of a new one
  --keep           the waiting side goes on after a transfer, for others to come
  --patience S     how long to try again after the connection was lost (default 120 seconds)
  --rate MIB       send no more than so many MiB per second

  --host ADDRESS   where to wait (default 0.0.0.0: all addresses; 127.0.0.1: only this machine)
  --port N         (default 8899 or, if that is taken, any; 0: any)
  --stun URL       a STUN server, e.g. stun:stun.example.org (may be given again)
  --report FILE    write figures about the transfer as JSON at the end
  --verbose        the library's log on standard error

Ends with 0 if every file arrived; 1: some did not; 2: wrong options; 3: no connection, or lost for
good; 4: the phrase is wrong; 130: interrupted.
)";

}  // namespace

Options parseOptions(int count, char** words) {
  Options options;
  bool receive = false;
  std::string phrase;
  std::vector<std::string> plain;
  using Text = const std::string&;
  Arguments arguments;
  arguments.program = "send";
  arguments.help = kHelp;
  arguments.word = [&](Text word) { plain.push_back(word); };
  arguments.flags = {
      {"--receive", [&] { receive = true; }},
      {"--force", [&] { options.force = true; }},
      {"--keep", [&] { options.keep = true; }},
      {"--verbose", [&] { options.verbose = true; }},
  };
  arguments.values = {
      {"--from", [&](Text v) { options.url = v; }},
      {"--to", [&](Text v) { options.url = v; }},
      {"--phrase", [&](Text v) { phrase = v; }},
      {"--dir", [&](Text v) { options.folder = v; }},
      {"--patience",
       [&](Text v) { options.patienceSeconds = arguments.positive("--patience", v); }},
      {"--rate",
       [&](Text v) { options.bytesPerSecond = arguments.positive("--rate", v) * 1024 * 1024; }},
      {"--host", [&](Text v) { options.host = v; }},
      {"--port",
       [&](Text v) {
         options.port = arguments.number<int>("--port", v, 0, 65535);
         options.portGiven = true;
       }},
      {"--stun", [&](Text v) { options.stun.push_back(v); }},
      {"--report", [&](Text v) { options.report = v; }},
  };
  arguments.parse(count, words);
  if (receive) {
    // The phrase may be said as it is told, in one word or in several.
    for (const std::string& word : plain) phrase += (phrase.empty() ? "" : "-") + word;
  } else {
    options.files = plain;
    if (plain.empty()) arguments.refuse("which files? Or --receive?");
  }
  if (!phrase.empty()) {
    options.phrase = CodePhrase::parse(phrase);
    if (!options.phrase) arguments.refuse("a phrase has four words of letters and digits at least");
  }
  if (!options.waits() && !options.phrase)
    arguments.refuse("the phrase of the other side is needed, too");
  if (receive && options.waits() && !plain.empty())
    arguments.refuse("--from URL is needed, too: the other side prints it");
  return options;
}

}  // namespace sending
