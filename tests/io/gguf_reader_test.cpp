// The GGUF reader against files that are right, cut short, and wrong in one field.
#include "lamina/io/gguf_reader.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "file_fixtures.hpp"
#include "test_data.hpp"

using namespace lamina;
using lamina::test::Bytes;
using lamina::test::check_error;
using lamina::test::error_of;
using lamina::test::GgufBytes;
using lamina::test::open_bytes;
using lamina::test::TemporaryFolder;
using lamina::test::write_file;

namespace {

constexpr std::uint64_t kHuge = std::uint64_t{1} << 60;
constexpr std::uint32_t kF32 = 0;
constexpr std::uint32_t kQ4_0 = 2;

// One file with every value type, nested arrays and two tensors; its header is everything before the data.
GgufBytes everything() {
  GgufBytes file(2, 15);
  file.key("u8", MetadataType::kUint8).u8(1);
  file.key("i8", MetadataType::kInt8).u8(0xff);
  file.key("u16", MetadataType::kUint16).u8(2).u8(0);
  file.key("i16", MetadataType::kInt16).u8(0xfe).u8(0xff);
  file.key("u32", MetadataType::kUint32).u32(3);
  file.key("i32", MetadataType::kInt32).u32(0xfffffffdu);
  file.key("f32", MetadataType::kFloat32).u32(0x3f800000u);
  file.key("bool", MetadataType::kBool).u8(1);
  file.key("string", MetadataType::kString).string("text");
  file.key("u64", MetadataType::kUint64).u64(4);
  file.key("i64", MetadataType::kInt64).u64(static_cast<std::uint64_t>(-4));
  file.key("f64", MetadataType::kFloat64).u64(0x4000000000000000u);
  file.key("strings", MetadataType::kArray).u32(8).u64(2).string("a").string("bc");
  file.key("nested", MetadataType::kArray).u32(9).u64(2).u32(0).u64(2).u8(5).u8(6).u32(7).u64(1).u8(0);
  file.key("general.alignment", MetadataType::kUint32).u32(64);
  file.tensor("a", {4, 2}, kF32, 0).tensor("b", {32}, kQ4_0, 64);
  return file;
}

GgufBytes one_tensor(std::vector<std::uint64_t> const& dims, std::uint32_t type = kF32, std::uint64_t offset = 0) {
  return GgufBytes(1, 0).tensor("weights", dims, type, offset).data(128);
}

}  // namespace

TEST_CASE("all value types and the tensors' bytes are where they should be") {
  Checkpoint const c = everything().data(64 + 18, 64).open();
  Metadata const& m = c.metadata();
  CHECK(m.require<std::uint8_t>("u8") == 1);
  CHECK(m.require<std::int8_t>("i8") == -1);
  CHECK(m.require<std::uint16_t>("u16") == 2);
  CHECK(m.require<std::int16_t>("i16") == -2);
  CHECK(m.require<std::uint32_t>("u32") == 3);
  CHECK(m.require<std::int32_t>("i32") == -3);
  CHECK(m.require<float>("f32") == 1.0f);
  CHECK(m.require<bool>("bool"));
  CHECK(m.require<std::string_view>("string") == "text");
  CHECK(m.require<std::uint64_t>("u64") == 4);
  CHECK(m.require<std::int64_t>("i64") == -4);
  CHECK(m.require<double>("f64") == 2.0);
  CHECK(m.require_array<std::string_view>("strings") == std::vector<std::string_view>{"a", "bc"});
  auto const nested = m.require_array<MetadataArray>("nested");
  REQUIRE(nested.size() == 2);
  CHECK(nested[0].as<int>() == std::vector{5, 6});
  CHECK(nested[1].as<bool>() == std::vector{false});

  REQUIRE(c.tensors().size() == 2);
  CHECK(c.tensor("a").dims == std::vector<std::uint64_t>{4, 2});
  CHECK(c.tensor("a").format == Format::kF32);
  REQUIRE(c.tensor("a").bytes.size() == 32);
  CHECK(c.tensor("a").bytes[31] == std::byte{31});
  CHECK(c.tensor("b").format == Format::kQ4_0);
  REQUIRE(c.tensor("b").bytes.size() == 18);
  CHECK(c.tensor("b").bytes[0] == std::byte{64});
}

