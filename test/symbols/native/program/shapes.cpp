#include "shapes.h"

namespace geometry {

Shape::Shape(int n) : sides(n) { WHERE; }
Shape::~Shape() { WHERE; }

namespace {

struct Square final : Shape {
  Square() : Shape(4) {}
  double area() const override {
    WHERE;
    return scaled(sides);
  }

private:
  static inline double scaled(int by) {
    WHERE;
    return by * 2.0;
  }
};

__attribute__((noinline)) int hidden(int n) {
  Store<int> local;
  local.add(n);
  local.add(n + 1);
  WHERE;
  return static_cast<int>(local.size());
}

} // namespace

std::unique_ptr<Shape> make(int sides) {
  if (hidden(sides) != 2) throw sides;
  return std::make_unique<Square>();
}

int visit(const std::function<int(const Shape &)> &visitor) {
  auto shape = make(4);
  int seen = visitor(*shape);
  WHERE;
  return seen;
}

} // namespace geometry
