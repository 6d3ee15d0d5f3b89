#include <memory>
#include <new>
#include <vector>

#include "sites.h"

/** A hundred objects of 8 bytes, half of them deleted. */
SITE void scalar_new() {
  long *objects[100];
  for (long *&object : objects) s_sink = object = new long(1);
  for (int i = 0; i < 50; i++) delete objects[i];
}

/** Ten arrays of 1000 bytes, half of them deleted. */
SITE void array_new() {
  char *arrays[10];
  for (char *&array : arrays) s_sink = array = new char[1000];
  for (int i = 0; i < 5; i++) delete[] arrays[i];
}

struct alignas(64) Aligned {
  char bytes[256];
};

/** Ten over-aligned objects of 256 bytes, half of them deleted. */
SITE void aligned_new() {
  Aligned *objects[10];
  for (Aligned *&object : objects) s_sink = object = new Aligned;
  for (int i = 0; i < 5; i++) delete objects[i];
}

/** A vector of 1000 integers that grows by doubling, from 4 to 4096 bytes; the last size is kept. */
SITE void vector_growth() {
  // In memory of our own, and never destroyed.
  alignas(std::vector<int>) static char place[sizeof(std::vector<int>)];
  auto &numbers = *new (place) std::vector<int>;
  for (int i = 0; i < 1000; i++) numbers.push_back(i);
  s_sink = numbers.data();
}

/** An exception, and 50 bytes that unwinding releases before it. libstdc++ puts 128 bytes before the thrown integer. */
SITE static void throw_integer(int number) {
  std::unique_ptr<char[]> buffer(new char[50]);
  s_sink = buffer.get();
  throw number;
}

/** Catches a hundred of them. */
SITE void catch_integers() {
  for (int i = 0; i < 100; i++) {
    try {
      throw_integer(i);
    } catch (int number) {
      s_sink = &number;
    }
  }
}
