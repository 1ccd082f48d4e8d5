// fails with: SamplerStage
#include "lamina/sampler/sampler.hpp"

#ifdef BAD
auto const my_stage = [](int) {};
#else
auto const my_stage = [](lamina::Candidates&) {};
#endif

auto const sampler =
    lamina::Chain<decltype(lamina::top_k(1)), std::remove_const_t<decltype(my_stage)>>{lamina::top_k(1), my_stage};
