// quantize: writes a model with its matrices in another format, exactly as --convert converts them at load.
//
//   quantize -m model-F16.gguf -o model-Q4_0.gguf --format Q4_0
#include <filesystem>
#include <optional>
#include <string>

#include "common/engine_options.hpp"
#include "common/rewrite_model.hpp"

int main(int argc, char** argv) {
  examples::CommandLine line("quantize",
                             "Writes a model with its matrices in another format, as --convert makes them at load.");
  examples::EngineOptions engine;
  std::filesystem::path output;
  std::optional<lamina::Format> format;
  line.add_text("-m, --model", "FILE", "GGUF or llama2.c file (required)", engine.model);
  engine.add_threads_to(line);
  line.add_text("-o, --output", "FILE", "the GGUF file to write (required)", output);
  examples::add_format_to(line, "--format", "F32, F16, BF16, Q8_0, Q6_K, Q4_K or Q4_0 (required)", format);

  return examples::run_program(line, argc, argv, [&] {
    if (output.empty()) throw examples::UsageError("no output: give it with -o FILE");
    if (!format) throw examples::UsageError("no format: give one with --format FORMAT");
    examples::rewrite_model(examples::open_checkpoint(engine), output, {.format = format}, engine.threads);
  });
}
