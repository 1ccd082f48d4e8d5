// Packing: the inverse gives back GGUF's bytes, conversion equals quantizing the dequantized rows, bad sizes are
// errors.
#include "lamina/quant/packed_matrix.hpp"

#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <random>
#include <string_view>
#include <vector>

#include "lamina/io/gguf_reader.hpp"

#include "doctest/doctest.h"

using namespace lamina;

namespace {

std::vector<std::byte> random_bytes(std::size_t n) {
  std::mt19937 random(7);
  std::vector<std::byte> bytes(n);
  for (auto& b : bytes) b = static_cast<std::byte>(random() & 0xff);
  return bytes;
}

}  // namespace

TEST_CASE("unpacking gives back the stored bytes, whatever the number of rows") {
  ThreadPool pool(3);
  for (FormatTraits const& t : kFormats) {
    for (std::size_t const rows : {1u, 15u, 16u, 17u, 48u}) {
      std::size_t const cols = round_up(96, t.block);
      auto const bytes = random_bytes(rows * row_bytes(t.format, cols));
      auto const packed = pack_matrix(t.format, bytes, rows, cols, t.format, pool);
      CHECK(packed.view().rows == rows);
      CHECK(packed.view().cols == cols);
      CHECK(packed.view().panels() == (rows + 15) / 16);
      CHECK(packed.view().bytes() == packed.view().panels() * (cols / t.block) * t.panel_block_bytes);
      CHECK(reinterpret_cast<std::uintptr_t>(packed.view().data) % 64 == 0);
      std::vector<std::byte> out(bytes.size());
      unpack_matrix(packed.view(), out);
      CHECK(out == bytes);
    }
  }
}

TEST_CASE("matrices in an arena lie side by side; without room in it they have memory of their own") {
  Serial serial;
  auto const bytes = random_bytes(48 * 18);
  auto const pack = [&](Arena* arena) {
    return pack_matrix(Format::kQ4_0, bytes, 48, 32, Format::kQ4_0, serial, arena);
  };
  std::size_t const size = Arena::bytes_for<std::byte>(pack(nullptr).view().bytes());
  Arena arena(2 * size);
  std::vector<PackedMatrix> packed;
  for (std::size_t i = 0; i < 3; ++i) packed.push_back(pack(&arena));
  CHECK(arena.room() == 0);
  CHECK(packed[1].view().data == packed[0].view().data + size);
  auto const* const end = packed[1].view().data + size;
  CHECK_FALSE((packed[2].view().data >= packed[0].view().data && packed[2].view().data < end));
  for (PackedMatrix& matrix : packed) {
    CHECK(matrix.data() == matrix.view().data);
    std::vector<std::byte> out(bytes.size());
    unpack_matrix(matrix.view(), out);
    CHECK(out == bytes);
  }
}

TEST_CASE("a host's executor that has no hint of its threads packs, too") {
  HostExecutor host(0, [](std::size_t n, TaskRef task) { Serial{}.run(n, task); });
  auto const bytes = random_bytes(48 * 18);
  auto const packed = pack_matrix(Format::kQ4_0, bytes, 48, 32, Format::kQ4_0, host);
  std::vector<std::byte> out(bytes.size());
  unpack_matrix(packed.view(), out);
  CHECK(out == bytes);
}

TEST_CASE("a Q4_0 panel block has the layout that kernels read") {
  Serial serial;
  auto const bytes = random_bytes(16 * 18);
  auto const packed = pack_matrix(Format::kQ4_0, bytes, 16, 32, Format::kQ4_0, serial);
  for (std::size_t row = 0; row < 16; ++row) {
    CHECK(std::memcmp(packed.view().data + 2 * row, &bytes[18 * row], 2) == 0);
    for (std::size_t i = 0; i < 16; ++i) {
      CHECK(packed.view().data[32 + 64 * (i / 4) + 4 * row + i % 4] == bytes[18 * row + 2 + i]);
    }
  }
}

TEST_CASE("conversion at load equals quantizing the dequantized rows") {
  Serial serial;
  // Part of a piece, a piece and a part, two pieces.
  for (std::size_t const cols : {64u, 288u, 512u}) {
    std::size_t const rows = 19;
    std::mt19937 random(3);
    std::normal_distribution<float> normal;
    std::vector<float> weights(rows * cols);
    for (auto& w : weights) w = normal(random);
    for (FormatTraits const& from : kFormats) {
      if (cols % from.block != 0) continue;
      // The same weights, stored as `from`.
      auto const stored_matrix =
          pack_matrix(Format::kF32, std::as_bytes(std::span(weights)), rows, cols, from.format, serial);
      std::vector<std::byte> stored(rows * row_bytes(from.format, cols));
      unpack_matrix(stored_matrix.view(), stored);
      for (FormatTraits const& to : kFormats) {
        if (cols % to.block != 0) continue;
        auto const packed = pack_matrix(from.format, stored, rows, cols, to.format, serial);
        CHECK(packed.view().format == to.format);
        std::vector<std::byte> out(rows * row_bytes(to.format, cols));
        unpack_matrix(packed.view(), out);
        std::vector<std::byte> expected(out.size());
        visit_format(from.format, [&]<WeightFormat F>() {
          visit_format(to.format, [&]<WeightFormat T>() {
            auto const* in = reinterpret_cast<typename F::Block const*>(stored.data());
            std::vector<float> floats(rows * cols);
            for (std::size_t i = 0; i < floats.size(); i += F::kBlock) F::dequantize(in[i / F::kBlock], &floats[i]);
            auto* result = reinterpret_cast<typename T::Block*>(expected.data());
            for (std::size_t i = 0; i < floats.size(); i += T::kBlock) T::quantize(&floats[i], result[i / T::kBlock]);
          });
        });
        if (from.format == to.format) expected = stored;
        CHECK(out == expected);
      }
    }
  }
}

