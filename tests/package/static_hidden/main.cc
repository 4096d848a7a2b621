extern "C" int wrapperCreatesConnection();

int main() {
  return wrapperCreatesConnection() == 1 ? 0 : 1;
}
