// All of lamina but the opt-in sets (cuda/, mpi/) and the views for Eigen (core/eigen.hpp).
//
// A program that links lamina::kernels compiles this in 6 s (GCC 12 -O2), header-only in 40 s: it brings the kernels
// of every instruction set with it. To see less, include the headers of single folders.
#pragma once

#include "lamina/cache/contiguous_cache.hpp"
#include "lamina/core/error.hpp"
#include "lamina/core/executor.hpp"
#include "lamina/core/token.hpp"
#include "lamina/core/version.hpp"
#include "lamina/decode/decode.hpp"
#include "lamina/io/checkpoint.hpp"
#include "lamina/io/gguf_writer.hpp"
#include "lamina/kernels/dispatch.hpp"
#include "lamina/model/any_model.hpp"
#include "lamina/model/llama.hpp"
#include "lamina/model/model.hpp"
#include "lamina/model/session.hpp"
#include "lamina/quant/packed_matrix.hpp"
#include "lamina/quant/quantizer.hpp"
#include "lamina/sampler/sampler.hpp"
#include "lamina/text/chat_format.hpp"
#include "lamina/text/detokenizer.hpp"
#include "lamina/text/tokenizer.hpp"
#include "lamina/text/vocabulary.hpp"
