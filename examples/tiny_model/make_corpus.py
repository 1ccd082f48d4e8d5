"""Writes the tiny model's corpus: conversations in a closed world of countries, small numbers, days and stories.

    python3 make_corpus.py --out corpus --seed 1

train.jsonl     a conversation a line: [{"role": "user", "content": "..."}, {"role": "assistant", ...}, ...]
practice.jsonl  the same kinds of conversations in other shares, for a second training
heldout.txt     conversations in ChatML with phrasings, pairs and stories that training lacks, for perplexity
evaluation.tsv  questions with the one right answer: group, category, what training lacks, then what was said in turns,
                the user's message first and the right answer last

The same seed gives the same files. What may be asked, and the answers, are in questions.py, stories.py and
countries.tsv. Before it ends, the program proves that no prompt of the evaluation occurs in training.
"""

import argparse
import collections
import itertools
import json
import pathlib
import random
import re
import zlib

import countries as atlas
import questions as q
import stories

MAX_TOKENS = 580  # of a conversation, by an estimate 1.2 times what 2,048 tokens of vocabulary give; the context is 512
NUMBERS = range(100)
MORE_NAMES = ("Alice Bella Carla Diana Elena Fiona Greta Helen Irene Julia Katie Laura Maria Nadia Paula Rita Sonia Tara Ursula "
              "Wanda Yvonne Zara Alan Boris Carlos David Erik Frank Georg Henry Igor John Kevin Liam Mark Nils Omar Peter "
              "Quentin Robert Simon Tim Victor Walter Xavier Yusuf Amir Chen Priya Kenji Fatima Aisha Ravi Yuki Mateo Ines "
              "Pablo Lars Freya Sven").split()


def is_held_out(kind, *key, one_in=10):
    """A fixed choice, whatever the seed; symmetric in the key for a pair in ascending order."""
    return zlib.crc32(f"{kind} {key}".encode()) % one_in == 0


def pair_is_held_out(kind, a, b):
    # Both orders together: 45 + 27 would give 27 + 45 away. Single digits all stay: they are what the rest is made of.
    low, high = sorted((a, b))
    return high > 9 and is_held_out(kind, low, high)


def number_pairs(kind, held_out):
    return [(a, b) for a in NUMBERS for b in NUMBERS if pair_is_held_out(kind, a, b) == held_out]


def normalize(text):
    """What makes two prompts the same: letters, digits and signs, not case, accents or punctuation."""
    return " ".join(re.findall(r"[a-z0-9]+|[+*/<>=-]", atlas.fold(text).lower()))


def context_key(exchanges, question):
    return " | ".join(normalize(text) for text in (*itertools.chain(*exchanges), question))


class World:
    def __init__(self):
        self.countries = atlas.load()
        self.by_code = {c.code: c for c in self.countries}
        uses = collections.Counter(c.currency for c in self.countries)
        self.own_currency = [c for c in self.countries if uses[c.currency] == 1]
        self.places = list(atlas.OTHER_PLACES)
        names = [n for c in self.countries for n in (c.name, *c.aliases)]
        taken = {atlas.without_article(n) for n in names} | set(self.places)
        rng = random.Random("made-up countries")
        made_up = sorted({q.made_up_country(rng, taken) for _ in range(3000)})
        self.made_up = {h: [n for n in made_up if is_held_out("country", n) == h] for h in (False, True)}
        self.people = {h: [n for n in (*stories.GIRLS, *stories.BOYS, *MORE_NAMES) if is_held_out("name", n) == h]
                       for h in (False, True)}
        self.pairs = {kind: {h: number_pairs(kind, h) for h in (False, True)} for kind in ("+", "-", "compare")}

        can_compare = lambda field: [c for c in self.countries if c.code not in
                                     (atlas.TRANSCONTINENTAL if field == "continent" else atlas.SHARED_TENDER)]
        self.country_pairs = {}
        for field in ("continent", "currency"):
            for same in (False, True):
                for h in (False, True):
                    self.country_pairs[field, same, h] = [
                        (c, d) for c, d in itertools.permutations(can_compare(field), 2)
                        if (getattr(c, field) == getattr(d, field)) == same
                        and is_held_out("countries", *sorted((c.code, d.code))) == h]


class Cycle:
    """Endless: all items in a random order, then all in another, so that each comes up equally often."""

    def __init__(self, rng, items):
        self.rng, self.items, self.left = rng, list(items), []

    def next(self):
        if not self.left:
            self.left = self.rng.sample(self.items, len(self.items))
        return self.left.pop()


