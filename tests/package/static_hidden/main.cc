extern "C" int wrapperParses(const char* text);

int main() {
  return wrapperParses("192.0.2.1") == 1 && wrapperParses("192.0.2.256") == 0 ? 0 : 1;
}
