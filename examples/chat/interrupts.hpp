// Ctrl-C, without a handler: SIGINT is blocked, and a thread waits for it. During an answer it cancels that; at the
// prompt it wakes who waits for input.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <mutex>
#include <stop_token>
#include <thread>

namespace examples {

/// Make one before other threads are started: they inherit the blocked signal.
class Interrupts {
 public:
  Interrupts() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    opened_ = ::pipe2(pipe_, O_CLOEXEC | O_NONBLOCK) == 0;
    if (opened_) {
      for (int& end : pipe_) move_from_standard_streams(end);
    }
    waiter_ = std::thread([this] { wait(); });
  }
  ~Interrupts() {
    done_ = true;
    pthread_kill(waiter_.native_handle(), SIGINT);
    waiter_.join();
    if (!opened_) return;
    ::close(pipe_[0]);
    ::close(pipe_[1]);
  }
  Interrupts(Interrupts const&) = delete;
  Interrupts& operator=(Interrupts const&) = delete;

  /// As long as this lives, Ctrl-C triggers its token.
  class Answer {
   public:
    explicit Answer(Interrupts& interrupts) : interrupts_(interrupts) {
      std::scoped_lock const lock(interrupts_.mutex_);
      interrupts_.answer_ = std::stop_source();
      interrupts_.answering_ = true;
      cancel_ = interrupts_.answer_.get_token();
    }
    ~Answer() {
      std::scoped_lock const lock(interrupts_.mutex_);
      interrupts_.answering_ = false;
    }
    Answer(Answer const&) = delete;
    Answer& operator=(Answer const&) = delete;

    [[nodiscard]] std::stop_token const& cancel() const noexcept { return cancel_; }

   private:
    Interrupts& interrupts_;
    std::stop_token cancel_;
  };

  /// Waits until there is input on a file descriptor: true; or until Ctrl-C: false.
  bool wait_for_input(int fd) {
    pollfd files[2] = {{fd, POLLIN, 0}, {pipe_[0], POLLIN, 0}};
    while (::poll(files, opened_ ? 2 : 1, -1) < 0) {}
    return (files[1].revents & POLLIN) == 0;
  }

 private:
  /// Where the program was started with stdin closed, its number is free, and input is not to be awaited from here.
  static void move_from_standard_streams(int& fd) {
    if (fd > STDERR_FILENO) return;
    int const moved = ::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (moved < 0) return;
    ::close(fd);
    fd = moved;
  }

  void wait() {
    int signal = 0;
    while (sigwait(&signals_, &signal) == 0 && !done_) {
      std::scoped_lock const lock(mutex_);
      if (answering_) {
        answer_.request_stop();
      } else {
        char const byte = 0;
        static_cast<void>(::write(pipe_[1], &byte, 1) == 1);  // full: there is one already
      }
    }
  }

  sigset_t signals_{};
  int pipe_[2] = {-1, -1};
  bool opened_ = false;
  std::atomic<bool> done_ = false;
  std::mutex mutex_;
  std::stop_source answer_;
  bool answering_ = false;
  std::thread waiter_;
};

}  // namespace examples