class Speaker:
    """Makes exchanges, (question, answer), and conversations, lists of exchanges.

    new_words: in phrasings that training lacks. new_pairs: of pairs, names and stories that training lacks.
    """

    def __init__(self, world, rng, new_words=False, new_pairs=False, decorate=True):
        self.world, self.rng = world, rng
        self.new_words, self.new_pairs, self.decorate = new_words, new_pairs, decorate
        self.cycles = {}

    # How people type.

    def cycle(self, name, items):
        if name not in self.cycles:
            self.cycles[name] = Cycle(self.rng, items)
        return self.cycles[name].next()

    def chance(self, p):
        return self.rng.random() < p

    def say(self, kind, lower=0.10, decorate=True, **slots):
        return self.typed(self.rng.choice(kind[1 if self.new_words else 0]).format(**slots), lower, decorate)

    def typed(self, text, lower=0.10, decorate=True):
        text = text[0].upper() + text[1:] if text[0].isalpha() else text
        if self.chance(0.6):
            text = atlas.fold(text)
        if decorate and self.decorate and self.chance(0.06):
            prefix = self.rng.choice(q.PREFIXES)
            starts_with_verb = re.match(r"(What|Which|Who|Whose|Where|When|How|Is|Are|Do|Does|Can|Tell|Name|Count|Add)\b", text)
            if prefix[-2] in "!.:" or starts_with_verb:
                text = prefix + (text if prefix[-2] in "!." else text[0].lower() + text[1:] if starts_with_verb else text)
        if decorate and self.decorate and text[-1] in "?." and self.chance(0.03):
            text += self.rng.choice(q.SUFFIXES)
        if self.chance(lower):
            text = text.lower()
        if self.chance(0.12) and text[-1] in "?.!" and not text.endswith("= ?"):
            text = text[:-1]
        return text

    def written(self, c):
        """The name of a country as a user may write it."""
        name = self.rng.choice(c.aliases) if c.aliases and self.chance(0.2) else c.name
        return atlas.without_article(name) if self.chance(0.2) else name

    def any_country(self):
        return self.cycle("country", self.world.countries)

    def unknown_place(self):
        if self.chance(0.3) and not self.new_pairs:
            return self.cycle("place", self.world.places)
        return self.cycle("made up", self.world.made_up[self.new_pairs])

    # Countries.

    def fact(self, field=None, c=None):
        if c is None:
            field, c = self.cycle(("fact", field), [(f, c) for f in q.FACTS for c in self.world.countries
                                                    if field in (None, f)])
        kind = q.FACTS[field]
        return self.say(kind, **q.country_words(self.written(c))), q.sentence(kind[2](c))

    def about(self, c=None):
        c = c or self.any_country()
        return self.say(q.ABOUT, **q.country_words(self.written(c))), q.sentence(q.ABOUT[2](c))

    def reverse(self, field, c=None):
        c = c or self.cycle(("reverse", field), self.world.own_currency if field == "currency" else self.world.countries)
        kind = q.REVERSE[field]
        lower = 0.0 if field == "code" else 0.10  # "what country is it?"
        return self.say(kind, lower=lower, x=getattr(c, field)), q.sentence(kind[2](c))

    def is_capital(self):
        c = self.any_country()
        other = self.rng.choice(self.world.countries).capital
        if c.code in atlas.OTHER_CITIES and self.chance(0.5):
            other = atlas.OTHER_CITIES[c.code]
        elif self.chance(0.4):  # of the same continent
            other = self.rng.choice([d for d in self.world.countries if d.continent == c.continent]).capital
        x = c.capital if self.chance(0.5) else other
        return self.say(q.IS_CAPITAL, x=x, **q.country_words(self.written(c))), q.sentence(q.IS_CAPITAL[2](c, x))

    def in_continent(self):
        c = self.any_country()
        x = c.continent
        if self.chance(0.5) and c.code not in atlas.TRANSCONTINENTAL:
            x = self.rng.choice(atlas.CONTINENTS)
        return self.say(q.IN_CONTINENT, x=x, **q.country_words(self.written(c))), q.sentence(q.IN_CONTINENT[2](c, x))

    def country_pair(self, field=None, kind=None):
        field = field or self.rng.choice(("continent", "currency"))
        same = self.chance(0.5)
        c, d = self.cycle(("pair", field, same), self.world.country_pairs[field, same, self.new_pairs])
        asked = q.SAME_CONTINENT if field == "continent" else q.SAME_CURRENCY
        return self.say(kind or asked, c=self.written(c), d=self.written(d)), q.sentence(asked[2](c, d))

    def no_country(self):
        place = self.unknown_place()
        field = self.rng.choice([*q.FACTS, "about", "is capital", "in continent", "reverse", "pair"])
        if field == "reverse":
            cities = sorted(atlas.OTHER_CITIES.values())
            text = self.say(q.REVERSE["capital"], x=self.rng.choice(cities) if self.chance(0.3) else place)
        elif field == "is capital":
            x = self.rng.choice(self.world.countries).capital
            text = self.say(q.IS_CAPITAL, x=x, **q.country_words(place))
        elif field == "in continent":
            text = self.say(q.IN_CONTINENT, x=self.rng.choice(atlas.CONTINENTS), **q.country_words(place))
        elif field == "pair":
            names = [self.written(self.any_country()), place]
            self.rng.shuffle(names)
            text = self.say(self.rng.choice((q.SAME_CONTINENT, q.SAME_CURRENCY)), c=names[0], d=names[1])
        else:
            text = self.say(q.FACTS[field] if field in q.FACTS else q.ABOUT, **q.country_words(place))
        return text, q.UNKNOWN_PLACE

    def country_follow_up(self, state):
        """The next exchange; `state` is [field or None, country or None] and changes."""
        field, c = state
        if field and self.chance(0.45):
            of = field not in ("continent", "about") and self.chance(0.25)
            kind = q.COUNTRY_FOLLOW_UP_OF if of else q.COUNTRY_FOLLOW_UP
            if not of and field not in ("currency", "language"):
                kind = tuple([w for w in words if " in " not in w] for words in kind)
            if self.chance(0.06):
                state[1] = None
                return self.say(kind, lower=0.2, decorate=False, c=self.unknown_place()), q.UNKNOWN_PLACE
            state[1] = self.any_country()
            text = self.say(kind, lower=0.2, decorate=False, c=self.written(state[1]))
            return text, q.sentence((q.ABOUT if field == "about" else q.FACTS[field])[2](state[1]))
        state[0] = self.rng.choice([f for f in q.FACTS if f != field])
        text = self.say(q.FIELD_FOLLOW_UP[state[0]], lower=0.2, decorate=False)
        return text, q.sentence(q.FACTS[state[0]][2](c)) if c else q.UNKNOWN_PLACE

    def country_dialogue(self, n, last_new_words=False):
        start = self.rng.random()
        c = self.any_country()
        if start < 0.66:
            state = [self.rng.choice(list(q.FACTS)), c]
            exchanges = [self.fact(*state)]
        elif start < 0.78:
            state, exchanges = ["about", c], [self.about(c)]
        elif start < 0.93:
            state, exchanges = [None, c], [self.reverse("capital", c)]
        else:
            field = self.rng.choice(list(q.FACTS))
            state = [field, None]
            exchanges = [(self.say(q.FACTS[field], **q.country_words(self.unknown_place())), q.UNKNOWN_PLACE)]
        for i in range(1, n):
            self.new_words = last_new_words and i == n - 1
            exchanges.append(self.country_follow_up(state))
        return exchanges

    def pair_dialogue(self, n, last_new_words=False):
        field = self.rng.choice(("continent", "currency"))
        exchanges = [self.country_pair(field)]
        for i in range(1, n):
            self.new_words = last_new_words and i == n - 1
            exchanges.append(self.country_pair(field, q.PAIR_FOLLOW_UP))
        return exchanges

    # Numbers.

    def number_pair(self, kind):
        return self.cycle(kind, self.world.pairs[kind][self.new_pairs])

    def operand(self, n):
        return q.number_words(n) if self.chance(0.5) else n

    def add(self):
        a, b = self.number_pair("+")
        if self.chance(0.08):
            x = a + b if self.chance(0.5) else max(0, a + b + self.rng.choice((-10, -2, -1, 1, 2, 10)))
            return self.say(q.IS_SUM, a=a, b=b, x=x), q.sentence(q.IS_SUM[2](a, b, x))
        words = self.chance(0.06)
        return (self.say(q.ADD, a=self.operand(a) if words else a, b=self.operand(b) if words else b),
                q.sentence(q.ADD[2](a, b)))

    def subtract(self):
        a, b = self.number_pair("-")
        if a < b and self.chance(0.5):  # most people subtract the smaller
            a, b = b, a
        kind = q.TAKE_AWAY if a >= b and self.chance(0.15) else q.SUBTRACT
        words = self.chance(0.06)
        return (self.say(kind, a=self.operand(a) if words else a, b=self.operand(b) if words else b),
                q.sentence(q.SUBTRACT[2](a, b)))

    def compare(self):
        a, b = self.number_pair("compare")
        if self.chance(0.05) and not self.new_pairs:
            b = a
        kind = self.rng.choice((q.LARGER, q.SMALLER, q.IS_LARGER, q.IS_SMALLER))
        return self.say(kind, a=a, b=b), q.sentence(kind[2](a, b))

    def counting(self):
        while True:
            a, b = self.rng.choice(NUMBERS), self.rng.choice(NUMBERS)
            if self.chance(0.9):
                b = min(99, max(0, a + self.rng.choice((-1, 1, 1)) * self.rng.randrange(2, 20)))
            if a != b and is_held_out("count", a, b) == self.new_pairs:
                break
        if self.chance(0.12) and not self.new_pairs:
            b = self.rng.randrange(2, 31)
            return self.say(q.COUNT_TO, b=b), q.sentence(q.count(1, b))
        return self.say(q.COUNT, a=a, b=b), q.sentence(q.count(a, b)) if abs(a - b) < 30 else q.TOO_LONG

    def count_dialogue(self, last_new_words=False):
        a = self.rng.choice(NUMBERS)
        b = min(99, max(0, a + self.rng.choice((-1, 1, 1)) * self.rng.randrange(2, 13)))
        if a == b or is_held_out("count", a, b) != self.new_pairs:
            return self.count_dialogue(last_new_words)
        exchanges = [(self.say(q.COUNT, a=a, b=b), q.sentence(q.count(a, b)))]
        self.new_words = last_new_words
        return exchanges + [(self.say(q.BACKWARDS, decorate=False), q.sentence(q.count(b, a)))]

    def one_number(self):
        kind = self.rng.choice((q.NUMBER_AFTER, q.NUMBER_BEFORE, q.EVEN, q.IN_WORDS, q.IN_DIGITS))
        a = self.cycle("number", NUMBERS)
        if kind is q.NUMBER_BEFORE:
            a = max(1, a)
        return self.say(kind, a=a, w=q.number_words(a)), q.sentence(kind[2](a))

    def out_of_range(self):
        big = self.rng.choice((self.rng.randrange(100, 1000), self.rng.randrange(1000, 100000), self.rng.randrange(100, 130)))
        other = self.rng.choice((self.rng.choice(NUMBERS), self.rng.randrange(100, 1000)))
        if self.chance(0.12):
            big = f"{self.rng.randrange(10)}.{self.rng.randrange(1, 10)}"
        a, b = (big, other) if self.chance(0.6) else (other, big)
        return self.say(q.RANGE_QUESTIONS, a=a, b=b), q.OUT_OF_RANGE

    def other_operation(self):
        a, b = self.rng.choice(NUMBERS), self.rng.choice(range(1, 100))
        return self.say(q.OTHER_OPERATIONS, a=a, b=b), q.OTHER_OPERATION

    def sum_dialogue(self, n, last_new_words=False, last_new_pair=False):
        """A sum or a difference, and then more of them with the result."""
        answers = {"+": lambda a, b: a + b, "-": lambda a, b: a - b}

        def step(value, new_pair):  # a sign and an operand, or None
            for _ in range(200):
                sign = self.rng.choice("++-")
                m = self.rng.randrange(1, 21) if self.chance(0.6) else self.rng.choice(NUMBERS)
                result = answers[sign](value, m)
                if pair_is_held_out(sign, value, m) == new_pair and (0 <= result <= 99 or not last_new_pair and self.chance(0.05)):
                    return sign, m
            return None

        while True:
            sign = self.rng.choice("++-")
            a, b = self.cycle(sign, self.world.pairs[sign][False])
            value = answers[sign](a, b)
            if 0 <= value <= 99 or not last_new_pair and self.chance(0.04):
                break
        kind = q.ADD if sign == "+" else q.SUBTRACT
        exchanges = [(self.say(kind, a=a, b=b), q.sentence(kind[2](a, b)))]
        for i in range(1, n):
            last = i == n - 1
            self.new_words = last_new_words and last
            if not last_new_pair and self.chance(0.15):
                sign = self.rng.choice("+-")
                a, b = self.cycle(sign, self.world.pairs[sign][False])
                kind = q.SUM_FOLLOW_UP if sign == "+" else q.DIFFERENCE_FOLLOW_UP
                text = self.say(kind, lower=0.2, decorate=False, a=a, b=b)
            elif not 0 <= value <= 99:
                kind = self.rng.choice((q.PLUS_FOLLOW_UP, q.MINUS_FOLLOW_UP))
                return exchanges + [(self.say(kind, lower=0.2, decorate=False, n=self.rng.randrange(1, 30)), q.OUT_OF_RANGE)]
            else:
                found = step(value, last and last_new_pair)
                if found is None:
                    return self.sum_dialogue(n, last_new_words, last_new_pair)
                (sign, b), a = found, value
                text = self.say(q.PLUS_FOLLOW_UP if sign == "+" else q.MINUS_FOLLOW_UP, lower=0.2, decorate=False, n=b)
            value = answers[sign](a, b)
            exchanges.append((text, q.sentence(f"{a} {sign} {b} = {value}")))
        return exchanges

    # Days and months.

    def day(self):
        kind = self.cycle("day kind", (q.DAY_AFTER, q.DAY_BEFORE, q.TOMORROW, q.YESTERDAY, q.WEEKEND, q.DAYS_AFTER,
                                       q.DAYS_BEFORE, q.DAYS_AFTER, q.DAYS_BEFORE))
        x = self.cycle("day", q.DAYS)
        if kind in (q.DAYS_AFTER, q.DAYS_BEFORE):
            n = self.rng.randrange(2, 8)
            return self.say(kind, x=x, n=n), q.sentence(kind[2](x, n))
        return self.say(kind, x=x), q.sentence(kind[2](x))

    def month(self):
        kind = self.cycle("month kind", (q.MONTH_AFTER, q.MONTH_BEFORE, q.MONTH_NUMBER, q.MONTH_LENGTH, q.MONTH_OF_NUMBER,
                                         q.MONTH_OF_ORDINAL, q.MONTH_ORDER, q.MONTH_ORDER))
        x = self.cycle("month", q.MONTHS)
        n = q.MONTHS.index(x) + 1
        if kind is q.MONTH_OF_NUMBER:
            n = self.rng.choice((0, *range(13, 50))) if self.chance(0.1) else n
            return self.say(kind, n=n), q.sentence(kind[2](n))
        if kind is q.MONTH_OF_ORDINAL:
            o = f"{n}{['th', 'st', 'nd', 'rd'][n] if n < 4 else 'th'}" if self.chance(0.4) else q.ORDINALS[n - 1]
            return self.say(kind, o=o), q.sentence(q.MONTH_OF_NUMBER[2](n))
        if kind is q.MONTH_ORDER:
            while True:
                x, y = self.rng.sample(q.MONTHS, 2)
                if is_held_out("months", *sorted((x, y)), one_in=6) == self.new_pairs:
                    return self.say(kind, x=x, y=y), q.sentence(kind[2](x, y))
        return self.say(kind, x=x), q.sentence(kind[2](x))

    def calendar_fact(self):
        kind = self.cycle("calendar", q.CALENDAR_FACTS)
        return self.say(kind), kind[2]

    def calendar_dialogue(self, n, last_new_words=False):
        cycle, after, before, others = self.rng.choice((
            (q.DAYS, q.DAY_AFTER, q.DAY_BEFORE, ()),
            (q.MONTHS, q.MONTH_AFTER, q.MONTH_BEFORE, (q.MONTH_LENGTH, q.MONTH_NUMBER))))
        kind = self.rng.choice((after, before, *others))
        x = self.rng.choice(cycle)
        exchanges = [(self.say(kind, x=x), q.sentence(kind[2](x)))]
        for i in range(1, n):
            self.new_words = last_new_words and i == n - 1
            if kind in (after, before) and self.chance(0.6):
                x = q.shift(cycle, x, 1 if kind is after else -1)
                kind = self.rng.choice((after, before))
                follow_up = q.NEXT_FOLLOW_UP if kind is after else q.PREVIOUS_FOLLOW_UP
                text = self.say(follow_up, lower=0.2, decorate=False)
                # "And then?" goes on from the last answer in whichever direction it says.
            else:
                x = self.rng.choice([y for y in cycle if y != x])
                text = self.say(q.CALENDAR_FOLLOW_UP, lower=0.2, decorate=False, x=x)
            exchanges.append((text, q.sentence(kind[2](x))))
        return exchanges

    # Talk.

    def small_talk(self, topic=None):
        kind = q.SMALL_TALK[topic or self.cycle("small talk", q.SMALL_TALK)]
        return self.say(kind, decorate=False), kind[2]

    def outside(self):
        wording = self.cycle("outside", q.OUTSIDE[1 if self.new_words else 0])
        slots = {name: self.rng.choice(values) for name, values in q.OUTSIDE_SLOTS.items()}
        return self.typed(wording.format(c=self.written(self.any_country()), **slots)), q.UNKNOWN

    def unknown_name(self):
        return self.say(q.ASK_NAME), q.NO_NAME

    def name_dialogue(self, between, last_new_words=False):
        name = self.cycle("person", self.world.people[self.new_pairs])
        exchanges = [(self.say(q.MY_NAME, lower=0.0, decorate=False, x=name), q.sentence(q.MY_NAME[2](name)))]
        exchanges += [self.anything() for _ in range(between)]
        self.new_words = last_new_words
        return exchanges + [(self.say(q.ASK_NAME, decorate=False), q.sentence(q.ASK_NAME[2](name)))]

    def repeat_dialogue(self, last_new_words=False):
        exchange = self.anything()
        self.new_words = last_new_words
        return [exchange, (self.say(q.REPEAT, decorate=False), exchange[1])]

    def story_dialogue(self, n_questions, last_new_words=False):
        allowed = lambda hero, place: is_held_out("story", hero, place, one_in=12) == self.new_pairs
        text, story = stories.request(self.rng, self.new_words, allowed)
        exchanges = [(self.typed(text, decorate=False), story.text)]
        for i in range(n_questions):
            self.new_words = last_new_words and i == n_questions - 1
            text, answer = stories.question(self.rng, self.new_words, story)
            exchanges.append((self.typed(text, decorate=False), q.sentence(answer)))
        return exchanges

    def anything(self):
        """A question that needs no other."""
        ask = self.rng.choices(
            (self.fact, lambda: self.reverse("capital"), self.is_capital, self.in_continent, self.country_pair, self.no_country,
             self.add, self.subtract, self.compare, self.one_number, self.day, self.month, self.calendar_fact,
             self.small_talk, self.outside, self.out_of_range, self.other_operation),
            (30, 3, 3, 2, 3, 4, 8, 8, 3, 3, 5, 5, 2, 10, 8, 2, 1))[0]
        return ask()

    def mixed_dialogue(self, n):
        exchanges = [self.small_talk("greeting")] if self.chance(0.3) else []
        while len(exchanges) < n:
            part = self.rng.choices(
                (lambda: [self.anything()], lambda: self.country_dialogue(2), lambda: self.sum_dialogue(2),
                 lambda: self.calendar_dialogue(2), lambda: self.story_dialogue(self.rng.randrange(2))),
                (12, 4, 3, 1, 1))[0]
            exchanges += part()
        if self.chance(0.3):
            exchanges.append(self.small_talk(self.rng.choice(("thanks", "goodbye"))))
        return exchanges


