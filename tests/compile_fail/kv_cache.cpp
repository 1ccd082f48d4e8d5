// fails with: KvCache.*cache\.truncate\(s, n\)
#include "lamina/cache/contiguous_cache.hpp"
#include "lamina/model/llama.hpp"
#include "lamina/model/model.hpp"
#include "lamina/model/session.hpp"

class MyCache : public lamina::ContiguousCache<lamina::KvElement::kF32> {
#ifdef BAD
  void truncate(lamina::SequenceId, std::size_t) = delete;
#endif
};

template <class M>
using MySession = lamina::Session<M, MyCache>;
using Mine = MySession<lamina::Model<lamina::Llama>>;
