#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>
#include "where.h"

namespace geometry {

template <typename T> class Store {
public:
  /** Inlined in every caller. */
  inline __attribute__((always_inline)) void add(T value) {
    WHERE;
    grow(1);
    items.push_back(value);
  }
  std::size_t size() const { return items.size(); }

private:
  inline __attribute__((always_inline)) void grow(std::size_t by) {
    WHERE;
    if (items.capacity() < items.size() + by) items.reserve(items.size() * 2 + by);
  }
  std::vector<T> items;
};

struct Shape {
  explicit Shape(int sides);
  virtual ~Shape();
  virtual double area() const = 0;
  int sides;
};

std::unique_ptr<Shape> make(int sides);
int visit(const std::function<int(const Shape &)> &visitor);

} // namespace geometry