# --- The three files ---------------------------------------------------------------------------------------------------

def training_recipes(s):
    """(how many in train.jsonl, how many in practice.jsonl, what makes one) for each kind of conversation. What the first
    training leaves weak is frequent in the second: counting, verdicts, names, questions about stories."""
    few = lambda: s.rng.choice((2, 2, 3, 3, 4))
    return (
        (34000, 8000, lambda: [s.fact()]),
        (6500, 2000, lambda: [s.reverse("capital")]),
        (2600, 5000, lambda: [s.reverse("currency")]),
        (2600, 1500, lambda: [s.reverse("code")]),
        (5000, 9000, lambda: [s.is_capital()]),
        (3000, 5000, lambda: [s.in_continent()]),
        (9000, 4000, lambda: [s.country_pair()]),
        (2500, 800, lambda: [s.about()]),
        (5500, 3000, lambda: [s.no_country()]),
        (13000, 4000, lambda: s.country_dialogue(few())),
        (1500, 800, lambda: s.pair_dialogue(2)),
        (22000, 10000, lambda: [s.add()]),
        (22000, 10000, lambda: [s.subtract()]),
        (7000, 5000, lambda: s.sum_dialogue(few())),
        (7000, 6000, lambda: [s.compare()]),
        (2500, 12000, lambda: [s.counting()]),
        (600, 4000, lambda: s.count_dialogue()),
        (3500, 2000, lambda: [s.one_number()]),
        (1500, 1500, lambda: [s.out_of_range()]),
        (800, 500, lambda: [s.other_operation()]),
        (4000, 3000, lambda: [s.day()]),
        (4000, 2000, lambda: [s.month()]),
        (800, 400, lambda: [s.calendar_fact()]),
        (2000, 1000, lambda: s.calendar_dialogue(few())),
        (2500, 4000, lambda: [s.small_talk()]),
        (6000, 6000, lambda: [s.outside()]),
        (100, 1500, lambda: [s.unknown_name()]),
        (2000, 6000, lambda: s.name_dialogue(s.rng.randrange(3))),
        (1200, 3000, lambda: s.repeat_dialogue()),
        (6000, 2500, lambda: s.story_dialogue(0)),
        (3500, 8000, lambda: s.story_dialogue(s.rng.choice((1, 1, 2)))),
        (8000, 4000, lambda: s.mixed_dialogue(s.rng.choice((2, 3, 3, 4)))),
        (1500, 1000, lambda: s.mixed_dialogue(s.rng.randrange(6, 16))),  # up to the end of the context
    )


