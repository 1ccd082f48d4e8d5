// logits: the model's output for given tokens, as raw floats, to compare with other engines.
//
//   logits -m model.gguf --ids "1 403 407" -o out.f32      # float32 [n_tokens, n_vocab], row major
#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "common/engine_options.hpp"
#include "lamina/cache/contiguous_cache.hpp"

using namespace lamina;

static_assert(std::endian::native == std::endian::little, "the file is little endian");

namespace {

struct CloseFile {
  void operator()(std::FILE* f) const { std::fclose(f); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

[[noreturn]] void fail_io(std::string const& path) { fail(Errc::kIo, path, ": ", std::strerror(errno)); }

}  // namespace

int main(int argc, char** argv) {
  examples::CommandLine line(
      "logits", "Writes the logits at each token as float32 [n_tokens, n_vocab], row major. The KV cache is float32.");
  examples::EngineOptions engine;
  std::vector<Token> ids;
  std::string path;
  engine.add_to(line);
  line.add("--ids", "IDS", "token ids, separated by spaces (required)",
           [&](std::string const& v) { ids = examples::parse_ids(v); });
  line.add_text("-o, --output", "FILE", "the file to write (required)", path);

  return examples::run_program(line, argc, argv, [&] {
    if (ids.empty()) throw examples::UsageError("no tokens: give them with --ids \"1 2 3\"");
    if (path.empty()) throw examples::UsageError("no output: give it with -o FILE");
    auto const checkpoint = examples::open_checkpoint(engine);
    auto const any_model = examples::load_model(checkpoint, engine);

    any_model.visit([&](auto const& model) {
      // Up to 64 rows of logits at a time: 33 MB at 128 k tokens of vocabulary.
      std::size_t const chunk = std::min({engine.session.prefill_chunk, ids.size(), std::size_t{64}});
      SessionOptions options = engine.session;
      options.prefill_chunk = chunk;
      options.max_logits = chunk;
      if (options.capacity == 0) options.capacity = std::max(ids.size(), std::size_t{1});
      // Keys and values in float32, as exact as the weights: this program is for comparison, not for speed.
      using Cache = ContiguousCache<KvElement::kF32>;
      Session<std::remove_cvref_t<decltype(model)>, Cache> session(model, options);
      File file;  // opened when there is something to write: a file that is there outlives a wrong command line
      for (std::size_t done = 0; done < ids.size(); done += chunk) {
        auto const part = std::span(ids).subspan(done, std::min(chunk, ids.size() - done));
        Logits const logits = session.evaluate(part);
        if (!file) file.reset(std::fopen(path.c_str(), "wb"));
        if (!file) fail_io(path);
        for (std::size_t r = 0; r < logits.rows; ++r) {
          auto const row = logits.row(r);
          if (std::fwrite(row.data(), sizeof(float), row.size(), file.get()) != row.size()) fail_io(path);
        }
      }
      if (std::fclose(file.release()) != 0) fail_io(path);
    });
  });
}