TEST_CASE("panels are laid out as packed files have them") {
  // A new hash makes the packed files of today unreadable: it needs a new layout number.
  CHECK(detail::kPanelLayout == 1);
  std::map<Format, std::uint64_t> const hashes{
      {Format::kF32, 0x77c4028e940ae2a1},  {Format::kF16, 0x8670eac09175d0e1},  {Format::kBF16, 0x8670eac09175d0e1},
      {Format::kQ8_0, 0x77543d7b093e8a4c}, {Format::kQ4_0, 0xe305c4e907dfe549}, {Format::kQ6_K, 0x8633ad0927bac0c0},
      {Format::kQ4_K, 0xbf647826f9c9b7fc},
  };
  Serial serial;
  for (FormatTraits const& t : kFormats) {
    CAPTURE(t.name);
    std::size_t const rows = 17, cols = 512;
    auto const stored = random_bytes(rows * row_bytes(t.format, cols));
    auto const packed = pack_matrix(t.format, stored, rows, cols, t.format, serial);
    std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
    for (std::size_t i = 0; i < packed.view().bytes(); ++i) {
      hash = (hash ^ static_cast<std::uint64_t>(packed.view().data[i])) * 0x100000001b3u;
    }
    CHECK(hash == hashes.at(t.format));
  }
}

TEST_CASE("conversion refuses weights that are not finite, or would not be") {
  ThreadPool pool(3);
  std::size_t const rows = 40, cols = 512;
  auto const check_refused = [&](Format from, std::span<std::byte const> bytes, Format to, std::string_view row) {
    CAPTURE(traits(to).name);
    try {
      pack_matrix(from, bytes, rows, cols, to, pool);
      FAIL_CHECK("no error");
    } catch (Error const& e) {
      CHECK(e.code() == Errc::kNotFinite);
      CHECK(std::string_view(e.what()).starts_with(row));
    }
  };
  float const infinity = std::numeric_limits<float>::infinity();
  for (float const bad : {std::numeric_limits<float>::quiet_NaN(), -infinity, 1e7F}) {
    std::vector<float> weights(rows * cols, 0.5F);
    weights[21 * cols + 300] = weights[37 * cols] = bad;
    auto const bytes = std::as_bytes(std::span(weights));
    CHECK_NOTHROW(pack_matrix(Format::kF32, bytes, rows, cols, Format::kF32, pool));
    for (Format const to : {Format::kF16, Format::kQ8_0, Format::kQ4_0})
      check_refused(Format::kF32, bytes, to, "row 21 ");
    for (Format const to : {Format::kBF16, Format::kQ6_K, Format::kQ4_K}) {
      if (bad == 1e7F) {
        CHECK_NOTHROW(pack_matrix(Format::kF32, bytes, rows, cols, to, pool));
      } else {
        check_refused(Format::kF32, bytes, to, "row 21 ");
      }
    }
  }
  // As the scale of a block that is quantized already, too; kept as it is, it reaches the logits.
  std::vector<std::byte> stored(rows * row_bytes(Format::kQ8_0, cols));
  Half const scale = to_half(infinity);
  std::memcpy(&stored[5 * row_bytes(Format::kQ8_0, cols)], &scale, sizeof scale);
  CHECK_NOTHROW(pack_matrix(Format::kQ8_0, stored, rows, cols, Format::kQ8_0, pool));
  stored[5 * row_bytes(Format::kQ8_0, cols) + 2] = std::byte{1};
  for (FormatTraits const& to : kFormats) {
    if (to.format != Format::kQ8_0) check_refused(Format::kQ8_0, stored, to.format, "row 5 ");
  }
}

TEST_CASE("sizes that disagree are errors") {
  Serial serial;
  std::vector<std::byte> const bytes(18 * 16);
  auto const pack = [&](std::size_t rows, std::size_t cols, Format to) {
    return pack_matrix(Format::kQ4_0, bytes, rows, cols, to, serial);
  };
  CHECK_NOTHROW(pack(16, 32, Format::kF16));
  CHECK_THROWS_AS(pack(15, 32, Format::kQ4_0), Error);
  CHECK_THROWS_AS(pack(16, 33, Format::kF16), Error);
  CHECK_THROWS_AS(pack(16, 16, Format::kF16), Error);
  CHECK_THROWS_AS(pack(0, 32, Format::kQ4_0), Error);
  CHECK_THROWS_AS(pack(std::size_t{1} << 60, std::size_t{1} << 30, Format::kQ4_0), Error);
}