TEST_CASE("a file cut at any byte is an error that names the file") {
  Bytes const whole = everything().data(64 + 18, 64).bytes();
  CHECK_NOTHROW(open_bytes(whole));
  for (std::size_t n = 0; n < whole.size(); ++n) {
    CAPTURE(n);
    Error const error = error_of([&] { open_bytes(std::span(whole).first(n), "cut.gguf"); });
    CHECK(error.code() == Errc::kCorrupt);
    CHECK(std::string_view(error.what()).starts_with("cut.gguf: byte "));
  }
}

TEST_CASE("a real model cut at every byte of its header and at places of its data") {
  LAMINA_REQUIRE_SHARED(path, "stories260K.gguf");
  Bytes const whole = test::read_file(path);
  Checkpoint const model = open_bytes(whole);
  auto const data_start = whole.size() - 1040128;  // 260032 float32 weights
  REQUIRE(model.tensors().front().bytes.size() == 512 * 64 * 4);
  std::size_t step = 1;
  for (std::size_t n = 0; n < whole.size(); n += step) {
    if (n > data_start) step = 4999;
    auto const part = std::span(whole).first(n);
    CHECK_THROWS_AS(Checkpoint::from_bytes(nullptr, part, "cut"), Error);
  }
}

TEST_CASE("version 2 is read as version 3 is") {
  CHECK(GgufBytes(0, 1, 2).key("a", MetadataType::kUint8).u8(7).open().metadata().require<int>("a") == 7);
}

TEST_CASE("a vocabulary alone, and nothing at all, are files") {
  Checkpoint const vocabulary = GgufBytes(0, 1).key("tokens", MetadataType::kArray).u32(8).u64(1).string("t").open();
  CHECK(vocabulary.tensors().empty());
  CHECK(vocabulary.metadata().require_array<std::string_view>("tokens").size() == 1);
  CHECK(GgufBytes(0, 0).open().metadata().entries().empty());
}

TEST_CASE("wrong versions") {
  check_error([] { GgufBytes(0, 0, 1).open(); }, Errc::kUnsupported, {"test.gguf: byte 8", "version 1"});
  check_error([] { GgufBytes(0, 0, 4).open(); }, Errc::kUnsupported, {"version 4"});
  check_error([] { GgufBytes(0, 0, 0).open(); }, Errc::kUnsupported, {"version 0"});
  check_error([] { GgufBytes(0, 0, 3u << 24).open(); }, Errc::kUnsupported, {"big endian"});
}

TEST_CASE("counts and lengths that the file cannot back are refused at once") {
  for (std::uint64_t const n : {std::uint64_t{1}, kHuge, std::numeric_limits<std::uint64_t>::max()}) {
    CAPTURE(n);
    check_error([&] { GgufBytes(n, 0).open(); }, Errc::kCorrupt, {"number of tensors", "byte 16"});
    check_error([&] { GgufBytes(0, n).open(); }, Errc::kCorrupt, {"number of keys", "byte 24"});
  }
  for (std::uint64_t const n : {std::uint64_t{100}, kHuge, std::numeric_limits<std::uint64_t>::max()}) {
    CAPTURE(n);
    check_error([&] { GgufBytes(0, 1).u64(n).u64(0).open(); }, Errc::kCorrupt, {"key", "byte 32"});
    check_error([&] { GgufBytes(0, 1).key("name", MetadataType::kString).u64(n).open(); }, Errc::kCorrupt,
                {"'name'", "string needs", "0 are left"});
    for (std::uint32_t const type : {0u, 1u, 4u, 7u, 8u, 9u, 12u}) {
      CAPTURE(type);
      check_error([&] { GgufBytes(0, 1).key("name", MetadataType::kArray).u32(type).u64(n).u64(0).open(); },
                  Errc::kCorrupt, {"'name'", "array count"});
    }
    check_error([&] { GgufBytes(1, 0).u64(n).u64(0).u64(0).u64(0).open(); }, Errc::kCorrupt, {"tensor name"});
  }
}