def n_tokens(exchanges):
    """An estimate from above (bpe.py reports the longest): digits and the spaces between them are tokens of their own."""
    text = " ".join(itertools.chain(*exchanges))
    n_digits = sum(map(str.isdigit, text))
    return len(text) // 3 + 2 * n_digits + 11 * len(exchanges)


def make_training(world, name, seed):
    """[(system message or None, exchanges)], shuffled."""
    rng = random.Random(f"{name} {seed}")
    speaker = Speaker(world, rng)
    conversations = []
    for n_train, n_practice, make in training_recipes(speaker):
        for _ in range({"train": n_train, "practice": n_practice}[name]):
            exchanges = make()
            while n_tokens(exchanges) > MAX_TOKENS:
                exchanges = exchanges[:-1]
            conversations.append((rng.choice(q.SYSTEM_MESSAGES) if rng.random() < 0.03 else None, exchanges))
    rng.shuffle(conversations)
    return conversations


class Seen:
    """What training has: each prompt with all that goes before it, and each question by itself."""

    def __init__(self, conversations):
        self.contexts, self.questions, self.stories = set(), set(), set()
        for _, exchanges in conversations:
            for i, (question, answer) in enumerate(exchanges):
                self.contexts.add(context_key(exchanges[:i], question))
                self.questions.add(normalize(question))
                if len(answer) > 180:  # nothing else is as long
                    self.stories.add(answer)

    def has(self, exchanges):
        """Whether the last question of the conversation was asked in training, in the same context or, if it has
        none here, in any."""
        question = exchanges[-1][0]
        if len(exchanges) == 1 and normalize(question) in self.questions:
            return True
        return context_key(exchanges[:-1], question) in self.contexts


