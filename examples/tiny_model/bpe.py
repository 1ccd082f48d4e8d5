"""Byte-level BPE for the tiny model: trains a vocabulary, writes it as JSON, encodes and decodes.

    python3 bpe.py corpus/train.jsonl --size 2048 --out tokenizer.json

Words are cut as lamina's PreTokenizer::kQwen2 cuts them (tokenizer.ggml.pre = "qwen2"): each digit is a word of its own,
so that no merge ever joins two. The JSON holds what a GGUF file needs: tokens in GPT-2's alphabet, types as in
tokenizer.ggml.token_type, merges by rank, the special ids and the chat template.

    tokenizer = Tokenizer.load("tokenizer.json")
    ids = tokenizer.encode("27 + 45 = 72.")
    ids, is_answer = tokenizer.encode_conversation(messages)
"""

import argparse
import collections
import json
import pathlib
import re
import sys
import unicodedata

END_OF_TEXT, IM_START, IM_END = SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")  # ids 0, 1, 2
NORMAL, CONTROL = 1, 3  # token types of GGUF
CHAT_TEMPLATE = ("{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + "
                 "'<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}"
                 "{% endif %}")


# --- Words -------------------------------------------------------------------------------------------------------------

def _character_class(holds):
    """The code points for which `holds`, as the inside of a regular expression's brackets."""
    ranges, begin = [], None
    for code in range(sys.maxunicode + 2):
        if code <= sys.maxunicode and holds(chr(code)):
            begin = code if begin is None else begin
        elif begin is not None:
            ranges.append(f"\\U{begin:08x}-\\U{code - 1:08x}")
            begin = None
    return "".join(ranges)


def _word_pattern():
    letter = _character_class(lambda c: unicodedata.category(c)[0] == "L")
    number = _character_class(lambda c: unicodedata.category(c)[0] == "N")
    # White_Space; \s of Python has four control characters more.
    space = "\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000"
    contraction = "'(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL])"
    return re.compile(
        f"{contraction}|[^\\r\\n{letter}{number}]?[{letter}]+|[{number}]| ?[^{space}{letter}{number}]+[\\r\\n]*|"
        f"[{space}]*[\\r\\n]+|[{space}]+(?![^{space}])|[{space}]+")


_words = None


def split_words(text):
    global _words
    _words = _words or _word_pattern()
    return _words.findall(text)


# GPT-2's alphabet: bytes that print stand for themselves, the other 68 for U+0100 onwards.
_PRINTING = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
ALPHABET = {byte: chr(byte) for byte in _PRINTING}
ALPHABET |= {byte: chr(0x100 + i) for i, byte in enumerate(sorted(set(range(256)) - set(_PRINTING)))}
BYTE_OF = {c: byte for byte, c in ALPHABET.items()}


def to_alphabet(text):
    return "".join(ALPHABET[byte] for byte in text.encode("utf-8"))


# --- Training ----------------------------------------------------------------------------------------------------------

def run_of(message):
    """The text between <|im_start|> and <|im_end|>."""
    return f"{message['role']}\n{message['content']}"


def count_words(conversations):
    runs = collections.Counter(run_of(message) for messages in conversations for message in messages)
    words = collections.Counter()
    for run, n in runs.items():
        for word in split_words(run):
            words[word] += n
    return words


def train_merges(words, n_merges):
    """The most frequent pair merges first; among equals the one that sorts first, so that the result is a function of the
    counts. Only words that hold the pair are looked at again."""
    symbols = [list(to_alphabet(word)) for word in words]
    counts = list(words.values())
    pair_counts, words_with = collections.Counter(), collections.defaultdict(set)
    for i, word in enumerate(symbols):
        for pair in zip(word, word[1:]):
            pair_counts[pair] += counts[i]
            words_with[pair].add(i)

    merges = []
    while len(merges) < n_merges and pair_counts:
        best = min(pair_counts, key=lambda pair: (-pair_counts[pair], pair))
        if pair_counts[best] < 2:
            break
        merges.append(best)
        for i in words_with.pop(best):
            old = symbols[i]
            new = merge_pair(old, best)
            for pair in zip(old, old[1:]):
                pair_counts[pair] -= counts[i]
                if pair_counts[pair] <= 0:
                    del pair_counts[pair]
                if pair != best:
                    words_with[pair].discard(i)
            for pair in zip(new, new[1:]):
                pair_counts[pair] += counts[i]
                words_with[pair].add(i)
            symbols[i] = new
    return merges


def merge_pair(symbols, pair):
    merged, i = [], 0
    while i < len(symbols):
        if i + 1 < len(symbols) and (symbols[i], symbols[i + 1]) == pair:
            merged.append(pair[0] + pair[1])
            i += 2
        else:
            merged.append(symbols[i])
            i += 1
    return merged


# --- Encoding ----------------------------------------------------------------------------------------------------------

