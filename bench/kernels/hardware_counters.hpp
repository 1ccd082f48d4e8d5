// The processor's own counts, through Linux's perf: cycles and instructions in user space, of this thread and of those
// that it starts afterwards. Where the machine has no such counters, or does not let us at them (virtual machines,
// kernel.perf_event_paranoid above 2), there are none.
#pragma once

#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace lamina::bench {

struct HardwareCounts {
  double cycles = 0;
  double instructions = 0;
};

class HardwareCounters {
 public:
  HardwareCounters() : files_{open(PERF_COUNT_HW_CPU_CYCLES), open(PERF_COUNT_HW_INSTRUCTIONS)} {}
  ~HardwareCounters() {
    for (int const file : files_) {
      if (file >= 0) ::close(file);
    }
  }
  HardwareCounters(HardwareCounters const&) = delete;
  HardwareCounters& operator=(HardwareCounters const&) = delete;

  /// Counts since construction; nothing where either cannot be read.
  [[nodiscard]] std::optional<HardwareCounts> read() const {
    auto const cycles = read(files_[0]);
    auto const instructions = read(files_[1]);
    if (!cycles || !instructions) return std::nullopt;
    return HardwareCounts{*cycles, *instructions};
  }

 private:
  static int open(std::uint64_t event) {
    perf_event_attr attributes{};
    attributes.size = sizeof attributes;
    attributes.type = PERF_TYPE_HARDWARE;
    attributes.config = event;
    attributes.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
    attributes.exclude_kernel = 1;
    attributes.exclude_hv = 1;
    attributes.inherit = 1;
    return static_cast<int>(::syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
  }

  /// Scaled up where the kernel let the counter run for a part of the time only.
  static std::optional<double> read(int file) {
    std::array<std::uint64_t, 3> values{};  // count, time enabled, time running
    if (file < 0 || ::read(file, values.data(), sizeof values) != sizeof values || values[2] == 0) return std::nullopt;
    return static_cast<double>(values[0]) * static_cast<double>(values[1]) / static_cast<double>(values[2]);
  }

  std::array<int, 2> files_;
};

}  // namespace lamina::bench
