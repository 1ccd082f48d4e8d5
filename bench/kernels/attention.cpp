// Attention: one token and a whole prompt against caches of different lengths, on the heads of a 1B model.
#include <array>
#include <cmath>
#include <cstring>

#include "bench/kernels/suite.hpp"
#include "bench/random_weights.hpp"
#include "lamina/core/aligned.hpp"
#include "lamina/kernels/dispatch.hpp"

namespace lamina::bench {
namespace {

constexpr std::size_t kGroup = kHeads / kKvHeads;
constexpr std::size_t kGroupDim = kGroup * kHeadDim;

/// New tokens after `past` tokens that the cache holds.
struct Span {
  std::size_t n_tokens;
  std::size_t past;
};
constexpr std::array kSpans{Span{1, 511},  Span{2, 511},  Span{4, 511}, Span{8, 511},
                            Span{32, 511}, Span{1, 8191}, Span{512, 0}, Span{512, 7680}};

std::string_view name_of(KvElement element) { return element == KvElement::kF16 ? "f16" : "f32"; }

/// The blocks of several layers' caches, enough of them that a layer is in no cache when its turn comes again.
class ColdCache {
 public:
  ColdCache(KvElement element, std::size_t n_tokens) {
    std::size_t const n_blocks = div_ceil(n_tokens, kKvBlock);
    std::size_t const half_bytes = kHeadDim * kKvBlock * size_of(element);
    std::size_t const layer_bytes = kKvHeads * n_blocks * 2 * half_bytes;
    n_layers_ = div_ceil(kColdBytes, layer_bytes);
    bytes_ = AlignedBuffer<std::byte>(n_layers_ * layer_bytes);
    RandomWeights(element == KvElement::kF16 ? Format::kF16 : Format::kF32, 0.0F, 1.0F, 1).next(bytes_.span());
    std::byte* at = bytes_.data();
    for (std::size_t i = 0; i < n_layers_ * kKvHeads * n_blocks; ++i, at += 2 * half_bytes) {
      blocks_.push_back({at, at + half_bytes});
    }
    blocks_per_head_ = n_blocks;
  }

  [[nodiscard]] std::size_t n_layers() const { return n_layers_; }
  [[nodiscard]] std::span<KvBlockRef const> blocks(std::size_t layer, std::size_t head) const {
    return std::span(blocks_).subspan((layer * kKvHeads + head) * blocks_per_head_, blocks_per_head_);
  }

 private:
  AlignedBuffer<std::byte> bytes_;
  std::vector<KvBlockRef> blocks_;
  std::size_t blocks_per_head_ = 0;
  std::size_t n_layers_ = 0;
};

Work work_of(KvElement element, Span span) {
  double pairs = 0;  // of query token and cached token
  for (std::size_t r = 0; r < span.n_tokens; ++r) pairs += static_cast<double>(span.past + r + 1);
  double const tokens = static_cast<double>(span.past + span.n_tokens);
  return {.bytes = tokens * static_cast<double>(kKvHeads * kHeadDim * 2 * size_of(element)),
          .float_ops = pairs * static_cast<double>(4 * kHeads * kHeadDim)};
}

/// One iteration is one layer: every head, a task for each KV head.
void run_attention(benchmark::State& state, Suite& suite, KernelTable const& kernels, KvElement element, Span span,
                   std::size_t n_threads) {
  ColdCache const cache(element, span.past + span.n_tokens);
  std::vector<float> const q = random_floats(span.n_tokens * kHeads * kHeadDim);
  std::vector<float> out(q.size());
  ThreadPool& pool = suite.pool(n_threads);
  std::size_t layer = 0;
  suite.time(state, work_of(element, span), kernels.target, n_threads, [&] {
    pool.run(kKvHeads, [&](std::size_t head) {
      AttendArgs args;
      args.element = element;
      args.head_dim = kHeadDim;
      args.group = kGroup;
      args.scale = 1.0F / std::sqrt(static_cast<float>(kHeadDim));
      args.q = {q.data() + head * kGroupDim, span.n_tokens, kGroupDim, kHeads * kHeadDim};
      args.out = {out.data() + head * kGroupDim, span.n_tokens, kGroupDim, kHeads * kHeadDim};
      args.first_position = span.past;
      args.blocks = cache.blocks(layer, head);
      kernels.attend(args);
    });
    layer = (layer + 1) % cache.n_layers();
  });
}

}  // namespace

void add_attention_benchmarks(Suite& suite) {
  for (KernelTable const* kernels : available_kernels()) {
    for (KvElement const element : {KvElement::kF32, KvElement::kF16}) {
      for (Span const span : kSpans) {
        bool const is_reference = kernels->target == Target::kReference;
        if (is_reference && span.past > 511 && span.n_tokens > 1) continue;  // half a minute a call
        for (std::size_t const n_threads : thread_counts()) {
          add("attend/" + std::string(kernels->name) + "/" + std::string(name_of(element)) +
                  part("tokens:", span.n_tokens) + part("past:", span.past) + part("threads:", n_threads),
              [&suite, kernels, element, span, n_threads](benchmark::State& state) {
                run_attention(state, suite, *kernels, element, span, n_threads);
              });
        }
      }
    }
  }
}

}  // namespace lamina::bench
