// fails with: Quantizer
#include "lamina/quant/quantizer.hpp"
#include "lamina/model/llama.hpp"
#include "lamina/model/model.hpp"

struct NotAQuantizer {};

#ifdef BAD
using MyModel = lamina::Model<lamina::Llama, NotAQuantizer>;
#else
using MyModel = lamina::Model<lamina::Llama, lamina::quant::Q4_0>;
#endif