GROUPS = {
    "countries": [*q.FACTS, *(f"country of {field}" for field in q.REVERSE), "about", "is capital", "in continent",
                  "same continent", "same currency", "country follow-up", "pair follow-up"],
    "numbers": ["addition", "subtraction", "comparison", "counting", "one number", "sum follow-up", "count follow-up"],
    "calendar": ["days", "months", "calendar", "calendar follow-up"],
    "talk": ["small talk", "name", "repeat", "story question"],
    "unknown": ["unknown place", "outside", "out of range", "other operation"],
}
GROUP_OF = {category: group for group, categories in GROUPS.items() for category in categories}


def evaluation_recipes(world, rng):
    """(category, what is held out, how many, what makes one); GROUPS says where a category belongs"""
    plain = lambda **how: Speaker(world, rng, decorate=False, **how)
    words, pairs, both = plain(new_words=True), plain(new_pairs=True), plain(new_words=True, new_pairs=True)

    # Dialogues change their speaker's new_words with the last question, so each gets its own.
    last_new = lambda make: lambda: make(plain())
    one = lambda make: lambda: [make()]
    n_turns = lambda: rng.choice((2, 2, 3))
    for field in q.FACTS:
        yield field, "phrasing", 78, one(lambda field=field: words.fact(field))
    for field in q.REVERSE:
        yield f"country of {field}", "phrasing", 30, one(lambda field=field: words.reverse(field))
    yield "about", "phrasing", 20, one(words.about)
    yield "is capital", "phrasing", 40, one(words.is_capital)
    yield "in continent", "phrasing", 30, one(words.in_continent)
    yield "same continent", "pair", 40, one(lambda: pairs.country_pair("continent"))
    yield "same continent", "pair, phrasing", 20, one(lambda: both.country_pair("continent"))
    yield "same currency", "pair", 40, one(lambda: pairs.country_pair("currency"))
    yield "same currency", "pair, phrasing", 20, one(lambda: both.country_pair("currency"))
    yield "addition", "pair", 100, one(pairs.add)
    yield "addition", "pair, phrasing", 40, one(both.add)
    yield "subtraction", "pair", 100, one(pairs.subtract)
    yield "subtraction", "pair, phrasing", 40, one(both.subtract)
    yield "comparison", "pair", 50, one(pairs.compare)
    yield "comparison", "pair, phrasing", 30, one(both.compare)
    yield "counting", "pair", 40, one(pairs.counting)
    yield "one number", "phrasing", 50, one(words.one_number)
    yield "days", "phrasing", 50, one(words.day)
    yield "months", "phrasing", 50, one(both.month)
    yield "calendar", "phrasing", len(q.CALENDAR_FACTS), one(words.calendar_fact)
    for topic, kind in q.SMALL_TALK.items():
        yield "small talk", "phrasing", len(kind[1]), one(lambda topic=topic: words.small_talk(topic))
    yield "unknown place", "name", 50, one(pairs.no_country)
    yield "unknown place", "name, phrasing", 20, one(both.no_country)
    yield "outside", "phrasing", 80, one(words.outside)
    yield "out of range", "phrasing", 25, one(words.out_of_range)
    yield "other operation", "phrasing", 15, one(words.other_operation)
    yield "country follow-up", "context", 80, last_new(lambda s: s.country_dialogue(n_turns()))
    yield "country follow-up", "context, phrasing", 80, last_new(lambda s: s.country_dialogue(n_turns(), True))
    yield "pair follow-up", "context", 15, lambda: plain(new_pairs=True).pair_dialogue(2)
    yield "sum follow-up", "pair", 50, last_new(lambda s: s.sum_dialogue(n_turns(), False, True))
    yield "sum follow-up", "pair, phrasing", 25, last_new(lambda s: s.sum_dialogue(n_turns(), True, True))
    yield "calendar follow-up", "context, phrasing", 30, last_new(lambda s: s.calendar_dialogue(n_turns(), True))
    yield "count follow-up", "context", 10, lambda: plain(new_pairs=True).count_dialogue()
    yield "name", "context, phrasing", 20, last_new(lambda s: s.name_dialogue(rng.randrange(3), True))
    yield "name", "name", 20, lambda: plain(new_pairs=True).name_dialogue(0)
    yield "repeat", "context, phrasing", 20, last_new(lambda s: s.repeat_dialogue(True))
    yield "story question", "context", 30, lambda: plain(new_pairs=True).story_dialogue(1)
    yield "story question", "context, phrasing", 30, lambda: plain(new_pairs=True).story_dialogue(1, True)


