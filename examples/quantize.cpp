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
  engine.add_to(line, "no matter here, as no model runs");
  line.add_text("-o, --output", "FILE", "the GGUF file to write (required)", output);
  examples::add_format_to(line, "--format", "the same as --convert; one of them is required", engine.convert);

  return examples::run_program(line, argc, argv, [&] {
    if (output.empty()) throw examples::UsageError("no output: give it with -o FILE");
    if (!engine.convert) throw examples::UsageError("no format: give one with --format FORMAT");
    examples::rewrite_model(examples::open_checkpoint(engine), output, {.format = engine.convert}, engine.threads);
  });
}
