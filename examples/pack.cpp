// pack: writes a model as lamina keeps it in memory, so that it opens at once and shares its memory among processes.
//
//   pack model.gguf model-packed.gguf [--convert Q4_K]
#include <filesystem>
#include <string>

#include "common/engine_options.hpp"
#include "common/rewrite_model.hpp"

int main(int argc, char** argv) {
  examples::CommandLine line("pack",
                             "Writes a GGUF file whose matrices are packed for lamina's kernels: they are mapped, not "
                             "read, when it is opened. Other programs cannot read it.");
  examples::EngineOptions engine;
  std::filesystem::path output;
  line.add_argument("IN", "GGUF or llama2.c file", [&](std::string const& path) { engine.model = path; });
  line.add_argument("OUT", "the file to write", [&](std::string const& path) { output = path; });
  engine.add_all_but_files_to(line, "no matter here, as no model runs");

  return examples::run_program(line, argc, argv, [&] {
    examples::rewrite_model(examples::open_checkpoint(engine), output, {.format = engine.convert, .packed = true},
                            engine.threads);
  });
}