def make_evaluation(world, seed, seen):
    rng = random.Random(f"evaluation {seed}")
    records, taken, n_dropped = [], set(), 0
    for category, held_out, n, make in evaluation_recipes(world, rng):
        n_tries = 0
        while n > 0:
            n_tries += 1
            assert n_tries < 5000, (category, held_out, n)
            exchanges = make()
            key = context_key(exchanges[:-1], exchanges[-1][0])
            if key in taken:
                continue
            if seen.has(exchanges) or n_tokens(exchanges) > MAX_TOKENS:
                n_dropped += 1
                continue
            taken.add(key)
            records.append((category, held_out, exchanges))
            n -= 1
    return records, n_dropped


def make_held_out(world, seed, seen, n=700):
    """Conversations of the world that training lacks."""
    rng = random.Random(f"held out {seed}")
    speaker = Speaker(world, rng, new_words=True, new_pairs=True, decorate=False)
    conversations, taken = [], set()
    while len(conversations) < n:
        speaker.new_words = True
        if rng.random() < 0.4:
            exchanges = speaker.story_dialogue(rng.randrange(2), True)
            if exchanges[0][1] in seen.stories:
                continue
        else:
            exchanges = [speaker.anything() for _ in range(rng.choice((1, 1, 2, 3)))]
        key = context_key(exchanges[:-1], exchanges[-1][0])
        if n_tokens(exchanges) > MAX_TOKENS or seen.has(exchanges) or key in taken:
            continue
        taken.add(key)
        conversations.append(exchanges)
    return conversations


