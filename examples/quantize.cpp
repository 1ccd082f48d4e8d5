// quantize: writes a model with its matrices in another format, exactly as --convert converts them at load.
//
//   quantize -m model-F16.gguf -o model-Q4_0.gguf --format Q4_0
#include <filesystem>
#include <string>

#include "common/engine_options.hpp"
#include "common/rewrite_model.hpp"

int main(int argc, char** argv) {
  examples::CommandLine line("quantize",
                             "Writes a model with its matrices in another format, as --convert makes them at load.");
  examples::EngineOptions engine;
  std::filesystem::path output;
  line.add_text("-m, --model", "FILE", "GGUF or llama2.c file (required)", engine.model);
  line.add_text("-o, --output", "FILE", "the GGUF file to write (required)", output);
  engine.add_all_but_files_to(line, "no matter here, as no model runs", "--format, --convert");

  return examples::run_program(line, argc, argv, [&] {
    if (output.empty()) throw examples::UsageError("no output: give it with -o FILE");
    if (!engine.convert) throw examples::UsageError("no format: give one with --format FORMAT");
    examples::rewrite_model(examples::open_checkpoint(engine), output, {.format = engine.convert}, engine.threads);
  });
}
