// Read bandwidth: the patterns, and the meter that tries them.
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstring>
#include <fstream>
#include <new>
#include <thread>
#include <vector>

#include "bench/machine.hpp"
#include "lamina/core/aligned.hpp"
#include "lamina/kernels/cpu.hpp"

#if defined(__x86_64__)
#define LAMINA_BENCH_WIDE __attribute__((target("avx2")))
#else
#define LAMINA_BENCH_WIDE
#endif

namespace lamina::bench {
namespace {

using Clock = std::chrono::steady_clock;

/// Four words that are read with one load of 32 bytes, or two of 16.
using Words __attribute__((vector_size(32), aligned(32), may_alias)) = std::uint64_t;

/// Where sums go, so that no compiler drops the reads.
std::atomic<std::uint64_t> sink;

/// Reads of all patterns cover multiples of this many bytes: 8 streams of whole pages.
constexpr std::size_t kUnit = 8 * kPageBytes;

using ReadFunction = std::uint64_t (*)(std::byte const* data, std::size_t bytes);

/// What anybody would write.
std::uint64_t read_plain(std::byte const* data, std::size_t bytes) {
  auto const* words = reinterpret_cast<std::uint64_t const*>(data);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < bytes / 8; ++i) sum += words[i];
  return sum;
}

/// `kStreams` streams in lockstep, a cache line each in turn. kPrefetch: bytes that prefetches run ahead, 0 for none.
template <std::size_t kStreams, std::size_t kPrefetch>
LAMINA_BENCH_WIDE std::uint64_t read_wide(std::byte const* data, std::size_t bytes) {
  std::size_t const stream_bytes = bytes / kStreams;
  Words sums[2] = {};
  for (std::size_t at = 0; at < stream_bytes; at += 64) {
    for (std::size_t s = 0; s < kStreams; ++s) {
      std::byte const* const line = data + s * stream_bytes + at;
      if constexpr (kPrefetch != 0) __builtin_prefetch(line + kPrefetch, 0, 3);
      sums[0] += reinterpret_cast<Words const*>(line)[0];
      sums[1] += reinterpret_cast<Words const*>(line)[1];
    }
  }
  Words const sum = sums[0] + sums[1];
  return sum[0] + sum[1] + sum[2] + sum[3];
}

/// `kStreams` streams in lockstep, four cache lines each in turn. Of each page, the first line is asked for while the
/// stream is four pages before it: hardware follows a stream to the end of a page and begins anew in the next.
template <std::size_t kStreams>
LAMINA_BENCH_WIDE std::uint64_t read_pages(std::byte const* data, std::size_t bytes) {
  constexpr std::size_t kLines = 4;
  std::size_t const stream_bytes = bytes / kStreams;
  Words sums[2] = {};
  for (std::size_t at = 0; at < stream_bytes; at += kLines * 64) {
    for (std::size_t s = 0; s < kStreams; ++s) {
      std::byte const* const lines = data + s * stream_bytes + at;
      if (at % kPageBytes == 0) __builtin_prefetch(lines + 4 * kPageBytes, 0, 2);
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kLines; ++i) {
        sums[0] += reinterpret_cast<Words const*>(lines + 64 * i)[0];
        sums[1] += reinterpret_cast<Words const*>(lines + 64 * i)[1];
      }
    }
  }
  Words const sum = sums[0] + sums[1];
  return sum[0] + sum[1] + sum[2] + sum[3];
}

struct Pattern {
  std::string_view name;
  ReadFunction read;
  bool wide;
};

constexpr std::array kPatterns{
    Pattern{"plain loop", read_plain, false},
    Pattern{"1 stream a thread", read_wide<1, 0>, true},
    Pattern{"1 stream a thread, prefetch 1 KiB ahead", read_wide<1, 1024>, true},
    Pattern{"1 stream a thread, prefetch 4 KiB ahead", read_wide<1, 4096>, true},
    Pattern{"2 streams a thread", read_wide<2, 0>, true},
    Pattern{"2 streams a thread, prefetch 1 KiB ahead", read_wide<2, 1024>, true},
    Pattern{"4 streams a thread", read_wide<4, 0>, true},
    Pattern{"1 stream a thread, next pages begun", read_pages<1>, true},
    Pattern{"2 streams a thread, next pages begun", read_pages<2>, true},
    Pattern{"8 streams a thread", read_wide<8, 0>, true},
};