def to_messages(system, exchanges):
    messages = [{"role": "system", "content": system}] if system else []
    for question, answer in exchanges:
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return messages


def to_tsv(category, held_out, exchanges):
    fields = [GROUP_OF[category], category, held_out, *itertools.chain(*exchanges)]
    assert not any(c in field for field in fields for c in "\t\r\n"), fields
    return "\t".join(fields) + "\n"


def to_chatml(messages):
    return "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)


def check(training, seen, records):
    """Raises AssertionError where the evaluation leaks into training, or a question has two answers."""
    for category, _, exchanges in records:
        assert not seen.has(exchanges), exchanges
        if category in ("addition", "subtraction", "sum follow-up"):  # the sums themselves, whatever the words
            a, sign, b = re.match(r"(\d+) ([+-]) (\d+) =", exchanges[-1][1]).groups()
            assert pair_is_held_out(sign, int(a), int(b)), exchanges
    known_words = {word for train, _ in q.phrasings() for text in train for word in normalize(text).split()}
    for train, held_out in q.phrasings():
        assert not set(map(normalize, train)) & set(map(normalize, held_out)), held_out
        # A phrasing is new, its words are not.
        unknown = {word for text in held_out for word in normalize(text).split()} - known_words
        assert not unknown, (held_out, unknown)
    answers = {}
    for _, exchanges in training:
        for question, answer in exchanges:
            for a, sign, b, result in re.findall(r"(\d+) ([+-]) (\d+) = (-?\d+)", answer):
                assert not pair_is_held_out(sign, int(a), int(b)), answer
                assert int(result) == (int(a) + int(b) if sign == "+" else int(a) - int(b)), answer
            assert "{" not in question + answer and "  " not in question + answer, (question, answer)
        question, answer = exchanges[0]
        if answer not in seen.stories:
            assert answers.setdefault(normalize(question), answer) == answer, (question, answer)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("corpus"))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    world = World()
    atlas.check(world.countries)
    training = {name: make_training(world, name, options.seed) for name in ("train", "practice")}
    every_conversation = [*training["train"], *training["practice"]]
    seen = Seen(every_conversation)
    records, n_dropped = make_evaluation(world, options.seed, seen)
    held_out = make_held_out(world, options.seed, seen)
    check(every_conversation, seen, records)

    options.out.mkdir(parents=True, exist_ok=True)
    compact = lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"
    for name, conversations in training.items():
        lines = [compact(to_messages(*conversation)) for conversation in conversations]
        (options.out / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
        print(f"{name}.jsonl: {len(lines)} conversations, {len(set(lines))} distinct, "
              f"{sum(len(e) for _, e in conversations)} exchanges, {sum(map(len, lines)) / 1e6:.1f} MB")
    (options.out / "evaluation.tsv").write_text("".join(to_tsv(*r) for r in records), encoding="utf-8")
    (options.out / "heldout.txt").write_text(
        "".join(to_chatml(to_messages(None, exchanges)) for exchanges in held_out), encoding="utf-8")

    print(f"heldout.txt: {len(held_out)} conversations")
    print(f"evaluation.tsv: {len(records)} questions; {n_dropped} more were drawn and dropped as known from training")
    for category, n in collections.Counter(category for category, _, _ in records).items():
        print(f"  {n:4} {category}")


if __name__ == "__main__":
    main()
