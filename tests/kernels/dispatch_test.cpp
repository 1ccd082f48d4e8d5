// The choice among kernel tables.
#include "lamina/kernels/dispatch.hpp"

#include <string>
#include <utility>

#include "doctest/doctest.h"

using namespace lamina;

TEST_CASE("tables come best first and the reference last") {
  auto const tables = available_kernels();
  REQUIRE(tables.size() >= 2);
  CHECK(tables.back()->name == "reference");
  CHECK(tables.back() == &reference_kernels());
  CHECK(&best_kernels() == tables.front());
  // Of the two for AVX-512 with VNNI the CPU's own comes first.
  bool const is_zen4 = detail::cpu_is_zen4();
  auto const rank = [&](Target target) {
    bool const is_second = target == (is_zen4 ? Target::kAvx3Dl : Target::kAvx3Zen4);
    bool const is_one = target == Target::kAvx3Dl || target == Target::kAvx3Zen4;
    return std::pair(is_one ? Target::kAvx3Dl : target, is_one && !is_second);
  };
  for (std::size_t i = 1; i < tables.size(); ++i) CHECK(rank(tables[i]->target) < rank(tables[i - 1]->target));
  CHECK(is_zen4 == (tables.front()->target == Target::kAvx3Zen4));
}

TEST_CASE("all that a table promises is there") {
  for (KernelTable const* table : available_kernels()) {
    INFO(table->name);
    CHECK(&kernels_named(table->name) == table);
    CHECK(table->bit_exact == (table->target != Target::kSse4));
    CHECK(table->rows_at_once >= 8);
    CHECK(table->run_parts >= 2);
    CHECK((table->quantize_rows != nullptr));
    CHECK((table->matmul != nullptr));
    CHECK((table->embed != nullptr));
    CHECK((table->rms_norm != nullptr));
    CHECK((table->rope_frequencies != nullptr));
    CHECK((table->rope_scale != nullptr));
    CHECK((table->rope_angles != nullptr));
    CHECK((table->rope != nullptr));
    CHECK((table->store_kv != nullptr));
    CHECK((table->attend != nullptr));
    CHECK((table->silu_gate != nullptr));
    CHECK((table->softmax != nullptr));
  }
}

TEST_CASE("an unknown table is an error that lists the known ones") {
  try {
    (void)kernels_named("mmx");
    FAIL("no error");
  } catch (Error const& e) {
    std::string const what = e.what();
    CHECK(e.code() == Errc::kInvalidArgument);
    CHECK(what.find("'mmx'") != std::string::npos);
    CHECK(what.find("reference") != std::string::npos);
  }
}
