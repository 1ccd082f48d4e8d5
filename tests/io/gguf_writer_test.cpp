// The GGUF writer: what it writes is read back, byte for byte where that means something, and no failure costs a file.
#include "lamina/io/gguf_writer.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "file_fixtures.hpp"
#include "test_data.hpp"

using namespace lamina;
using lamina::test::Bytes;
using lamina::test::check_error;
using lamina::test::read_file;
using lamina::test::TemporaryFolder;

namespace {

Bytes counted(std::size_t n, unsigned seed) {
  Bytes out(n);
  for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<std::byte>((i * 7 + seed) & 255u);
  return out;
}

// Opens what the writer made of `path` and writes it again under another name: the bytes must be the same.
void check_rewrite(TemporaryFolder const& folder, std::filesystem::path const& path, std::uint32_t alignment = 32) {
  Checkpoint const c = Checkpoint::open(path);
  GgufWriter again(alignment);
  again.set_all(c.metadata());
  for (TensorInfo const& t : c.tensors()) again.add(t.name, t.format, t.dims, t.bytes);
  again.write(folder.file("again.gguf"));
  CHECK(read_file(folder.file("again.gguf")) == read_file(path));
}

}  // namespace

TEST_CASE("metadata of every type is read back") {
  TemporaryFolder const folder;
  GgufWriter writer;
  writer.set("u8", std::uint8_t{1})
      .set("i8", std::int8_t{-1})
      .set("u16", std::uint16_t{2})
      .set("i16", std::int16_t{-2});
  writer.set("u32", std::uint32_t{3})
      .set("i32", std::int32_t{-3})
      .set("u64", std::uint64_t{4})
      .set("i64", std::int64_t{-4});
  writer.set("f32", 0.1f).set("f64", 0.1).set("bool", true).set("text", "a\0b").set("view", std::string_view("view"));
  writer.set("strings", std::array{"a", "bb"})
      .set("floats", std::vector{1.5f, 2.5f})
      .set("bools", std::vector{true, false});
  writer.set("nested", std::vector<std::vector<std::uint16_t>>{{1, 2}, {}, {3}});
  writer.write(folder.file("m.gguf"));

  Metadata const m = Checkpoint::open(folder.file("m.gguf")).metadata();
  CHECK(m.entries().size() == 17);
  std::array const types = {MetadataType::kUint8,   MetadataType::kInt8,   MetadataType::kUint16,
                            MetadataType::kInt16,   MetadataType::kUint32, MetadataType::kInt32,
                            MetadataType::kUint64,  MetadataType::kInt64,  MetadataType::kFloat32,
                            MetadataType::kFloat64, MetadataType::kBool,   MetadataType::kString};
  for (std::size_t i = 0; i < types.size(); ++i) CHECK(m.entries()[i].type == types[i]);
  CHECK(m.require<std::int8_t>("i8") == -1);
  CHECK(m.require<std::int64_t>("i64") == -4);
  CHECK(m.require<float>("f32") == 0.1f);
  CHECK(m.require<double>("f64") == 0.1);
  CHECK(m.require<bool>("bool"));
  CHECK(m.require<std::string_view>("text") == "a");
  CHECK(m.require<std::string_view>("view") == "view");
  CHECK(m.require_array<std::string_view>("strings") == std::vector<std::string_view>{"a", "bb"});
  CHECK(m.require_array<float>("floats") == std::vector{1.5f, 2.5f});
  CHECK(m.require_array<bool>("bools") == std::vector{true, false});
  auto const nested = m.require_array<MetadataArray>("nested");
  REQUIRE(nested.size() == 3);
  CHECK(nested[0].as<int>() == std::vector{1, 2});
  CHECK(nested[1].element_type() == MetadataType::kUint16);
  check_rewrite(folder, folder.file("m.gguf"));
}

TEST_CASE("tensors of every format, as bytes and from a source, at every alignment") {
  TemporaryFolder const folder;
  auto const path = folder.file("t.gguf");
  for (std::uint32_t const alignment : {8u, 32u, 64u, 8192u}) {
    CAPTURE(alignment);
    GgufWriter writer(alignment);
    writer.set("general.architecture", "test");
    std::vector<Bytes> data;
    data.reserve(kFormats.size());
    for (FormatTraits const& format : kFormats) {
      std::vector<std::uint64_t> const dims = {format.block * 3, 5};
      data.push_back(counted(format.block_bytes * 15, static_cast<unsigned>(data.size())));
      writer.add(std::string(format.name), format.format, dims, data.back());
    }
    Bytes const large = counted(std::size_t{3} << 20, 1);  // more than the write buffer, given in uneven pieces
    writer.add("large", Format::kF16, {large.size() / 2}, [&](ByteSink sink) {
      std::size_t const first = 12345;
      sink(std::span(large).first(first));
      sink({});
      sink(std::span(large).subspan(first));
    });
    writer.write(path);

    Checkpoint const c = Checkpoint::open(path);
    REQUIRE(c.tensors().size() == kFormats.size() + 1);
    for (std::size_t i = 0; i < kFormats.size(); ++i) {
      TensorInfo const& t = c.tensors()[i];
      CHECK(t.name == kFormats[i].name);
      CHECK(t.format == kFormats[i].format);
      CHECK(t.dims == std::vector<std::uint64_t>{kFormats[i].block * 3, 5});
      CHECK(std::ranges::equal(t.bytes, data[i]));
      CHECK(reinterpret_cast<std::uintptr_t>(t.bytes.data()) % std::min(alignment, 4096u) == 0);
    }
    CHECK(std::ranges::equal(c.tensor("large").bytes, large));
    CHECK(c.metadata().contains("general.alignment") == (alignment != 32));
    check_rewrite(folder, path, alignment);
  }
  CHECK(folder.names().size() == 2);
}

