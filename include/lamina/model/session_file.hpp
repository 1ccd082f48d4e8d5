// Sequences of a cache as bytes: copied from one cache to another, written to a file and read back.
//
// The file: a header (SessionHeader), the tokens, then for each layer and KV head the blocks in order of position, K
// then V. The blocks' layout is part of the numeric contract, so a file serves every cache of the same shape.
#pragma once

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "lamina/cache/kv_cache.hpp"
#include "lamina/core/error.hpp"
#include "lamina/core/mapped_file.hpp"
#include "lamina/core/numeric.hpp"
#include "lamina/core/token.hpp"

namespace lamina::inline v0_1::detail {

/// Little-endian, as the hosts that lamina runs on. Identifies the model by its shape.
struct SessionHeader {
  std::array<char, 8> magic = {'l', 'a', 'm', 'i', 'n', 'a', 'S', '\n'};
  std::uint32_t version = 1;
  std::uint32_t element = 0;  // KvElement
  std::uint64_t n_vocab = 0;
  std::uint64_t n_layers = 0;
  std::uint64_t n_kv_heads = 0;
  std::uint64_t head_dim = 0;
  std::uint64_t block = kKvBlock;
  std::uint64_t n_tokens = 0;
};
static_assert(std::is_trivially_copyable_v<SessionHeader> && sizeof(SessionHeader) == 64);

template <KvCache C>
SessionHeader session_header(C const& cache, std::size_t n_vocab, std::size_t n_tokens) {
  KvShape const& shape = cache.shape();
  SessionHeader header;
  header.element = static_cast<std::uint32_t>(cache.element());
  header.n_vocab = n_vocab;
  header.n_layers = shape.n_layers;
  header.n_kv_heads = shape.n_kv_heads;
  header.head_dim = shape.head_dim;
  header.n_tokens = n_tokens;
  return header;
}

/// Bytes of one block's K, or of its V.
template <KvCache C>
std::size_t half_block_bytes(C const& cache) noexcept {
  return kKvBlock * cache.shape().head_dim * size_of(cache.element());
}

/// f(layer, head, blocks) with the blocks of the first n_tokens tokens.
template <KvCache C, class F>
void for_each_block_list(C& cache, SequenceId s, std::size_t n_tokens, F const& f) {
  std::vector<KvBlockRef> refs(cache.max_blocks());
  for (std::size_t layer = 0; layer < cache.shape().n_layers; ++layer) {
    for (std::size_t head = 0; head < cache.shape().n_kv_heads; ++head) {
      f(layer, head, std::span<KvBlockRef const>(cache.blocks(s, layer, head, n_tokens, refs)));
    }
  }
}

/// Appends a sequence of one cache to an empty sequence of another of the same shape and element type.
template <KvCache C>
void copy_sequence(C& from, SequenceId source, C& to, SequenceId target) {
  std::size_t const n = from.length(source);
  std::size_t const bytes = half_block_bytes(from);
  std::vector<KvBlockRef> refs(to.max_blocks());
  to.reserve(target, n);
  for_each_block_list(from, source, n, [&](std::size_t layer, std::size_t head, std::span<KvBlockRef const> blocks) {
    auto const copies = to.blocks(target, layer, head, n, refs);
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      std::memcpy(copies[b].k, blocks[b].k, bytes);
      std::memcpy(copies[b].v, blocks[b].v, bytes);
    }
  });
  to.commit(target, n);
}

/// A file written in full or not at all, as far as the system's answers tell.
class SessionWriter {
 public:
  explicit SessionWriter(std::filesystem::path const& path) : path_(path), file_(std::fopen(path.c_str(), "wb")) {
    if (!file_) refuse("open");
  }
  void write(void const* data, std::size_t n) {
    if (n != 0 && std::fwrite(data, 1, n, file_.get()) != n) refuse("write");
  }
  void close() {
    if (std::fclose(file_.release()) != 0) refuse("write");
  }

 private:
  struct Close {
    void operator()(std::FILE* f) const noexcept { static_cast<void>(std::fclose(f)); }
  };
  [[noreturn]] void refuse(char const* what) const {
    fail(Errc::kIo, path_.string(), ": cannot ", what, ": ", std::strerror(errno));
  }
  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Close> file_;
};

