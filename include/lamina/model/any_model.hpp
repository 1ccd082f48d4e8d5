// A model of whatever architecture the file has, for programs that open any file: the choice is made once, at load.
//
//   auto const any = AnyModel::load(Checkpoint::open(path), {.threads = 4, .convert = Format::kQ4_0});
//   any.visit([&](auto const& model) { Session session(model); ... });
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "lamina/core/error.hpp"
#include "lamina/io/checkpoint.hpp"
#include "lamina/model/llama.hpp"
#include "lamina/model/model.hpp"

namespace lamina::inline v0_1 {

class AnyModel {
 public:
  /// Throws Error{kUnsupported} that names file and architecture, and what Model::load throws.
  static AnyModel load(Checkpoint const& checkpoint, LoadOptions const& options = {}) {
    return load_as<Llama>(checkpoint, options);
  }

  /// Calls f with the concrete model and returns what it returns, the same type for each.
  template <class F>
  decltype(auto) visit(F&& f) const {
    return std::visit(std::forward<F>(f), model_);
  }

  [[nodiscard]] ModelConfig const& config() const noexcept {
    return visit([](auto const& model) -> ModelConfig const& { return model.config(); });
  }

 private:
  // Each further family: one alternative here, one name in load().
  using Models = std::variant<Model<Llama>>;

  explicit AnyModel(Models model) : model_(std::move(model)) {}

  /// The first of the families whose name the file has.
  template <Architecture... Archs>
  static AnyModel load_as(Checkpoint const& checkpoint, LoadOptions const& options) {
    auto const name = checkpoint.metadata().require<std::string_view>("general.architecture");
    std::optional<Models> found;
    static_cast<void>(((name == Archs::name && (found.emplace(Model<Archs>::load(checkpoint, options)), true)) || ...));
    if (!found) {
      std::string known;
      ((known += (known.empty() ? "" : ", ") + std::string(Archs::name)), ...);
      fail(Errc::kUnsupported, checkpoint.source(), ": key 'general.architecture' is '", detail::printable(name),
           "'; known are: ", known);
    }
    return AnyModel(*std::move(found));
  }

  Models model_;
};

}  // namespace lamina::inline v0_1
