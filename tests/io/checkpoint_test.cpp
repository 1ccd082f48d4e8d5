// Checkpoints: the format by content, sharing, memory, discard, and models split over several files.
#include "lamina/io/checkpoint.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "file_fixtures.hpp"
#include "lamina/io/gguf_split.hpp"
#include "lamina/io/gguf_writer.hpp"

using namespace lamina;
using lamina::test::Bytes;
using lamina::test::check_error;
using lamina::test::error_of;
using lamina::test::open_bytes;
using lamina::test::TemporaryFolder;

namespace {

Bytes text_bytes(std::string_view text) {
  auto const bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::string tensor_name(std::size_t i) { return "t" + std::to_string(i); }

// Tensors t0, t1, ... of 16 floats; those of tensor i are all float(i).
struct Model {
  explicit Model(std::size_t n_tensors) : weights(n_tensors, std::vector<float>(16)) {
    writer.set("general.architecture", "test").set("numbers", std::vector{1, 2, 3});
    for (std::size_t i = 0; i < n_tensors; ++i) {
      std::ranges::fill(weights[i], static_cast<float>(i));
      writer.add(tensor_name(i), Format::kF32, {16}, std::as_bytes(std::span(weights[i])));
    }
  }

  void check(Checkpoint const& c) const {
    CHECK(c.metadata().require<std::string_view>("general.architecture") == "test");
    CHECK(c.metadata().require_array<int>("numbers") == std::vector{1, 2, 3});
    REQUIRE(c.tensors().size() == weights.size());
    for (std::size_t i = 0; i < weights.size(); ++i) {
      CHECK(c.tensors()[i].name == tensor_name(i));
      CHECK(std::ranges::equal(c.tensor(tensor_name(i)).bytes, std::as_bytes(std::span(weights[i]))));
    }
  }

  std::vector<std::vector<float>> weights;
  GgufWriter writer;
};

}  // namespace

TEST_CASE("tensors are found by name; an absent one is null, or an error that names file and tensor") {
  TemporaryFolder const folder;
  auto const path = folder.file("m.gguf");
  Model const model(3);
  model.writer.write(path);
  Checkpoint const c = Checkpoint::open(path);
  model.check(c);
  CHECK(c.source() == path.string());
  CHECK(c.metadata().source() == path.string());
  CHECK(c.find("t2") == &c.tensors()[2]);
  CHECK(c.find("t3") == nullptr);
  check_error([&] { (void)c.tensor("t3"); }, Errc::kMissing, {path.string(), "'t3'", "missing"});
}

TEST_CASE("copies, and metadata alone, keep the mapping alive") {
  TemporaryFolder const folder;
  Model const model(2);
  model.writer.write(folder.file("m.gguf"));
  Metadata metadata;
  {
    auto const first = std::make_unique<Checkpoint>(Checkpoint::open(folder.file("m.gguf")));
    Checkpoint const copy = *first;
    metadata = first->metadata();
    CHECK(copy.tensors().data() == first->tensors().data());
  }
  CHECK(metadata.require<std::string_view>("general.architecture") == "test");
}

TEST_CASE("discarded bytes are read again from the file") {
  TemporaryFolder const folder;
  std::vector<float> const weights(100000, 2.5f);
  GgufWriter writer;
  writer.add("t", Format::kF32, {weights.size()}, std::as_bytes(std::span(weights)));
  writer.write(folder.file("m.gguf"));
  Checkpoint const c = Checkpoint::open(folder.file("m.gguf"));
  c.discard(c.tensor("t"));
  CHECK(std::ranges::equal(c.tensor("t").bytes, std::as_bytes(std::span(weights))));

  Checkpoint const in_memory = open_bytes(test::read_file(folder.file("m.gguf")));
  in_memory.discard(in_memory.tensor("t"));
  CHECK(std::ranges::equal(in_memory.tensor("t").bytes, std::as_bytes(std::span(weights))));
}

TEST_CASE("a model in memory keeps its owner and wants an 8-byte boundary") {
  TemporaryFolder const folder;
  Model const model(2);
  model.writer.write(folder.file("m.gguf"));
  auto const bytes = std::make_shared<Bytes>(test::read_file(folder.file("m.gguf")));
  {
    Checkpoint const c = Checkpoint::from_bytes(bytes, *bytes, "embedded");
    CHECK(bytes.use_count() > 1);
    CHECK(c.source() == "embedded");
    model.check(c);
  }
  CHECK(bytes.use_count() == 1);
  bytes->insert(bytes->begin(), std::byte{0});
  check_error([&] { Checkpoint::from_bytes(nullptr, std::span(*bytes).subspan(1), "embedded"); },
              Errc::kInvalidArgument, {"embedded", "8-byte boundary"});
}

TEST_CASE("files of other kinds are named for what they are") {
  auto const open = [](std::string_view text) { open_bytes(text_bytes(text), "file"); };
  check_error([&] { open("24ka\1\0\0\0"); }, Errc::kUnsupported, {"file", "llama2.c", "version 1 or 2"});
  check_error([&] { open("tjgg...."); }, Errc::kUnsupported, {"file", "older than GGUF"});
  check_error([&] { open("PK\3\4...."); }, Errc::kUnsupported, {"file", "ZIP"});
  check_error([&] { open("GGU"); }, Errc::kCorrupt, {"file", "not GGUF"});
  check_error([&] { open(""); }, Errc::kCorrupt, {"file", "not GGUF"});
  check_error([&] { open("# A text\n\nThat is no model, though it is long enough.\n"); }, Errc::kCorrupt, {"file"});
}

TEST_CASE("paths that cannot be opened") {
  TemporaryFolder const folder;
  check_error([&] { Checkpoint::open(folder.file("none.gguf")); }, Errc::kIo, {"none.gguf", "cannot open"});
  check_error([&] { Checkpoint::open(folder.file("")); }, Errc::kIo, {"not a regular file"});
  test::write_file(folder.file("empty"), {});
  check_error([&] { Checkpoint::open(folder.file("empty")); }, Errc::kCorrupt, {"empty"});
}

TEST_CASE("a split model opens from any of its parts") {
  TemporaryFolder const folder;
  Model const model(7);
  auto const paths = model.writer.write_split(folder.file("m"), {.max_tensors = 3});
  REQUIRE(paths.size() == 3);
  CHECK(paths[0] == folder.file("m-00001-of-00003.gguf"));
  CHECK(paths[2] == folder.file("m-00003-of-00003.gguf"));
  CHECK(folder.names().size() == 3);
  for (auto const& path : paths) {
    Checkpoint const c = Checkpoint::open(path);
    model.check(c);
    CHECK(c.source() == path.string());
    c.discard(c.tensor("t6"));
    CHECK(c.metadata().require<int>("split.count") == 3);
    CHECK(c.metadata().require<int>("split.tensors.count") == 7);
  }
}

TEST_CASE("parts by bytes: a large tensor has one to itself") {
  TemporaryFolder const folder;
  Model model(4);  // 64 bytes each
  std::vector<float> const large(1000, 1.0f);
  model.writer.add("large", Format::kF32, {1000}, std::as_bytes(std::span(large)));
  auto const paths = model.writer.write_split(folder.file("m"), {.max_bytes = 130});
  REQUIRE(paths.size() == 3);
  Checkpoint const c = Checkpoint::open(paths[1]);
  CHECK(c.tensors().size() == 5);
  CHECK(c.tensor("large").bytes.size() == 4000);
  check_error([&] { (void)model.writer.write_split(folder.file("m"), {}); }, Errc::kInvalidArgument, {"limit"});
}

TEST_CASE("a split model of one part is a file like any other") {
  TemporaryFolder const folder;
  Model const model(2);
  auto const paths = model.writer.write_split(folder.file("m"), {.max_tensors = 2});
  REQUIRE(paths.size() == 1);
  std::filesystem::rename(paths[0], folder.file("other.gguf"));
  model.check(Checkpoint::open(folder.file("other.gguf")));
}

TEST_CASE("a split model rewritten as one file loses the split keys") {
  TemporaryFolder const folder;
  Model const model(4);
  Checkpoint const split = Checkpoint::open(model.writer.write_split(folder.file("m"), {.max_tensors = 1})[3]);
  GgufWriter writer;
  writer.set_all(split.metadata());
  for (TensorInfo const& t : split.tensors()) writer.add(t.name, t.format, t.dims, t.bytes);
  writer.write(folder.file("whole.gguf"));
  model.writer.write(folder.file("model.gguf"));
  CHECK(test::read_file(folder.file("whole.gguf")) == test::read_file(folder.file("model.gguf")));
}

TEST_CASE("split models with something wrong") {
  TemporaryFolder const folder;
  Model const model(3);
  auto const paths = model.writer.write_split(folder.file("m"), {.max_tensors = 1});

  SUBCASE("a part is missing") {
    std::filesystem::remove(paths[1]);
    check_error([&] { Checkpoint::open(paths[0]); }, Errc::kIo,
                {paths[1].string() + ": ", "part 2 of 3", "missing", paths[0].string()});
    check_error([&] { Checkpoint::open(paths[2]); }, Errc::kIo, {paths[1].string() + ": "});
  }
  SUBCASE("a part has another name than its metadata says") {
    std::filesystem::rename(paths[0], folder.file("renamed.gguf"));
    check_error([&] { Checkpoint::open(folder.file("renamed.gguf")); }, Errc::kCorrupt,
                {"renamed.gguf", "part 1 of 3", "-00001-of-00003.gguf"});
  }
  SUBCASE("a part lies where another belongs") {
    std::filesystem::copy_file(paths[2], paths[1], std::filesystem::copy_options::overwrite_existing);
    check_error([&] { Checkpoint::open(paths[0]); }, Errc::kCorrupt, {paths[1].string(), "part 2 of 3"});
  }
  SUBCASE("a part is of no split model") {
    GgufWriter().write(paths[1]);
    check_error([&] { Checkpoint::open(paths[0]); }, Errc::kCorrupt, {paths[1].string(), "part 2 of 3"});
  }
  SUBCASE("a part is cut short") {
    std::filesystem::resize_file(paths[1], 40);
    check_error([&] { Checkpoint::open(paths[0]); }, Errc::kCorrupt, {paths[1].string() + ": byte "});
  }
  SUBCASE("the parts hold another number of tensors than the first says") {
    Bytes first = test::read_file(paths[0]);
    Bytes const key = text_bytes("split.tensors.count");
    auto const found = std::ranges::search(first, key);
    REQUIRE(!found.empty());
    found.end()[4] = std::byte{9};  // after the value's type
    test::write_file(paths[0], first);
    check_error([&] { Checkpoint::open(paths[0]); }, Errc::kCorrupt,
                {paths[0].string(), "split.tensors.count", "9", "3"});
  }
  SUBCASE("two parts hold a tensor of the same name") {
    Bytes second = test::read_file(paths[1]);
    auto const found = std::ranges::search(second, text_bytes("t1"));
    REQUIRE(!found.empty());
    found.begin()[1] = std::byte{'0'};
    test::write_file(paths[1], second);
    check_error([&] { Checkpoint::open(paths[2]); }, Errc::kCorrupt, {paths[2].string(), "'t0'", "twice"});
  }
  SUBCASE("in memory") {
    Bytes const bytes = test::read_file(paths[1]);
    check_error([&] { open_bytes(bytes, "embedded"); }, Errc::kUnsupported, {"embedded", "part 2 of 3"});
  }
  SUBCASE("number past the count") {
    MetadataBuilder metadata;
    metadata.set("split.no", std::uint16_t{3}).set("split.count", std::uint16_t{3});
    check_error([&] { (void)detail::split_part(metadata.build("file")); }, Errc::kCorrupt,
                {"file", "split.no", "3 of 3"});
    MetadataBuilder lonely;
    lonely.set("split.count", std::uint16_t{3});
    check_error([&] { (void)detail::split_part(lonely.build("file")); }, Errc::kMissing, {"file", "split.no"});
  }
}