bool can_run(Pattern const& pattern) {
#if defined(__x86_64__)
  return !pattern.wide || detail::cpu_supports(Target::kAvx2);
#else
  return true || pattern.wide;
#endif
}

}  // namespace

std::string machine_name() {
  std::string name = "unknown CPU";
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) {
      name = line.substr(std::min(line.size(), line.find(':') + 2));
      break;
    }
  }
  return name + ", " + std::to_string(std::thread::hardware_concurrency()) + " threads";
}

double timed_on_threads(std::size_t n_threads, FunctionRef<void(std::size_t)> work) {
  std::barrier start(static_cast<std::ptrdiff_t>(n_threads));
  std::vector<std::jthread> threads;
  for (std::size_t i = 1; i < n_threads; ++i) {
    threads.emplace_back([&start, &work, i] {
      start.arrive_and_wait();
      work(i);
    });
  }
  start.arrive_and_wait();
  auto const begin = Clock::now();
  work(0);
  threads.clear();  // joins
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

void ReadMeter::Unmap::operator()(std::byte* p) const noexcept { ::munmap(p, bytes); }

ReadMeter::Buffer ReadMeter::map_buffer(std::size_t bytes, bool huge_pages) {
  void* const p = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) throw std::bad_alloc();
  // A refusal is no error: the buffer then repeats the measurement on small pages.
  ::madvise(p, bytes, huge_pages ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  return Buffer(static_cast<std::byte*>(p), Unmap{bytes});
}

ReadMeter::ReadMeter(std::size_t n_threads, std::size_t bytes)
    : n_threads_(n_threads),
      bytes_(bytes / (n_threads * kUnit) * (n_threads * kUnit)),
      buffers_{map_buffer(bytes_, false), map_buffer(bytes_, true)} {
  std::size_t const part = bytes_ / n_threads;
  timed_on_threads(n_threads, [&](std::size_t thread) {
    for (Buffer const& buffer : buffers_) std::memset(buffer.get() + thread * part, 1, part);
  });
  for (std::size_t i = 0; i < buffers_.size(); ++i) {
    for (Pattern const& pattern : kPatterns) ways_.push_back({.bytes_per_second = {}, .pattern = pattern.name});
  }
}

void ReadMeter::sample() {
  std::size_t const part = bytes_ / n_threads_;
  for (std::size_t i = 0; i < ways_.size(); ++i) {
    Pattern const& pattern = kPatterns[i % kPatterns.size()];
    std::byte const* const buffer = buffers_[i / kPatterns.size()].get();
    if (!can_run(pattern)) continue;
    double const seconds = timed_on_threads(n_threads_, [&](std::size_t thread) {
      sink.fetch_add(pattern.read(buffer + thread * part, part), std::memory_order_relaxed);
    });
    ways_[i].bytes_per_second.add(static_cast<double>(bytes_) / seconds);
  }
}

ReadBandwidth const& ReadMeter::best() const {
  return *std::ranges::max_element(ways_, {}, [](ReadBandwidth const& way) {
    return way.bytes_per_second.empty() ? 0 : way.bytes_per_second.median();
  });
}

double Limits::read_bandwidth(std::size_t n_threads) {
  constexpr int kSamples = 7;
  auto [at, is_new] = bandwidth_.try_emplace(n_threads, 0.0);
  if (is_new) {
    ReadMeter meter(n_threads);
    for (int i = 0; i < kSamples; ++i) meter.sample();
    at->second = meter.best().bytes_per_second.median();
  }
  return at->second;
}

double Limits::integer_peak(Target target, std::size_t n_threads) {
  auto [at, is_new] = integer_.try_emplace({target, n_threads}, 0.0);
  if (is_new) at->second = measure_integer_peak(target, n_threads);
  return at->second;
}

double Limits::float_peak(Target target, std::size_t n_threads) {
  auto [at, is_new] = float_.try_emplace({target, n_threads}, 0.0);
  if (is_new) at->second = measure_float_peak(target, n_threads);
  return at->second;
}

}  // namespace lamina::bench
