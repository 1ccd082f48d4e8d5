// quantize: writes a model with its matrices in another format, exactly as --convert converts them at load.
//
//   quantize -m model-F16.gguf -o model-Q4_0.gguf --format Q4_0
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "common/engine_options.hpp"
#include "lamina/core/executor.hpp"
#include "lamina/io/gguf_writer.hpp"
#include "lamina/quant/packed_matrix.hpp"
#include "lamina/quant/quantizer.hpp"

using namespace lamina;

namespace {

/// What llama.cpp calls a file whose matrices have this format (llama.h, enum llama_ftype).
std::uint32_t file_type(Format format) {
  switch (format) {
    case Format::kF32: return 0;
    case Format::kF16: return 1;
    case Format::kQ4_0: return 2;
    case Format::kQ8_0: return 7;
    case Format::kQ4_K: return 14;  // MOSTLY_Q4_K_S: no matrix in Q6_K
    case Format::kQ6_K: return 18;
    case Format::kBF16: return 32;
  }
  fail(Errc::kUnsupported, "format ", traits(format).name, " has no file type");
}

std::vector<std::byte> convert(TensorInfo const& tensor, Format target, ThreadPool& pool) try {
  auto const cols = static_cast<std::size_t>(tensor.dims[0]);
  auto const rows = static_cast<std::size_t>(tensor.dims[1]);
  PackedMatrix const packed = pack_matrix(tensor.format, tensor.bytes, rows, cols, target, pool);
  std::vector<std::byte> out(rows * row_bytes(target, cols));
  unpack_matrix(packed.view(), out);
  return out;
} catch (std::bad_alloc const&) {
  fail(Errc::kInvalidArgument, "tensor '", tensor.name, "': no memory to convert it");
}

}  // namespace

int main(int argc, char** argv) {
  examples::CommandLine line("quantize",
                             "Writes a model with its matrices in another format, as --convert makes them at load.");
  examples::EngineOptions engine;
  std::filesystem::path output;
  std::optional<Format> format;
  line.add_text("-m, --model", "FILE", "GGUF or llama2.c file (required)", engine.model);
  engine.add_threads_to(line);
  line.add_text("-o, --output", "FILE", "the GGUF file to write (required)", output);
  line.add("--format", "FORMAT", "F32, F16, BF16, Q8_0, Q6_K, Q4_K or Q4_0 (required)",
           [&](std::string const& name) { format = examples::or_usage_error([&] { return format_named(name); }); });

  return examples::run_program(line, argc, argv, [&] {
    if (output.empty()) throw examples::UsageError("no output: give it with -o FILE");
    if (!format) throw examples::UsageError("no format: give one with --format FORMAT");
    auto const checkpoint = examples::open_checkpoint(engine);
    ThreadPool pool(engine.threads);
    GgufWriter writer;
    writer.set_all(checkpoint.metadata())
        .set("general.file_type", file_type(*format))
        .set("general.quantization_version", std::uint32_t{2});  // of ggml's block layouts
    for (TensorInfo const& tensor : checkpoint.tensors()) {
      if (tensor.dims.size() == 2) {
        Format const target = quant::choose(*format, tensor.format, static_cast<std::size_t>(tensor.dims[0]));
        // Converted while it is written: no more than one matrix, packed and unpacked, is in memory.
        writer.add(tensor.name, target, tensor.dims,
                   [&tensor, &pool, target](ByteSink const& sink) { sink(convert(tensor, target, pool)); });
      } else {
        writer.add(tensor.name, tensor.format, tensor.dims, tensor.bytes);
      }
    }
    writer.write(output);
    std::fprintf(stderr, "%s: %zu tensors, %.3f MB\n", output.c_str(), checkpoint.tensors().size(),
                 static_cast<double>(std::filesystem::file_size(output)) / 1e6);
  });
}
