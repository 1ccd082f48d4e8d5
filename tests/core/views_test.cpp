#include "lamina/core/views.hpp"

#include <doctest/doctest.h>

#include <array>
#include <type_traits>
#include <vector>

#include "lamina/core/eigen.hpp"

namespace {

using lamina::MatrixView;

static_assert(std::is_convertible_v<MatrixView<float>, MatrixView<float const>>);
static_assert(!std::is_convertible_v<MatrixView<float const>, MatrixView<float>>);

TEST_CASE("a matrix view addresses rows by their stride") {
  std::array<int, 12> numbers{0, 1, 2, -1, 10, 11, 12, -1, 20, 21, 22, -1};
  MatrixView<int> const m(numbers.data(), 3, 3, 4);
  CHECK(m.row(2)[1] == 21);
  CHECK(m.row(1).size() == 3);

  MatrixView<int> const tail = m.slice(1, 2);
  CHECK(tail.rows == 2);
  CHECK(tail.row(0).data() == &numbers[4]);
  tail.row(1)[2] = 7;
  CHECK(numbers[10] == 7);
  CHECK(m.slice(3, 0).rows == 0);
}

TEST_CASE("an Eigen map shares the memory and the stride") {
  std::vector<float> numbers(2 * 5, -1.0F);
  MatrixView<float> const m(numbers.data(), 2, 3, 5);
  auto mapped = lamina::as_eigen(m);
  mapped << 1, 2, 3, 4, 5, 6;
  CHECK(m.row(1)[0] == 4.0F);
  CHECK(numbers[3] == -1.0F);  // between the rows: untouched
  CHECK(numbers[5] == 4.0F);

  MatrixView<float const> const read_only = m;
  CHECK(lamina::as_eigen(read_only).sum() == 21.0F);
  static_assert(!std::is_assignable_v<decltype(lamina::as_eigen(read_only)(0, 0)), float>);

  auto const row = lamina::as_eigen(m.row(1));
  CHECK(row.size() == 3);
  CHECK(row.dot(row) == 77.0F);
}

}  // namespace