TEST_CASE("wrong values") {
  check_error([] { GgufBytes(0, 1).string("name").u32(13).u64(0).open(); }, Errc::kUnsupported,
              {"'name'", "value type 13"});
  check_error([] { GgufBytes(0, 1).key("name", MetadataType::kArray).u32(99).u64(0).open(); }, Errc::kUnsupported,
              {"'name'", "value type 99"});
  check_error([] { GgufBytes(0, 1).key("name", MetadataType::kBool).u8(2).open(); }, Errc::kCorrupt,
              {"'name'", "a bool is 2"});
  check_error([] { GgufBytes(0, 1).key("name", MetadataType::kArray).u32(7).u64(2).u8(1).u8(3).open(); },
              Errc::kCorrupt, {"'name'", "a bool is 3"});
  GgufBytes twice(0, 2);
  twice.key("name", MetadataType::kUint8).u8(1).key("name", MetadataType::kUint8).u8(1);
  check_error([&] { twice.open(); }, Errc::kCorrupt, {"test.gguf", "'name'", "twice"});
}

TEST_CASE("arrays may nest to a depth, not without end") {
  auto const nested = [](int depth) {
    GgufBytes file(0, 1);
    file.key("deep", MetadataType::kArray);
    for (int i = 1; i < depth; ++i) file.u32(9).u64(1);
    return file.u32(0).u64(1).u8(42);
  };
  CHECK(nested(detail::kMaxArrayDepth).open().metadata().array("deep")->size() == 1);
  check_error([&] { nested(detail::kMaxArrayDepth + 1).open(); }, Errc::kUnsupported, {"'deep'", "nest deeper"});
  check_error([&] { nested(100000).open(); }, Errc::kUnsupported, {"'deep'", "nest deeper"});
}

TEST_CASE("alignment is a power of two from 8 on") {
  auto const aligned = [](std::uint32_t alignment) {
    GgufBytes file(1, 1);
    file.key("general.alignment", MetadataType::kUint32).u32(alignment).tensor("t", {8}, kF32, 0);
    return file.data(32, alignment == 0 ? 32 : alignment).open();
  };
  for (std::uint32_t const good : {8u, 16u, 64u, 4096u}) CHECK(aligned(good).tensor("t").bytes[1] == std::byte{1});
  for (std::uint32_t const bad : {0u, 1u, 4u, 24u, 33u}) {
    CAPTURE(bad);
    check_error([&] { aligned(bad); }, Errc::kCorrupt, {"test.gguf", "general.alignment", std::to_string(bad)});
  }
  GgufBytes text(0, 1);
  text.key("general.alignment", MetadataType::kString).string("32");
  check_error([&] { text.open(); }, Errc::kCorrupt, {"general.alignment", "has type string"});
}

TEST_CASE("dimensions") {
  CHECK(one_tensor({2, 2, 2, 4}).open().tensor("weights").bytes.size() == 128);
  check_error([] { one_tensor({}).open(); }, Errc::kCorrupt, {"'weights'", "0 dimensions"});
  check_error([] { one_tensor({1, 1, 1, 1, 1}).open(); }, Errc::kCorrupt, {"'weights'", "5 dimensions"});
  check_error([] { one_tensor({4, 0}).open(); }, Errc::kCorrupt, {"'weights'", "[4, 0]"});
  check_error([] { one_tensor({kHuge, 2}).open(); }, Errc::kCorrupt, {"'weights'", "reaches past the end"});
  check_error([] { one_tensor({kHuge, kHuge}).open(); }, Errc::kCorrupt, {"'weights'", "overflows"});
  check_error([] { one_tensor({std::uint64_t{1} << 62}).open(); }, Errc::kCorrupt, {"'weights'", "overflows"});
  check_error([] { one_tensor({std::uint64_t{1} << 32, std::uint64_t{1} << 30}).open(); }, Errc::kCorrupt,
              {"overflows"});
  check_error([] { one_tensor({33}, kQ4_0).open(); }, Errc::kCorrupt, {"'weights'", "whole blocks of 32"});
  check_error([] { GgufBytes(1, 0).string("w").u32(0xffffffffu).u64(0).u64(0).u64(0).open(); }, Errc::kCorrupt,
              {"'w'", "4294967295 dimensions"});
}

TEST_CASE("types that lamina lacks are named") {
  check_error([] { one_tensor({32}, 10).open(); }, Errc::kUnsupported, {"test.gguf", "'weights'", "10", "Q2_K"});
  check_error([] { one_tensor({32}, 39).open(); }, Errc::kUnsupported, {"39", "MXFP4"});
  check_error([] { one_tensor({32}, 4711).open(); }, Errc::kUnsupported, {"4711", "unknown to ggml"});
}

