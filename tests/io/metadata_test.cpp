// Metadata: typed access by key, conversions, arrays, and what the errors say.
#include "lamina/io/metadata.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "file_fixtures.hpp"
#include "lamina/io/metadata_builder.hpp"

using namespace lamina;
using lamina::test::check_error;

namespace {

Metadata sample() {
  return MetadataBuilder{}
      .set("u8", std::uint8_t{200})
      .set("i8", std::int8_t{-100})
      .set("u16", std::uint16_t{60000})
      .set("i16", std::int16_t{-30000})
      .set("u32", std::uint32_t{4000000000u})
      .set("i32", std::int32_t{-2000000000})
      .set("f32", 1.5f)
      .set("yes", true)
      .set("no", false)
      .set("text", "words")
      .set("empty", std::string())
      .set("u64", std::numeric_limits<std::uint64_t>::max())
      .set("i64", std::numeric_limits<std::int64_t>::min())
      .set("f64", 1e300)
      .set("ints", std::vector<std::int32_t>{3, -1, 4})
      .set("floats", std::array{0.5f, -2.0f})
      .set("bools", std::vector<bool>{true, false, true})
      .set("strings", std::vector<std::string>{"a", "", "ccc"})
      .set("nothing", std::vector<float>{})
      .set("nested", std::vector<std::vector<std::string>>{{"x", "yy"}, {}, {"z"}})
      .build("model.gguf");
}

}  // namespace

TEST_CASE("every scalar type is read back as its own C++ type") {
  Metadata const m = sample();
  CHECK(m.get<std::uint8_t>("u8") == 200);
  CHECK(m.get<std::int8_t>("i8") == -100);
  CHECK(m.get<std::uint16_t>("u16") == 60000);
  CHECK(m.get<std::int16_t>("i16") == -30000);
  CHECK(m.get<std::uint32_t>("u32") == 4000000000u);
  CHECK(m.get<std::int32_t>("i32") == -2000000000);
  CHECK(m.get<float>("f32") == 1.5f);
  CHECK(m.get<bool>("yes") == true);
  CHECK(m.get<bool>("no") == false);
  CHECK(m.get<std::string_view>("text") == "words");
  CHECK(m.get<std::string_view>("empty") == "");
  CHECK(m.get<std::uint64_t>("u64") == std::numeric_limits<std::uint64_t>::max());
  CHECK(m.get<std::int64_t>("i64") == std::numeric_limits<std::int64_t>::min());
  CHECK(m.get<double>("f64") == 1e300);
}

TEST_CASE("integers convert where the value fits, floats between each other, nothing else") {
  Metadata const m = sample();
  CHECK(m.require<std::size_t>("u8") == 200);
  CHECK(m.require<int>("u16") == 60000);
  CHECK(m.require<double>("f32") == 1.5);
  check_error([&] { (void)m.get<int>("u32"); }, Errc::kCorrupt, {"model.gguf", "'u32'", "does not fit"});
  check_error([&] { (void)m.get<std::size_t>("i8"); }, Errc::kCorrupt, {"model.gguf", "'i8'", "does not fit"});
  check_error([&] { (void)m.get<std::int64_t>("u64"); }, Errc::kCorrupt, {"'u64'", "does not fit"});
  check_error([&] { (void)m.get<float>("f64"); }, Errc::kCorrupt, {"'f64'", "does not fit"});
  check_error([&] { (void)m.get<float>("u8"); }, Errc::kCorrupt, {"'u8'", "has type uint8", "a float"});
  check_error([&] { (void)m.get<int>("f32"); }, Errc::kCorrupt, {"'f32'", "has type float32", "an integer"});
  check_error([&] { (void)m.get<bool>("u8"); }, Errc::kCorrupt, {"'u8'", "a bool"});
  check_error([&] { (void)m.get<int>("yes"); }, Errc::kCorrupt, {"'yes'", "has type bool"});
  check_error([&] { (void)m.get<std::string_view>("u8"); }, Errc::kCorrupt, {"'u8'", "a string"});
  check_error([&] { (void)m.get<int>("ints"); }, Errc::kCorrupt, {"'ints'", "has type array"});
}

