// embed_in_app: lamina as a guest of a program that has its own thread pool, logger and way to cancel.
//
//   embed_in_app -m model.gguf
//
// One model serves two sessions in two of the program's threads; its matrix products run on the program's pool. The
// second session is cancelled by the program after a while. All output is the program's.
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <functional>
#include <memory>
#include <mutex>
#include <queue>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/engine_options.hpp"
#include "lamina/decode/generate_text.hpp"
#include "lamina/model/llama.hpp"
#include "lamina/model/model.hpp"

using namespace lamina;

namespace app {

/// The program's logger: whole lines, from any thread.
class Logger {
 public:
  void line(std::string_view who, std::string_view text) {
    std::scoped_lock const lock(mutex_);
    std::printf("[%.*s] %.*s\n", static_cast<int>(who.size()), who.data(), static_cast<int>(text.size()), text.data());
    std::fflush(stdout);
  }

 private:
  std::mutex mutex_;
};

/// The program's thread pool: a queue of jobs, whoever they come from.
class Pool {
 public:
  explicit Pool(std::size_t n_threads) {
    for (std::size_t i = 0; i < n_threads; ++i) {
      threads_.emplace_back([this](std::stop_token const& stop) { work(stop); });
    }
  }

  void submit(std::function<void()> job) {
    {
      std::scoped_lock const lock(mutex_);
      jobs_.push(std::move(job));
    }
    ready_.notify_one();
  }

 private:
  void work(std::stop_token const& stop) {
    std::unique_lock lock(mutex_);
    while (ready_.wait(lock, stop, [this] { return !jobs_.empty(); })) {
      auto const job = std::move(jobs_.front());
      jobs_.pop();
      lock.unlock();
      job();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable_any ready_;
  std::queue<std::function<void()>> jobs_;
  std::vector<std::jthread> threads_;
};

/// The pool as lamina's executor: helpers from the pool and the caller take tasks until none is left. The caller does
/// not wait for helpers that come late: the last of them frees the shared state.
auto parallel_for(Pool& pool, std::size_t helpers) {
  return [&pool, helpers](std::size_t n, TaskRef task) {
    struct Run {
      TaskRef task;
      std::size_t n;
      std::atomic<std::size_t> next = 0;
      std::atomic<std::size_t> done = 0;

      void work() {
        for (std::size_t i = next++; i < n; i = next++) {
          task(i);
          if (++done == n) done.notify_all();
        }
      }
    };
    if (n == 0) return;
    auto const run = std::make_shared<Run>(task, n);
    for (std::size_t i = 0; i < std::min(helpers, n - 1); ++i) pool.submit([run] { run->work(); });
    run->work();
    for (std::size_t done = run->done; done != n; done = run->done) run->done.wait(done);
  };
}

}  // namespace app

int main(int argc, char** argv) {
  examples::CommandLine line("embed_in_app", "Two conversations on one model, in a host's threads and thread pool.");
  examples::EngineOptions engine;
  engine.add_to(line);

  return examples::run_program(line, argc, argv, [&] {
    app::Logger log;
    app::Pool pool(engine.threads);
    HostExecutor executor(engine.threads, app::parallel_for(pool, engine.threads - 1));

    auto const checkpoint = examples::open_checkpoint(engine);
    auto const tokenizer = examples::open_tokenizer(checkpoint, engine);
    using Backend = Cpu<decltype(executor)>;
    using Engine = Model<Llama, quant::AsStored, Backend>;
    Backend const backend(executor, engine.kernels ? *engine.kernels : best_kernels());
    LoadOptions load;
    load.convert = engine.convert;
    load.progress = [&, shown = 0](std::size_t done, std::size_t total) mutable {
      if (int const tenth = static_cast<int>(10 * done / total); std::exchange(shown, tenth) != tenth) {
        log.line("load", std::to_string(10 * tenth) + " %");
      }
    };
    Engine const model = Engine::load(checkpoint, load, backend);

    std::atomic<bool> failed = false;
    // The model is immutable and cheap to copy; each session has a cache of its own.
    auto const talk = [&](std::string const& name, std::string_view prompt, std::stop_token const& cancel,
                          std::function<void(std::size_t)> const& on_piece) {
      try {
        Session session(model, engine.session);
        std::string text(prompt);
        std::size_t pieces = 0;
        auto const result = generate_text(session, tokenizer, prompt, top_k(40) | temperature(0.8F) | draw(7),
                                          {.max_tokens = 60, .cancel = cancel}, [&](std::string_view piece) {
                                            text += piece;
                                            on_piece(++pieces);
                                          });
        log.line(name, text);
        log.line(name, "ended by: " + std::string(to_string(result.finish)));
      } catch (Error const& e) {
        log.line(name, std::string("failed: ") + e.what());
        failed = true;
      }
    };

    std::stop_source cancel_second;
    std::jthread first([&] { talk("first", "Once upon a time", {}, [](std::size_t) {}); });
    std::jthread second([&] {
      talk("second", "The little dog", cancel_second.get_token(), [&](std::size_t pieces) {
        if (pieces == 20) cancel_second.request_stop();  // any thread may do this
      });
    });
    first.join();
    second.join();
    if (failed) throw std::runtime_error("a conversation failed");
  });
}
