// How an error's message is put together. See compiled.hpp.
#pragma once

#include <initializer_list>
#include <sstream>

#include "lamina/core/compiled.hpp"
#include "lamina/core/error.hpp"

namespace lamina::inline v0_1 {

LAMINA_INLINE void detail::fail_with(Errc code, std::initializer_list<MessagePart> parts) {
  std::ostringstream message;
  for (MessagePart const part : parts) part.append_to(message);
  throw Error(code, message.str());
}

}  // namespace lamina::inline v0_1