TEST_CASE("infinity and NaN are values") {
  float const infinity = std::numeric_limits<float>::infinity();
  Metadata const m = MetadataBuilder{}.set("inf", double{infinity}).set("nan", std::nan("")).build("f");
  CHECK(m.require<float>("inf") == infinity);
  CHECK(std::isnan(m.require<float>("nan")));
}

TEST_CASE("an absent key is nothing for get, an error for require") {
  Metadata const m = sample();
  CHECK_FALSE(m.get<int>("absent").has_value());
  CHECK_FALSE(m.get_array<int>("absent").has_value());
  CHECK_FALSE(m.contains("absent"));
  CHECK(m.contains("u8"));
  check_error([&] { (void)m.require<int>("absent"); }, Errc::kMissing, {"model.gguf", "'absent'", "missing"});
  check_error([&] { (void)m.require_array<int>("absent"); }, Errc::kMissing, {"model.gguf", "'absent'"});
  CHECK_FALSE(Metadata().contains("u8"));
}

TEST_CASE("arrays of every kind") {
  Metadata const m = sample();
  CHECK(m.get_array<std::int32_t>("ints") == std::vector<std::int32_t>{3, -1, 4});
  CHECK(m.get_array<std::int64_t>("ints") == std::vector<std::int64_t>{3, -1, 4});
  CHECK(m.get_array<float>("floats") == std::vector{0.5f, -2.0f});
  CHECK(m.get_array<double>("floats") == std::vector{0.5, -2.0});
  CHECK(m.get_array<bool>("bools") == std::vector{true, false, true});
  CHECK(m.get_array<std::string_view>("strings") == std::vector<std::string_view>{"a", "", "ccc"});
  CHECK(m.require_array<float>("nothing").empty());
  CHECK(m.array("strings")->element_type() == MetadataType::kString);
  CHECK(m.array("strings")->size() == 3);
  check_error([&] { (void)m.get_array<unsigned>("ints"); }, Errc::kCorrupt, {"model.gguf", "'ints'", "element 1"});
  check_error([&] { (void)m.get_array<float>("ints"); }, Errc::kCorrupt, {"'ints'", "array of int32", "a float"});
  check_error([&] { (void)m.get_array<int>("u8"); }, Errc::kCorrupt, {"'u8'", "has type uint8", "an array"});
}

TEST_CASE("arrays of arrays") {
  Metadata const m = sample();
  auto const rows = m.require_array<MetadataArray>("nested");
  REQUIRE(rows.size() == 3);
  CHECK(rows[0].as<std::string_view>() == std::vector<std::string_view>{"x", "yy"});
  CHECK(rows[1].as<std::string_view>().empty());
  CHECK(rows[2].as<std::string_view>() == std::vector<std::string_view>{"z"});
  check_error([&] { (void)rows[0].as<int>(); }, Errc::kCorrupt, {"model.gguf", "'nested'", "array of string"});
}

TEST_CASE("entries keep their order, a second set replaces the value") {
  Metadata const m = MetadataBuilder{}.set("b", 1).set("a", 2).set("b", "three").build("f");
  REQUIRE(m.entries().size() == 2);
  CHECK(m.entries()[0].key == "b");
  CHECK(m.entries()[1].key == "a");
  CHECK(m.require<std::string_view>("b") == "three");
}

TEST_CASE("a copy outlives the original and the builder") {
  Metadata copy;
  {
    MetadataBuilder builder;
    Metadata const m = builder.set("key", "a value longer than the small string buffer").build("source of the value");
    builder.set("key", "another");
    copy = m;
  }
  CHECK(copy.require<std::string_view>("key") == "a value longer than the small string buffer");
  CHECK(copy.source() == "source of the value");
}

TEST_CASE("what a file calls a key reaches messages without control characters") {
  Metadata const m = MetadataBuilder{}.set("\x1b[2J\n", 1).build("f");
  check_error([&] { (void)m.get<float>("\x1b[2J\n"); }, Errc::kCorrupt, {"'\\x1b[2J\\x0a'"});
  CHECK(detail::printable(std::string(200, 'a')) == std::string(96, 'a') + "...");
}