class Tokenizer:
    def __init__(self, tokens, types, merges):
        self.tokens, self.types, self.merges = list(tokens), list(types), [tuple(m) for m in merges]
        self.ids = {token: i for i, (token, type_) in enumerate(zip(self.tokens, self.types)) if type_ == NORMAL}
        self.special = {token: i for i, (token, type_) in enumerate(zip(self.tokens, self.types)) if type_ == CONTROL}
        self.ranks = {merge: i for i, merge in enumerate(self.merges)}
        self.cache = {}
        self.newline = self.encode("\n")
        self.specials = re.compile("(" + "|".join(map(re.escape, self.special)) + ")")

    @classmethod
    def train(cls, conversations, size):
        merges = train_merges(count_words(conversations), size - len(SPECIAL) - 256)
        tokens = [*SPECIAL, *(ALPHABET[byte] for byte in range(256)), *(left + right for left, right in merges)]
        # Two merges may give the same token; it gets one id and the vocabulary is that much smaller.
        tokens = list(dict.fromkeys(tokens))
        return cls(tokens, [CONTROL] * len(SPECIAL) + [NORMAL] * (len(tokens) - len(SPECIAL)), merges)

    @classmethod
    def load(cls, path):
        stored = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        return cls(stored["tokens"], stored["token_types"], [m.split(" ") for m in stored["merges"]])

    def save(self, path):
        stored = {"model": "gpt2", "pre": "qwen2", "tokens": self.tokens, "token_types": self.types,
                  "merges": [" ".join(m) for m in self.merges], "eos_token_id": self.special[IM_END],
                  "padding_token_id": self.special[END_OF_TEXT], "add_bos_token": False, "chat_template": CHAT_TEMPLATE}
        pathlib.Path(path).write_text(json.dumps(stored, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    def __len__(self):
        return len(self.tokens)

    def encode_word(self, word):
        if word not in self.cache:
            symbols = list(to_alphabet(word))
            while len(symbols) > 1:
                best = min(zip(symbols, symbols[1:]), key=lambda pair: self.ranks.get(pair, len(self.ranks)))
                if best not in self.ranks:
                    break
                symbols = merge_pair(symbols, best)
            self.cache[word] = [self.ids[symbol] for symbol in symbols]
        return self.cache[word]

    def encode(self, text, parse_special=False):
        """The text of a special token becomes that token only on request."""
        if parse_special:
            return [i for part in self.specials.split(text)
                    for i in ([self.special[part]] if part in self.special else self.encode(part))]
        return [i for word in split_words(text) for i in self.encode_word(word)]

    def decode(self, ids):
        """As lamina decodes: control tokens are left out."""
        text = "".join(self.tokens[i] for i in ids if self.types[i] == NORMAL)
        return bytes(BYTE_OF[c] for c in text).decode("utf-8", errors="replace")

    def encode_conversation(self, messages):
        """The ids in ChatML as lamina's ChatFormat lays them out, and for each whether the model is to learn it: what the
        assistant says, and <|im_end|> behind it."""
        ids, is_answer = [], []
        for message in messages:
            head = [self.special[IM_START], *self.encode(message["role"] + "\n")]
            whole = [self.special[IM_START], *self.encode(run_of(message)), self.special[IM_END]]
            # The newline is a word of its own unless the content begins with white space.
            assert whole[:len(head)] == head, message
            answers = message["role"] == "assistant"
            ids += whole + self.newline
            is_answer += [False] * len(head) + [answers] * (len(whole) - len(head)) + [False] * len(self.newline)
        return ids, is_answer


# --- The program -------------------------------------------------------------------------------------------------------

def self_test(tokenizer, conversations):
    texts = ["", " ", "\n", "  \n\n  x", "27 + 45 = 72.", "It's I'LL 'tis", "Chișinău, N'Djamena, Māori", "日本 🙂 ½ ٣٤ ²x",
             "tab\tand\r\nend  ", "a" * 300, "\x00\x1c\x7f", "".join(map(chr, range(0x20, 0x250)))]
    texts += [m["content"] for messages in conversations[:5000] for m in messages]
    for text in texts:
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == text, text
        assert "".join(split_words(text)) == text, text
    for token in SPECIAL:
        assert tokenizer.encode(token, parse_special=True) == [tokenizer.special[token]]
        assert len(tokenizer.encode(token)) > 1  # as text it stays text
    for a in range(100):
        assert len(tokenizer.encode(str(a))) == len(str(a))
    for messages in conversations[:200]:
        chatml = "".join(f"{IM_START}{run_of(m)}{IM_END}\n" for m in messages)
        ids, is_answer = tokenizer.encode_conversation(messages)
        assert ids == tokenizer.encode(chatml, parse_special=True)
        assert len(ids) == len(is_answer)
        spoken = tokenizer.decode([i for i, answer in zip(ids, is_answer) if answer])
        assert spoken == "".join(m["content"] for m in messages if m["role"] == "assistant")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=pathlib.Path, help="train.jsonl")
    parser.add_argument("--size", type=int, default=2048, help="of the vocabulary")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("tokenizer.json"))
    options = parser.parse_args()

    conversations = [json.loads(line) for line in options.corpus.open(encoding="utf-8")]
    Tokenizer.train(conversations, options.size).save(options.out)
    tokenizer = Tokenizer.load(options.out)
    self_test(tokenizer, conversations)

    lengths = [len(tokenizer.encode_conversation(messages)[0]) for messages in conversations]
    n_chars = sum(len(run_of(m)) for messages in conversations for m in messages)
    print(f"{len(tokenizer)} tokens; {sum(lengths) / 1e6:.2f} million in {len(conversations)} conversations: "
          f"{sum(lengths) / len(lengths):.1f} each, {max(lengths)} at most; {n_chars / sum(lengths):.2f} characters each")


if __name__ == "__main__":
    main()
