#include <cstdio>
#include "plain.h"
#include "shapes.h"

using geometry::Shape;
using geometry::Store;

template <typename T, int N> struct Ring {
  T slots[N];
  __attribute__((noinline)) T turn(T by) {
    auto step = [this, by](int i) {
      WHERE;
      return slots[i] += by;
    };
    T sum{};
    for (int i = 0; i < N; i++) sum += step(i);
    WHERE;
    return sum;
  }
};

static __attribute__((noinline)) long local_class() {
  struct Counter {
    long n = 0;
    __attribute__((noinline)) long next() {
      WHERE;
      return ++n;
    }
  } counter;
  return counter.next() + 1;
}

int main(int argc, char **) {
  Ring<double, 3> ring{};
  double turned = ring.turn(argc);
  Store<long> numbers;
  numbers.add(argc);
  int seen = geometry::visit([&](const Shape &shape) {
    WHERE;
    numbers.add(shape.sides);
    return static_cast<int>(shape.area());
  });
  try {
    WHERE;
    if (argc > 5) throw 1;
  } catch (int) {
    WHERE;
  }
  std::fprintf(stderr, "%f %d %ld %d\n", turned, seen, local_class(), plain(argc) + plain(2000));
  return 0;
}
