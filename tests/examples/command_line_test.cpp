// The option parser of the example programs.
#include "../../examples/common/command_line.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

using namespace examples;

namespace {

struct Options {
  int n = 1;
  float t = 0.5F;
  std::string text;
  bool flag = false;
  bool help = false;
};

Options parse(std::vector<char const*> arguments) {
  Options o;
  CommandLine line("program", "It does things.");
  line.add_number("-n, --number", "N", "a number", o.n, -5, 100);
  line.add_number("-t", "T", "a fraction", o.t, 0.0F, 1.0F);
  line.add_text("--text", "TEXT", "a text", o.text);
  line.add_flag("-f, --flag", "a flag", o.flag);
  arguments.insert(arguments.begin(), "program");
  o.help = !line.parse(static_cast<int>(arguments.size()), arguments.data());
  return o;
}

}  // namespace

TEST_CASE("options by their names, with values before or after") {
  CHECK(parse({"-n", "7"}).n == 7);
  CHECK(parse({"--number=-5"}).n == -5);
  CHECK(parse({"-t", "1e-3"}).t == 1e-3F);
  CHECK(parse({"--text", "--number=1"}).text == "--number=1");
  CHECK(parse({"--text=a=b"}).text == "a=b");
  CHECK(parse({"--text="}).text.empty());
  CHECK(parse({"-f"}).flag);
  CHECK(parse({"-n", "1", "-n", "2"}).n == 2);
}

TEST_CASE("wrong command lines") {
  for (char const* bad : {"", " 1", "1 ", "+1", "1x", "0x1", "1.5", "101", "-6", "99999999999999999999", "nan"}) {
    CHECK_THROWS_AS(parse({"-n", bad}), UsageError);
  }
  for (char const* bad : {"", "nan", "inf", "-0.1", "1.1", "1,0", "0.5f"})
    CHECK_THROWS_AS(parse({"-t", bad}), UsageError);
  CHECK_THROWS_AS(parse({"-n"}), UsageError);
  CHECK_THROWS_AS(parse({"--flag=1"}), UsageError);
  CHECK_THROWS_AS(parse({"--numb", "1"}), UsageError);
  CHECK_THROWS_AS(parse({"number"}), UsageError);
  CHECK_THROWS_AS(parse({""}), UsageError);
  CHECK_THROWS_AS(parse({","}), UsageError);
  CHECK_THROWS_WITH(parse({"-n", "101"}), "-n, --number: '101' is no integer from -5 to 100");
}

TEST_CASE("numbers of every width are read to their limits") {
  using Limits = std::numeric_limits<std::uint64_t>;
  CHECK(parse_number<std::uint64_t>("18446744073709551615", 0, Limits::max(), "x") == Limits::max());
  CHECK_THROWS_AS(parse_number<std::uint64_t>("18446744073709551616", 0, Limits::max(), "x"), UsageError);
  CHECK_THROWS_AS(parse_number<std::uint64_t>("-1", 0, Limits::max(), "x"), UsageError);
}

TEST_CASE("help lists every option") {
  CommandLine line("program", "It does things.");
  int n = 0;
  line.add_number("-n, --number", "N", "a number", n, 0, 1);
  CHECK(line.help() ==
        "usage: program [options]\nIt does things.\n\n"
        "  -n, --number N            a number\n  -h, --help                this text\n");
  CHECK(parse({"--help"}).help);
}

TEST_CASE("exit codes") {
  CommandLine const line("program", "");
  char const* const none[] = {"program"};
  char const* const wrong[] = {"program", "--x"};
  CHECK(run_program(line, 1, none, [] {}) == 0);
  CHECK(run_program(line, 2, wrong, [] {}) == 2);
  CHECK(run_program(line, 1, none, [] { throw UsageError("x"); }) == 2);
  CHECK(run_program(line, 1, none, [] { throw std::runtime_error("x"); }) == 1);
}
