// Stop strings: the same result however the text is cut, nothing held back longer than needed, linear time.
#include "lamina/decode/stop_strings.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "lamina/sampler/random.hpp"

using namespace lamina;

namespace {

struct Result {
  std::string text;
  bool stopped;
  friend bool operator==(Result const&, Result const&) = default;
};

Result run(std::vector<std::string> const& stops, std::string const& text, std::size_t piece) {
  StopStringMatcher matcher(stops);
  Result result{"", false};
  for (std::size_t i = 0; i < text.size() && !result.stopped; i += piece) {
    result.stopped = matcher.push(std::string_view(text).substr(i, piece), result.text);
  }
  if (!result.stopped) matcher.flush(result.text);
  return result;
}

/// The stop string that ends first, of those the longest, by search.
Result naive(std::vector<std::string> const& stops, std::string const& text) {
  for (std::size_t end = 1; end <= text.size(); ++end) {
    std::size_t longest = 0;
    for (auto const& s : stops) {
      if (s.size() <= end && text.compare(end - s.size(), s.size(), s) == 0) longest = std::max(longest, s.size());
    }
    if (longest != 0) return {text.substr(0, end - longest), true};
  }
  return {text, false};
}

}  // namespace

TEST_CASE("text up to the stop string, however it is cut") {
  std::string const text = "one two\n\nUser: three";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    CHECK(run({"\nUser:"}, text, piece) == Result{"one two\n", true});
    CHECK(run({"User", "\n\nUser:"}, text, piece) == Result{"one two\n\n", true});
    CHECK(run({"Nobody:", "\n\n\n"}, text, piece) == Result{text, false});
    CHECK(run({"three"}, text, piece) == Result{"one two\n\nUser: ", true});
    CHECK(run({"three!"}, text, piece) == Result{text, false});
    CHECK(run({}, text, piece) == Result{text, false});
  }
}

TEST_CASE("random texts over two letters agree with a plain search") {
  Xoshiro256 random(3);
  auto const word = [&](std::size_t max) {
    std::string s(1 + random.below(max), 'a');
    for (char& c : s) c = random.below(2) == 0 ? 'a' : 'b';
    return s;
  };
  for (int i = 0; i < 3000; ++i) {
    std::vector<std::string> stops;
    for (std::uint64_t n = 1 + random.below(3); n > 0; --n) stops.push_back(word(7));
    std::string const text = word(40);
    Result const expected = naive(stops, text);
    for (std::size_t piece : {1u, 2u, 5u, 40u}) CHECK(run(stops, text, piece) == expected);
  }
}

TEST_CASE("only what may become a stop string is held back") {
  StopStringMatcher matcher({"<end>", "abab!"});
  std::string out;
  CHECK_FALSE(matcher.push("x<", out));
  CHECK(out == "x");
  CHECK_FALSE(matcher.push("en", out));
  CHECK(out == "x");
  CHECK_FALSE(matcher.push("t", out));
  CHECK(out == "x<ent");
  CHECK_FALSE(matcher.push("ababab", out));
  CHECK(out == "x<entab");
  CHECK(matcher.push("!more", out));
  CHECK(out == "x<entab");
}

TEST_CASE("what cannot be a stop string is an error") {
  CHECK_THROWS_WITH_AS(StopStringMatcher({"a", ""}), "stop string: empty", Error);
  CHECK_THROWS_AS(StopStringMatcher({"\x80"}), Error);
}

TEST_CASE("a megabyte of near misses") {
  std::string const text(1'000'000, 'a');
  std::string const stop = std::string(5000, 'a') + "b";  // 5 * 10^9 comparisons by plain search
  CHECK(run({stop}, text, 7) == Result{text, false});
}
