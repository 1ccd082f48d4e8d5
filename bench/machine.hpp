// What this machine can do at most: read bandwidth and the arithmetic peak of each instruction set, measured here and
// now. Every share that the benchmarks print is a share of one of these.
//
// Speed drifts by some 20 % between runs on shared machines, so a share only counts where limit and figure were
// measured in one run.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lamina/core/function_ref.hpp"
#include "lamina/kernels/kernel_table.hpp"

namespace lamina::bench {

/// "AMD EPYC 9R14, 2 threads", as far as the system tells.
std::string machine_name();

/// Starts n_threads threads, lets all begin work(thread) at once, and returns the seconds until the last one is done.
double timed_on_threads(std::size_t n_threads, FunctionRef<void(std::size_t)> work);

/// Repeated measurements of one figure.
class Samples {
 public:
  void add(double value) { values_.push_back(value); }
  [[nodiscard]] std::size_t size() const noexcept { return values_.size(); }
  [[nodiscard]] bool empty() const noexcept { return values_.empty(); }
  /// In the order in which they were added.
  [[nodiscard]] double operator[](std::size_t i) const { return values_[i]; }
  /// Precondition of the three: not empty.
  [[nodiscard]] double median() const {
    std::vector<double> sorted = values_;
    std::ranges::sort(sorted);
    return (sorted[(sorted.size() - 1) / 2] + sorted[sorted.size() / 2]) / 2;
  }
  [[nodiscard]] double min() const { return std::ranges::min(values_); }
  [[nodiscard]] double max() const { return std::ranges::max(values_); }

 private:
  std::vector<double> values_;
};

/// The best of several ways to read memory.
struct ReadBandwidth {
  Samples bytes_per_second;
  std::string_view pattern;  // which way won
};

/// Reads buffers that no cache holds, with n_threads threads, one contiguous part each: by a plain loop; as 1, 2, 4 and
/// 8 streams of wide loads, without prefetches, with those of lines further on, or of the first lines of pages; on
/// pages of 4 KiB and on huge pages where the system gives them.
///
/// On a shared machine bandwidth halves and doubles within seconds. So each way is sampled many times, in turn with
/// what is set against it, and the way with the highest median is the limit, at each moment by its samples around it.
class ReadMeter {
 public:
  /// Allocates two buffers of `bytes` each and touches them.
  explicit ReadMeter(std::size_t n_threads, std::size_t bytes = std::size_t{256} << 20);

  /// Reads a buffer in every way once: 20 times 256 MiB, some 0.2 s.
  void sample();
  [[nodiscard]] std::size_t samples() const noexcept { return ways_.front().bytes_per_second.size(); }
  /// Precondition: sample() was called.
  [[nodiscard]] ReadBandwidth const& best() const;

 private:
  struct Unmap {
    std::size_t bytes;
    void operator()(std::byte* p) const noexcept;
  };
  using Buffer = std::unique_ptr<std::byte, Unmap>;
  static Buffer map_buffer(std::size_t bytes, bool huge_pages);

  std::size_t n_threads_;
  std::size_t bytes_;
  std::array<Buffer, 2> buffers_;    // on small pages, on huge pages
  std::vector<ReadBandwidth> ways_;  // every pattern on each of them
};

/// Multiplications and additions of 8-bit integers per second (two per multiply-add), by the instructions that the
/// target's kernels would use: pmaddubsw + paddw, vpdpbusd, smull + sadalp, sdot, smmla. 0 where the target has no peak
/// of its own (kReference) or the CPU lacks it.
double measure_integer_peak(Target target, std::size_t n_threads);

/// Multiplications and additions of floats per second (two per FMA; mulps + addps on kSse4). 0 as above.
double measure_float_peak(Target target, std::size_t n_threads);

/// The limits above, each measured when first asked for and then kept: what bench/kernels divides by.
class Limits {
 public:
  double read_bandwidth(std::size_t n_threads);
  double integer_peak(Target target, std::size_t n_threads);
  double float_peak(Target target, std::size_t n_threads);

 private:
  using Key = std::pair<Target, std::size_t>;
  std::map<std::size_t, double> bandwidth_;
  std::map<Key, double> integer_;
  std::map<Key, double> float_;
};

}  // namespace lamina::bench
