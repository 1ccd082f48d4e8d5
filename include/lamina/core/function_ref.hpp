// A reference to a callable: two words, no allocation. The callable must outlive the reference.
#pragma once

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

namespace lamina::inline v0_1 {

template <class Signature>
class FunctionRef;

/// Like C++26's std::function_ref. Binds to lvalues and to temporaries that live to the end of the call.
template <class R, class... Args>
class FunctionRef<R(Args...)> {
 public:
  template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, FunctionRef> && std::is_invocable_r_v<R, F&, Args...>)
  FunctionRef(F&& f) noexcept  // NOLINT(google-explicit-constructor): it stands for the callable
      : object_(const_cast<void*>(static_cast<void const*>(std::addressof(f)))),
        call_([](void* object, Args... args) -> R {
          return (*static_cast<std::remove_reference_t<F>*>(object))(std::forward<Args>(args)...);
        }) {}

  R operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }

 private:
  void* object_;
  R (*call_)(void*, Args...);
};

}  // namespace lamina::inline v0_1