TEST_CASE("data offsets") {
  CHECK(one_tensor({24}, kF32, 32).open().tensor("weights").bytes[0] == std::byte{32});
  check_error([] { one_tensor({8}, kF32, 4).open(); }, Errc::kCorrupt, {"'weights'", "offset 4", "alignment 32"});
  check_error([] { one_tensor({32}, kF32, 32).open(); }, Errc::kCorrupt, {"'weights'", "reaches past the end"});
  check_error([] { one_tensor({8}, kF32, kHuge).open(); }, Errc::kCorrupt, {"'weights'", "reaches past the end"});
  std::uint64_t const last = ~std::uint64_t{31};
  check_error([&] { one_tensor({8}, kF32, last).open(); }, Errc::kCorrupt, {"'weights'", "reaches past the end"});
}

TEST_CASE("tensors share neither bytes nor names") {
  auto const two = [](std::string_view first, std::uint64_t at, std::string_view second, std::uint64_t then) {
    GgufBytes file(2, 0);
    file.tensor(first, {16}, kF32, at).tensor(second, {8}, kF32, then).data(96);
    return file;
  };
  CHECK_NOTHROW(two("a", 0, "b", 64).open());
  CHECK_NOTHROW(two("a", 32, "b", 0).open());
  check_error([&] { two("a", 0, "b", 0).open(); }, Errc::kCorrupt, {"test.gguf", "'a'", "'b'", "shares data"});
  check_error([&] { two("a", 0, "b", 32).open(); }, Errc::kCorrupt, {"'b' shares data with tensor 'a'"});
  check_error([&] { two("a", 0, "a", 64).open(); }, Errc::kCorrupt, {"test.gguf", "'a'", "twice"});
}

TEST_CASE("packed matrices: what is wrong with them is said") {
  auto const type = [](std::uint32_t layout, std::uint32_t format) { return 0x4c500000u | layout << 8 | format; };
  // A matrix of 17 by 32 in Q4_0: two panels of 288 bytes.
  auto const packed = [&](std::vector<std::uint64_t> const& dims, std::uint32_t type_number, std::size_t n_bytes) {
    GgufBytes file(1, 1);
    file.key("general.alignment", MetadataType::kUint32).u32(64);
    file.tensor("weights", dims, type_number, 0).data(n_bytes, 64);
    return file;
  };
  std::uint32_t const q4_0 = type(1, kQ4_0);
  auto const open = [](GgufBytes const& file) {
    TemporaryFolder const folder;  // a file is mapped at a page, so that 64 bytes hold
    write_file(folder.file("test.gguf"), file.bytes());
    return Checkpoint::open(folder.file("test.gguf"));
  };
  Checkpoint const good = open(packed({32, 17}, q4_0, 576));
  CHECK(good.tensor("weights").packed);
  CHECK(good.tensor("weights").format == Format::kQ4_0);
  CHECK(good.tensor("weights").bytes.size() == 576);
  check_error([&] { open(packed({32, 17}, q4_0, 575)); }, Errc::kCorrupt, {"'weights'", "reaches past the end"});
  check_error([&] { open(packed({33, 17}, q4_0, 576)); }, Errc::kCorrupt, {"'weights'", "whole blocks of 32"});
  check_error([&] { open(packed({32}, q4_0, 576)); }, Errc::kCorrupt, {"'weights'", "[32] is no matrix"});
  check_error([&] { open(packed({32, 1, 17}, q4_0, 576)); }, Errc::kCorrupt, {"'weights'", "is no matrix"});
  check_error([&] { open(packed({32, kHuge}, q4_0, 576)); }, Errc::kCorrupt, {"'weights'"});
  check_error([&] { open(packed({kHuge / 32 * 32, 17}, q4_0, 576)); }, Errc::kCorrupt, {"'weights'"});
  check_error([&] { open(packed({32, 17}, type(2, kQ4_0), 576)); }, Errc::kUnsupported,
              {"'weights'", "layout 2", "layout 1", "pack the original file again"});
  check_error([&] { open(packed({32, 17}, type(1, 10), 576)); }, Errc::kUnsupported, {"'weights'", "not supported"});
  // The alignment of GGUF's default lets panels lie anywhere.
  check_error([&] { open(GgufBytes(1, 0).tensor("w", {32, 17}, q4_0, 0).data(576)); }, Errc::kCorrupt,
              {"'w'", "boundary of 64"});
}
