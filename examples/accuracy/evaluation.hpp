// An evaluation set: questions with their one right answer, and how many a model gets right.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../common/text_file.hpp"
#include "lamina/core/error.hpp"
#include "lamina/text/chat_format.hpp"

namespace examples {

/// A conversation up to the user's last message, and what should be said to it.
struct Question {
  std::string place;  // "evaluation.tsv:17"
  std::string group;
  std::string category;
  std::string unseen;  // what training lacked: "phrasing", "pair", ...
  std::vector<lamina::ChatMessage> messages;
  std::string answer;
};

inline std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> fields;
  for (;;) {
    auto const end = text.find(separator);
    fields.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return fields;
    text.remove_prefix(end + 1);
  }
}

/// A question a line, fields parted by tabs: group, category, what training lacked, then the conversation in turns, the
/// user's message first and the right answer last. Throws lamina::Error{kCorrupt} that names file and line, kIo.
inline std::vector<Question> read_questions(std::filesystem::path const& path) {
  constexpr std::size_t kHead = 3;
  std::vector<Question> questions;
  std::size_t number = 0;
  for (std::string const& line : split(read_text_file(path), '\n')) {
    ++number;
    if (line.empty()) continue;
    auto fields = split(line, '\t');
    std::size_t const n_turns = fields.size() < kHead ? 0 : fields.size() - kHead;
    std::string const place = path.string() + ":" + std::to_string(number);
    if (line.ends_with('\r')) lamina::fail(lamina::Errc::kCorrupt, place, ": the line ends in CR LF, expected LF");
    if (n_turns < 2 || n_turns % 2 != 0 || std::ranges::count(fields, std::string()) != 0) {
      lamina::fail(lamina::Errc::kCorrupt, place,
                   ": expected group, category, what is new, and an even number of messages, none empty, with tabs "
                   "between them");
    }
    Question& q = questions.emplace_back(Question{place, fields[0], fields[1], fields[2], {}, fields.back()});
    for (std::size_t i = kHead; i + 1 < fields.size(); ++i) {
      auto const role = (i - kHead) % 2 == 0 ? lamina::Role::kUser : lamina::Role::kAssistant;
      q.messages.push_back({role, std::move(fields[i])});
    }
  }
  if (questions.empty()) lamina::fail(lamina::Errc::kCorrupt, path.string(), ": no questions");
  return questions;
}

/// So many right, of so many.
struct Share {
  std::size_t right = 0;
  std::size_t of = 0;

  void add(bool is_right) {
    right += is_right ? 1 : 0;
    ++of;
  }
  [[nodiscard]] double percent() const {
    return of == 0 ? 0.0 : 100.0 * static_cast<double>(right) / static_cast<double>(of);
  }
};

/// Shares by name, in the order in which the names came up.
class Tally {
 public:
  void add(std::string const& name, bool is_right) {
    auto found = std::ranges::find(rows_, name, &Row::first);
    if (found == rows_.end()) found = rows_.insert(rows_.end(), {name, {}});
    found->second.add(is_right);
  }
  using Row = std::pair<std::string, Share>;
  [[nodiscard]] std::vector<Row> const& rows() const { return rows_; }

 private:
  std::vector<Row> rows_;
};

}  // namespace examples