template <KvCache C>
void save_sequence(std::filesystem::path const& path, C& cache, SequenceId s, std::span<Token const> tokens,
                   std::size_t n_vocab) {
  SessionHeader const header = session_header(cache, n_vocab, tokens.size());
  std::size_t const bytes = half_block_bytes(cache);
  SessionWriter out(path);
  out.write(&header, sizeof(header));
  out.write(tokens.data(), tokens.size_bytes());
  for_each_block_list(cache, s, tokens.size(), [&](std::size_t, std::size_t, std::span<KvBlockRef const> blocks) {
    for (KvBlockRef const& block : blocks) {
      out.write(block.k, bytes);
      out.write(block.v, bytes);
    }
  });
  out.close();
}

/// Checks that the header was written for this shape by this version, and that it speaks of the file's very size.
template <KvCache C>
SessionHeader check_session_header(std::string const& name, std::span<std::byte const> bytes, C const& cache,
                                   std::size_t n_vocab) {
  SessionHeader header;
  if (bytes.size() < sizeof(header)) fail(Errc::kCorrupt, name, ": too short for a session: ", bytes.size(), " bytes");
  std::memcpy(&header, bytes.data(), sizeof(header));
  SessionHeader const own = session_header(cache, n_vocab, 0);
  if (header.magic != own.magic) fail(Errc::kCorrupt, name, ": not a session file");
  if (header.version != own.version) fail(Errc::kUnsupported, name, ": session file of version ", header.version);
  auto const same = [&](char const* what, std::uint64_t found, std::uint64_t expected) {
    if (found != expected) {
      fail(Errc::kShape, name, ": session of another model: ", what, " ", found, ", expected ", expected);
    }
  };
  same("n_vocab", header.n_vocab, own.n_vocab);
  same("n_layers", header.n_layers, own.n_layers);
  same("n_kv_heads", header.n_kv_heads, own.n_kv_heads);
  same("head_dim", header.head_dim, own.head_dim);
  same("cache element", header.element, own.element);
  same("block", header.block, own.block);
  if (header.n_tokens > cache.capacity()) {
    fail(Errc::kContextFull, name, ": a session of ", header.n_tokens, " tokens, the cache holds ", cache.capacity());
  }
  // No overflow: a sequence of capacity() tokens has its place in memory.
  std::uint64_t const blocks =
      div_ceil(static_cast<std::size_t>(header.n_tokens), kKvBlock) * own.n_layers * own.n_kv_heads;
  std::uint64_t const size = sizeof(header) + header.n_tokens * sizeof(Token) + blocks * 2 * half_block_bytes(cache);
  if (size != bytes.size()) {
    fail(Errc::kCorrupt, name, ": ", bytes.size(), " bytes, a session of ", header.n_tokens, " tokens has ", size);
  }
  return header;
}

/// Fills an empty sequence and `tokens` from a file.
template <KvCache C>
void load_sequence(std::filesystem::path const& path, C& cache, SequenceId s, std::vector<Token>& tokens,
                   std::size_t n_vocab) {
  MappedFile const file(path);
  std::string const name = path.string();
  std::byte const* in = file.bytes().data();
  auto const n = static_cast<std::size_t>(check_session_header(name, file.bytes(), cache, n_vocab).n_tokens);
  in += sizeof(SessionHeader);
  tokens.resize(n);
  if (n != 0) std::memcpy(tokens.data(), in, n * sizeof(Token));
  in += n * sizeof(Token);
  for (std::size_t i = 0; i < n; ++i) {
    if (tokens[i] < 0 || static_cast<std::size_t>(tokens[i]) >= n_vocab) {
      fail(Errc::kCorrupt, name, ": token ", i, " is ", tokens[i], ", the vocabulary has ", n_vocab);
    }
  }
  std::size_t const bytes = half_block_bytes(cache);
  cache.reserve(s, n);
  for_each_block_list(cache, s, n, [&](std::size_t, std::size_t, std::span<KvBlockRef const> blocks) {
    for (KvBlockRef const& block : blocks) {
      std::memcpy(block.k, in, bytes);
      std::memcpy(block.v, in + bytes, bytes);
      in += 2 * bytes;
    }
  });
  cache.commit(s, n);
}

}  // namespace lamina::inline v0_1::detail
