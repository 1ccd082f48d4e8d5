// tokenize: text on stdin to token ids on stdout, or back.
//
//   echo -n "Once upon a time" | tokenize -m model.gguf
//   echo "1 403 407" | tokenize -m model.gguf --detokenize
#include <cstdio>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "common/engine_options.hpp"

using namespace lamina;

int main(int argc, char** argv) {
  examples::CommandLine line("tokenize", "Reads text and prints its token ids on one line; or the inverse.");
  examples::EngineOptions engine;
  bool no_bos = false;
  bool parse_special = false;
  bool detokenize = false;
  engine.add_to(line);
  line.add_flag("--no-bos", "do not begin with the BOS token; ids have none", no_bos);
  line.add_flag("--parse-special", "turn the text of special tokens into these tokens, and back", parse_special);
  line.add_flag("--detokenize", "read ids and print their text: the inverse, with the same options", detokenize);

  return examples::run_program(line, argc, argv, [&] {
    auto const checkpoint = examples::open_checkpoint(engine);
    auto const tokenizer = examples::open_tokenizer(checkpoint, engine);
    std::string const input{std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
    EncodeOptions const options{.add_bos = !no_bos, .parse_special = parse_special};
    if (detokenize) {
      std::string const text = tokenizer.decode(examples::parse_ids(input), options);
      std::fwrite(text.data(), 1, text.size(), stdout);
      return;
    }
    char const* separator = "";
    for (Token const t : tokenizer.encode(input, options)) {
      std::printf("%s%d", separator, t);
      separator = " ";
    }
    std::puts("");
  });
}
