// Checkpoints, tokenizers, chat formats and configurations for the compiled library. See core/compiled.hpp.
#define LAMINA_COMPILED_KERNELS
#include "lamina/core/error_impl.hpp"
#include "lamina/io/checkpoint_impl.hpp"
#include "lamina/io/gguf_writer_impl.hpp"
#include "lamina/io/metadata_impl.hpp"
#include "lamina/model/config_impl.hpp"
#include "lamina/model/rope_scaling_impl.hpp"
#include "lamina/text/chat_format_impl.hpp"
#include "lamina/text/tokenizer_impl.hpp"
#include "lamina/text/vocabulary_impl.hpp"