TEST_CASE("real files come out as they went in") {
  TemporaryFolder const folder;
  for (std::string const name : {"stories260K.gguf", "vocab/ggml-vocab-llama-spm.gguf"}) {
    LAMINA_REQUIRE_SHARED(path, name);
    check_rewrite(folder, path);
  }
}

TEST_CASE("a model can be written twice, a key set twice has the last value") {
  TemporaryFolder const folder;
  Bytes const data = counted(32, 0);
  int calls = 0;
  GgufWriter writer;
  writer.set("key", 1).set("key", "one").add("t", Format::kF32, {8}, [&](ByteSink sink) {
    ++calls;
    sink(data);
  });
  writer.write(folder.file("a.gguf"));
  writer.write(folder.file("b.gguf"));
  CHECK(calls == 2);
  CHECK(read_file(folder.file("a.gguf")) == read_file(folder.file("b.gguf")));
  CHECK(Checkpoint::open(folder.file("a.gguf")).metadata().require<std::string_view>("key") == "one");
}

TEST_CASE("versions 2 and 3 differ in their number only") {
  TemporaryFolder const folder;
  Bytes const data = counted(64, 0);
  auto const written = [&](std::uint32_t version) {
    auto const path = folder.file("v" + std::to_string(version) + ".gguf");
    GgufWriter writer(32, version);
    writer.set("key", "value").add("t", Format::kF32, {16}, data).write(path);
    CHECK(Checkpoint::open(path).metadata().require<std::string_view>("key") == "value");
    return read_file(path);
  };
  Bytes v2 = written(2);
  CHECK(v2[4] == std::byte{2});
  v2[4] = std::byte{3};
  CHECK(v2 == written(3));
}

TEST_CASE("wrong arguments are refused when they come") {
  Bytes const data = counted(64, 0);
  GgufWriter writer;
  writer.add("there", Format::kF32, {16}, data);
  check_error([&] { writer.add("there", Format::kF32, {16}, data); }, Errc::kInvalidArgument, {"'there'", "before"});
  check_error([&] { writer.add("t", Format::kF32, {15}, data); }, Errc::kShape, {"'t'", "64 bytes", "[15]", "60"});
  check_error([&] { writer.add("t", Format::kQ8_0, {31}, data); }, Errc::kInvalidArgument, {"'t'", "[31]"});
  check_error([&] { writer.add("t", Format::kF32, {}, data); }, Errc::kInvalidArgument, {"'t'", "[]"});
  check_error([&] { writer.add("t", Format::kF32, {0}, Bytes{}); }, Errc::kInvalidArgument, {"'t'", "[0]"});
  check_error([&] { writer.add("t", Format::kF32, {2, 2, 2, 2, 1}, data); }, Errc::kInvalidArgument, {"'t'"});
  check_error([&] { writer.set("general.alignment", 64u); }, Errc::kInvalidArgument, {"general.alignment"});
  check_error([&] { writer.set("split.no", 1u); }, Errc::kInvalidArgument, {"split.no"});
  check_error([] { GgufWriter(4); }, Errc::kInvalidArgument, {"alignment 4"});
  check_error([] { GgufWriter(48); }, Errc::kInvalidArgument, {"alignment 48"});
  check_error([] { GgufWriter(32, 1); }, Errc::kInvalidArgument, {"version 1"});
  check_error([] { GgufWriter(32, 4); }, Errc::kInvalidArgument, {"version 4"});
}

TEST_CASE("a failure leaves the old file and nothing else") {
  TemporaryFolder const folder;
  auto const path = folder.file("m.gguf");
  Bytes const old = counted(100, 3);
  test::write_file(path, old);
  Bytes const data = counted(64, 0);

  SUBCASE("the source throws") {
    GgufWriter writer;
    writer.add("t", Format::kF32, {16}, [](ByteSink) { throw std::runtime_error("no more"); });
    CHECK_THROWS_WITH_AS(writer.write(path), "no more", std::runtime_error);
  }
  SUBCASE("the source gives too little") {
    GgufWriter writer;
    writer.add("t", Format::kF32, {16}, [&](ByteSink sink) { sink(std::span(data).first(63)); });
    check_error([&] { writer.write(path); }, Errc::kShape, {path.string(), "'t'", "63 bytes", "64"});
  }
  SUBCASE("the source gives too much") {
    GgufWriter writer;
    writer.add("t", Format::kF32, {15}, [&](ByteSink sink) { sink(data); });
    check_error([&] { writer.write(path); }, Errc::kShape, {"'t'", "64 bytes", "60"});
  }
  SUBCASE("the system refuses to write") {
    // A file size limit stands for a full disk: both end in a failing write(2).
    struct rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = before;
    limit.rlim_cur = 4096;
    GgufWriter writer;
    Bytes const large = counted(8192, 0);
    writer.add("t", Format::kF32, {2048}, large);
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
    std::string message;
    try {
      writer.write(path);
    } catch (Error const& error) {
      message = error.what();
      CHECK(error.code() == Errc::kIo);
    }
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    CHECK(message.find(path.string() + ": cannot write: ") != std::string::npos);
  }
  CHECK(read_file(path) == old);
  CHECK(folder.names() == std::vector<std::string>{"m.gguf"});
}

TEST_CASE("a path that cannot be is an error that names it") {
  TemporaryFolder const folder;
  auto const path = folder.file("no/such/folder/m.gguf");
  check_error([&] { GgufWriter().write(path); }, Errc::kIo, {path.string(), "cannot create"});
  std::filesystem::create_directory(folder.file("folder"));
  check_error([&] { GgufWriter().write(folder.file("folder")); }, Errc::kIo, {"folder", "cannot rename"});
  CHECK(folder.names() == std::vector<std::string>{"folder"});
}
