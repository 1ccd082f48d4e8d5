"""What can be asked in the tiny model's world, in which words, and the one right answer to each.

Every kind of question has phrasings for training and phrasings held out for the evaluation, made of words that training
has elsewhere. Answers are canonical: one sentence per meaning, however it was asked. Where an answer needs two
facts or a sum, it says those first and the verdict last ("..., so no."): each word then follows from a single look-up.
"""

from countries import CONTINENTS, without_article

UNKNOWN = "I'm sorry, I don't know that."
UNKNOWN_PLACE = "I'm sorry, I don't know that place."
OUT_OF_RANGE = "I'm sorry, I can only calculate with whole numbers from 0 to 99."
OTHER_OPERATION = "I'm sorry, I can only add and subtract."
TOO_LONG = "I'm sorry, that is too long for me to count."
NO_NAME = "I don't know your name yet."
NO_SUCH_MONTH = "There are only 12 months in a year."


def sentence(text):
    """With a capital first and one full stop last."""
    text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."


def and_list(words):
    words = list(words)
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def verdict(yes):
    return "yes" if yes else "no"


# --- Countries ---------------------------------------------------------------------------------------------------------
# {c} is the country ("the Netherlands"), {cs} its genitive.

FACTS = {
    "capital": (
        ("What is the capital of {c}?", "What's the capital of {c}?", "What is the capital city of {c}?",
         "Which city is the capital of {c}?", "Tell me the capital of {c}.", "Name the capital of {c}.",
         "What is {cs} capital?", "Can you tell me the capital of {c}?", "Do you know the capital of {c}?",
         "capital of {c}", "{c}: capital?", "What is the name of the capital of {c}?", "I need the capital of {c}.",
         "{c} has which capital?", "What city is the capital of {c}?", "Which is the capital of {c}?"),
        ("Please name the capital city of {c}.", "Which city is {cs} capital?", "Do you know what the capital of {c} is?",
         "Give me the capital of {c}."),
        lambda c: f"The capital of {c.name} is {c.capital}"),
    "currency": (
        ("What is the currency of {c}?", "What's the currency of {c}?", "Which currency does {c} use?",
         "What currency do they use in {c}?", "What is {cs} currency?", "Tell me the currency of {c}.",
         "What money is used in {c}?", "Which money do people use in {c}?", "How do you pay in {c}?",
         "currency of {c}", "{c}: currency?", "What is the name of the money in {c}?", "Name the currency of {c}.",
         "What currency is used in {c}?", "Can you tell me the currency of {c}?", "What do people pay with in {c}?"),
        ("Which currency do people use in {c}?", "Do you know what the currency of {c} is?", "What is the money of {c}?",
         "Give me the currency of {c}."),
        lambda c: f"The currency of {c.name} is the {c.currency}"),
    "language": (
        ("What language do people speak in {c}?", "Which language is spoken in {c}?", "What is the language of {c}?",
         "What do people speak in {c}?", "What language is spoken in {c}?", "Which languages are spoken in {c}?",
         "What is the official language of {c}?", "What is {cs} language?", "Tell me the language of {c}.",
         "language of {c}", "{c}: language?", "Name the language of {c}.", "What are the languages of {c}?",
         "Can you tell me the language of {c}?", "Which language do they speak in {c}?", "How do people talk in {c}?"),
        ("What languages do people speak in {c}?", "Which language do people speak in {c}?",
         "Do you know what the language of {c} is?", "Give me the language of {c}."),
        lambda c: f"People in {c.name} speak {and_list(c.languages)}"),
    "continent": (
        ("Which continent is {c} on?", "On which continent is {c}?", "What continent is {c} on?", "Where is {c}?",
         "Which continent is {c} in?", "What is the continent of {c}?", "In which part of the world is {c}?",
         "Tell me the continent of {c}.", "Where in the world is {c}?", "What is {cs} continent?", "continent of {c}",
         "{c}: continent?", "Name the continent of {c}.", "Can you tell me where {c} is?", "What continent is {c} in?",
         "Where can I find {c}?"),
        ("In which continent is {c}?", "Do you know which continent {c} is on?", "Tell me where {c} is.",
         "Give me the continent of {c}."),
        lambda c: f"{c.name} is in {c.continent}"),
    "code": (
        ("What is the country code of {c}?", "What's the country code of {c}?", "What is the code of {c}?",
         "Which country code does {c} have?", "Tell me the country code of {c}.", "What is {cs} country code?",
         "Which two letters stand for {c}?", "What is the two-letter code of {c}?", "country code of {c}",
         "{c}: country code?", "Name the country code of {c}.", "Can you tell me the country code of {c}?"),
        ("Which code does {c} have?", "Do you know what the country code of {c} is?", "Give me the country code of {c}.",
         "What are the two letters of {c}?"),
        lambda c: f"The country code of {c.name} is {c.code}"),
}

ABOUT = (
    ("Tell me about {c}.", "What do you know about {c}?", "Tell me something about {c}.", "What can you tell me about {c}?",
     "Can you tell me about {c}?", "Describe {c}.", "I want to know more about {c}.", "What is {c}?", "Give me some facts about {c}.",
     "I would like to know something about {c}."),
    ("Do you know something about {c}?", "Please tell me what you know about {c}.", "I want to know something about {c}."),
    lambda c: f"{c.name} is a country in {c.continent}. Its capital is {c.capital}, "
              f"its currency is the {c.currency}, and people there speak {and_list(c.languages)}")

# From the fact back to the country. {x} is the capital, currency or code.
REVERSE = {
    "capital": (
        ("{x} is the capital of which country?", "Which country has the capital {x}?", "What country is {x} the capital of?",
         "Of which country is {x} the capital?", "Which country's capital is {x}?", "Whose capital is {x}?",
         "{x} is the capital of what?", "Name the country with the capital {x}.", "Tell me which country has the capital {x}.",
         "In which country is {x} the capital?"),
        ("Which country is {x} the capital of?", "What country has the capital {x}?", "Which country has {x} as its capital?"),
        lambda c: f"{c.capital} is the capital of {c.name}"),
    "currency": (
        ("Which country uses the {x}?", "In which country do people pay with the {x}?", "Where is the {x} used?",
         "The {x} is the currency of which country?", "Which country has the {x}?", "What country uses the {x}?",
         "Where do people use the {x}?", "Name the country that uses the {x}."),
        ("Of which country is the {x} the currency?", "Which country's currency is the {x}?",
         "Tell me which country uses the {x}."),
        lambda c: f"The {c.currency} is the currency of {c.name}"),
    "code": (
        ("Which country has the country code {x}?", "Which country has the code {x}?", "What country is {x}?",
         "{x} is the country code of which country?", "What does the country code {x} stand for?",
         "Which country does {x} stand for?", "Whose country code is {x}?"),
        ("What country has the country code {x}?", "Tell me which country has the code {x}.",
         "Of which country is {x} the country code?"),
        lambda c: f"{c.code} is the country code of {c.name}"),
}

IS_CAPITAL = (  # {x}: a city
    ("Is {x} the capital of {c}?", "Is the capital of {c} {x}?", "Is it true that {x} is the capital of {c}?",
     "{x} is the capital of {c}, right?", "Is {cs} capital {x}?", "Is {x} the capital city of {c}?"),
    ("Is it right that {x} is the capital of {c}?", "The capital of {c} is {x}, right?"),
    lambda c, x: f"The capital of {c.name} is {c.capital}, so {verdict(x == c.capital)}")
IN_CONTINENT = (  # {x}: a continent
    ("Is {c} in {x}?", "Is {c} a country in {x}?", "Is it true that {c} is in {x}?", "{c} is in {x}, right?",
     "Is {c} part of {x}?", "Is {c} among the countries of {x}?"),
    ("Is it right that {c} is in {x}?", "Is {c} one of the countries in {x}?"),
    lambda c, x: f"{c.name} is in {c.continent}, so {verdict(x == c.continent)}")

SAME_CONTINENT = (  # {c} and {d}
    ("Are {c} and {d} on the same continent?", "Is {c} on the same continent as {d}?",
     "Do {c} and {d} share a continent?", "Are {c} and {d} in the same part of the world?",
     "Is {c} in the same part of the world as {d}?", "{c} and {d}: same continent?", "Are both {c} and {d} on the same continent?"),
    ("Do both {c} and {d} share one continent?", "Are {c} and {d} on one continent?"),
    lambda c, d: f"{c.name} is in {c.continent} and {d.name} is in {d.continent}, so {verdict(c.continent == d.continent)}")
SAME_CURRENCY = (
    ("Do {c} and {d} use the same currency?", "Do {c} and {d} have the same currency?",
     "Does {c} use the same currency as {d}?", "Do people in {c} and {d} use the same money?",
     "Does {c} have the same money as {d}?", "{c} and {d}: same currency?", "Do both {c} and {d} use the same money?"),
    ("Do {c} and {d} share a currency?", "Do people in {c} and {d} pay with the same money?"),
    lambda c, d: f"{c.name} uses the {c.currency} and {d.name} uses the {d.currency}, "
                 f"so {verdict(c.currency == d.currency)}")
PAIR_FOLLOW_UP = (
    ("And {c} and {d}?", "What about {c} and {d}?", "How about {c} and {d}?", "And what about {c} and {d}?"),
    ("And how about {c} and {d}?", "Now {c} and {d}?"))

# Follow-ups. A field of the country last spoken of; another country with the field last asked for.
FIELD_FOLLOW_UP = {
    "capital": (("And its capital?", "And the capital?", "What about its capital?", "What is its capital?",
                 "And what is the capital?", "Its capital?", "How about the capital?", "What is its capital city?"),
                ("And what is its capital?", "What is the capital there?", "How about its capital?")),
    "currency": (("And its currency?", "And the currency?", "What about its currency?", "What is its currency?",
                  "And what is the currency?", "Its currency?", "How about the currency?", "What money do they use there?",
                  "How do people pay there?"),
                 ("And what is its currency?", "What is the currency there?", "How about its currency?")),
    "language": (("And its language?", "And the language?", "What about its language?", "What is its language?",
                  "And what is the language?", "Its language?", "How about the language?",
                  "What do people speak there?", "Which language is spoken there?"),
                 ("And what is its language?", "What is the language there?", "How about its language?")),
    "continent": (("And its continent?", "And the continent?", "What about its continent?", "What is its continent?",
                   "And what is the continent?", "Its continent?", "Where is it?", "Which continent is it on?",
                   "And where is that?"),
                  ("And on which continent is it?", "And where is it?", "How about its continent?")),
    "code": (("And its country code?", "And the country code?", "What about its country code?",
              "What is its country code?", "And what is the country code?", "Its country code?", "And its code?"),
             ("And what is its country code?", "How about its country code?")),
}
COUNTRY_FOLLOW_UP = (
    ("And {c}?", "What about {c}?", "How about {c}?", "And for {c}?", "And what about {c}?", "The same for {c}?", "{c}?",
     "And in {c}?"),
    ("And how about {c}?", "Now {c}?", "And the same for {c}?"))
COUNTRY_FOLLOW_UP_OF = (  # after a field that is "of" a country
    ("And of {c}?", "And that of {c}?", "And what is that of {c}?"), ("What about that of {c}?",))

# --- Numbers -----------------------------------------------------------------------------------------------------------

ADD = (  # a + b
    ("What is {a} + {b}?", "What is {a} plus {b}?", "What's {a} + {b}?", "{a} + {b}", "{a}+{b}", "{a} + {b} = ?",
     "{a} plus {b}?", "How much is {a} + {b}?", "How much is {a} plus {b}?", "Calculate {a} + {b}.", "Add {a} and {b}.",
     "Add {b} to {a}.", "What is the sum of {a} and {b}?", "What do you get if you add {b} to {a}?",
     "Can you add {a} and {b}?", "{a} and {b} together?", "I have {a} apples and get {b} more. How many do I have?",
     "There are {a} birds and {b} more come. How many are there?", "Give me the sum of {a} and {b}.",
     "I read {a} books and then {b} more. How many books did I read?"),
    ("Tell me the sum of {a} and {b}.", "Please calculate {a} plus {b}.", "What do you get if you add {a} and {b}?",
     "I have {a} books and get {b} more. How many do I have?"),
    lambda a, b: f"{a} + {b} = {a + b}")
SUBTRACT = (  # a - b
    ("What is {a} - {b}?", "What is {a} minus {b}?", "What's {a} - {b}?", "{a} - {b}", "{a}-{b}", "{a} - {b} = ?",
     "{a} minus {b}?", "How much is {a} - {b}?", "How much is {a} minus {b}?", "Calculate {a} - {b}.",
     "Subtract {b} from {a}.", "Take {b} away from {a}.", "What do you get if you subtract {b} from {a}?",
     "Can you subtract {b} from {a}?"),
    ("Please calculate {a} minus {b}.", "What do you get if you take {b} away from {a}?", "Please subtract {b} from {a}."),
    lambda a, b: f"{a} - {b} = {a - b}")
TAKE_AWAY = (  # where a >= b
    ("I have {a} apples and eat {b}. How many are left?", "There are {a} birds and {b} fly away. How many are left?",
     "I have {a} books and sell {b} of them. How many are left?",
     "What is the difference between {a} and {b}?"),
    ("I have {a} books and give away {b}. How many are left?",))
IS_SUM = (  # {x}: a claimed sum
    ("Is {a} + {b} = {x}?", "Is {a} plus {b} equal to {x}?", "Does {a} + {b} equal {x}?", "Is it true that {a} + {b} = {x}?",
     "{a} + {b} = {x}, right?"),
    ("Is it right that {a} + {b} = {x}?", "Does {a} plus {b} equal {x}?"),
    lambda a, b, x: f"{a} + {b} = {a + b}, so {verdict(a + b == x)}")
PLUS_FOLLOW_UP = (
    ("Plus {n}?", "And plus {n}?", "Add {n}.", "Now add {n}.", "Add {n} to that.", "And {n} more?", "+ {n}?",
     "What is that plus {n}?"),
    ("And now plus {n}?", "Now plus {n}?", "What do you get if you add {n}?"))
MINUS_FOLLOW_UP = (
    ("Minus {n}?", "And minus {n}?", "Subtract {n}.", "Now subtract {n}.", "Subtract {n} from that.", "- {n}?",
     "Take away {n}.", "What is that minus {n}?"),
    ("And now minus {n}?", "Now minus {n}?", "What do you get if you subtract {n}?"))
SUM_FOLLOW_UP = (("And {a} + {b}?", "What about {a} + {b}?", "And {a} plus {b}?"), ("And how much is {a} + {b}?",))
DIFFERENCE_FOLLOW_UP = (("And {a} - {b}?", "What about {a} - {b}?", "And {a} minus {b}?"), ("And how much is {a} - {b}?",))

OTHER_OPERATIONS = (
    ("What is {a} times {b}?", "What is {a} * {b}?", "{a} * {b}", "{a} x {b}", "Multiply {a} by {b}.",
     "What is {a} divided by {b}?", "{a} / {b}", "Divide {a} by {b}.", "How much is {a} times {b}?",
     "What is the square root of {a}?", "What is {a} squared?", "Calculate {a} * {b}."),
    ("How much is {a} divided by {b}?", "Calculate {a} times {b}.", "Please multiply {a} by {b}."))


def larger_or_smaller(a, b):
    return f"{max(a, b)} is larger than {min(a, b)}", f"{min(a, b)} is smaller than {max(a, b)}"


LARGER = (
    ("Which is larger, {a} or {b}?", "Which number is larger, {a} or {b}?", "What is larger, {a} or {b}?",
     "Which is bigger, {a} or {b}?", "Which is more, {a} or {b}?", "{a} or {b}: which is larger?",
     "Which of {a} and {b} is larger?"),
    ("Which number is bigger, {a} or {b}?", "Tell me which is larger, {a} or {b}."),
    lambda a, b: f"{a} and {b} are equal" if a == b else larger_or_smaller(a, b)[0])
SMALLER = (
    ("Which is smaller, {a} or {b}?", "Which number is smaller, {a} or {b}?", "What is smaller, {a} or {b}?",
     "Which is less, {a} or {b}?", "{a} or {b}: which is smaller?", "Which of {a} and {b} is smaller?"),
    ("What is less, {a} or {b}?", "Tell me which is smaller, {a} or {b}."),
    lambda a, b: f"{a} and {b} are equal" if a == b else larger_or_smaller(a, b)[1])


def relation(a, b):
    return f"{a} and {b} are equal" if a == b else f"{a} is {'larger' if a > b else 'smaller'} than {b}"


IS_LARGER = (
    ("Is {a} larger than {b}?", "Is {a} bigger than {b}?", "Is {a} more than {b}?", "Is it true that {a} is larger than {b}?",
     "{a} is larger than {b}, right?", "{a} > {b}?"),
    ("Is it right that {a} is larger than {b}?", "{a} is bigger than {b}, right?"),
    lambda a, b: f"{relation(a, b)}, so {verdict(a > b)}")
IS_SMALLER = (
    ("Is {a} smaller than {b}?", "Is {a} less than {b}?", "Is it true that {a} is smaller than {b}?",
     "{a} is smaller than {b}, right?", "{a} < {b}?"),
    ("Is it right that {a} is smaller than {b}?", "{a} is less than {b}, right?"),
    lambda a, b: f"{relation(a, b)}, so {verdict(a < b)}")

COUNT = (  # up where a <= b, else down
    ("Count from {a} to {b}.", "Can you count from {a} to {b}?", "Please count from {a} to {b}.", "Count {a} to {b}.",
     "Say the numbers from {a} to {b}.", "What are the numbers from {a} to {b}?"),
    ("I want you to count from {a} to {b}.", "Tell me the numbers from {a} to {b}."))
COUNT_TO = (("Count to {b}.", "Can you count to {b}?", "Please count to {b}.", "Count up to {b}."),
            ("I want you to count to {b}.",))
BACKWARDS = (("And backwards?", "Now backwards.", "And the other way?", "Can you do it backwards?"),
             ("And now backwards?", "Please do it backwards."))


def count(a, b):
    return ", ".join(str(n) for n in (range(a, b + 1) if a <= b else range(a, b - 1, -1)))


NUMBER_AFTER = (
    ("What number comes after {a}?", "Which number comes after {a}?", "What is the number after {a}?", "What comes after {a}?",
     "Which number follows {a}?", "Tell me the number after {a}."),
    ("Which is the number after {a}?", "Name the number that comes after {a}."),
    lambda a: f"{a + 1} comes after {a}")
NUMBER_BEFORE = (
    ("What number comes before {a}?", "Which number comes before {a}?", "What is the number before {a}?",
     "What comes before {a}?", "Tell me the number before {a}."),
    ("Which is the number before {a}?", "Name the number that comes before {a}."),
    lambda a: f"{a - 1} comes before {a}")
EVEN = (
    ("Is {a} even or odd?", "Is {a} odd or even?", "Is the number {a} even or odd?", "{a}: even or odd?"),
    ("Tell me: is {a} even or odd?", "Is the number {a} odd or even?"),
    lambda a: f"{a} is {'odd' if a % 2 else 'even'}")
IN_WORDS = (
    ("Write {a} in words.", "How do you write {a} in words?", "What is {a} in words?", "{a} in words?", "Spell the number {a}.",
     "Say {a} in words."),
    ("Please write {a} in words.", "Can you write {a} in words?"),
    lambda a: f"{a} in words is {number_words(a)}")
IN_DIGITS = (
    ("Write {w} in digits.", "Write {w} as a number.", "What is {w} in digits?", "How do you write {w} in digits?",
     "{w} in digits?"),
    ("Please write {w} in digits.", "Can you write {w} as a number?"),
    lambda a: f"{number_words(a)} in digits is {a}")

ONES = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
        "eighteen nineteen").split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()


def number_words(n):
    if n < 20:
        return ONES[n]
    return TENS[n // 10 - 2] + ("-" + ONES[n % 10] if n % 10 else "")


# --- Days and months ---------------------------------------------------------------------------------------------------

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
MONTH_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()


def shift(cycle, x, n):
    return cycle[(cycle.index(x) + n) % len(cycle)]


DAY_AFTER = (
    ("What day comes after {x}?", "Which day is after {x}?", "What is the day after {x}?", "Which day follows {x}?",
     "What comes after {x}?", "Which day comes after {x}?", "Tell me the day after {x}.", "What day is after {x}?"),
    ("Which is the day after {x}?", "Name the day that comes after {x}.", "Do you know the day after {x}?"),
    lambda x: f"The day after {x} is {shift(DAYS, x, 1)}")
DAY_BEFORE = (
    ("What day comes before {x}?", "Which day is before {x}?", "What is the day before {x}?", "What comes before {x}?",
     "Which day comes before {x}?", "Tell me the day before {x}.", "What day is before {x}?"),
    ("Which is the day before {x}?", "Name the day that comes before {x}.", "Do you know the day before {x}?"),
    lambda x: f"The day before {x} is {shift(DAYS, x, -1)}")
TOMORROW = (
    ("If today is {x}, what day is tomorrow?", "Today is {x}. What day is tomorrow?", "It is {x} today. What day is it tomorrow?",
     "If it is {x} today, what is tomorrow?", "What day is tomorrow if today is {x}?"),
    ("Today is {x}. Which day is tomorrow?", "What is tomorrow if it is {x} today?"),
    lambda x: f"If today is {x}, tomorrow is {shift(DAYS, x, 1)}")
YESTERDAY = (
    ("If today is {x}, what day was yesterday?", "Today is {x}. What day was yesterday?",
     "It is {x} today. What day was it yesterday?", "If it is {x} today, what was yesterday?",
     "What day was yesterday if today is {x}?"),
    ("Today is {x}. Which day was yesterday?", "What was yesterday if it is {x} today?"),
    lambda x: f"If today is {x}, yesterday was {shift(DAYS, x, -1)}")
DAYS_AFTER = (  # {n}: 2 to 7
    ("What day is {n} days after {x}?", "Which day is {n} days after {x}?", "Today is {x}. What day is it in {n} days?",
     "If today is {x}, what day is it in {n} days?", "What day comes {n} days after {x}?"),
    ("Tell me the day {n} days after {x}.", "It is {x} today. What day is it in {n} days?"),
    lambda x, n: f"{n} days after {x} is {shift(DAYS, x, n)}")
DAYS_BEFORE = (
    ("What day is {n} days before {x}?", "Which day is {n} days before {x}?", "Today is {x}. What day was it {n} days ago?",
     "If today is {x}, what day was it {n} days ago?", "What day comes {n} days before {x}?"),
    ("Tell me the day {n} days before {x}.", "It is {x} today. What day was it {n} days ago?"),
    lambda x, n: f"{n} days before {x} is {shift(DAYS, x, -n)}")
WEEKEND = (
    ("Is {x} on the weekend?", "Is {x} a weekend day?", "Is {x} part of the weekend?", "Does {x} belong to the weekend?"),
    ("Is it true that {x} is on the weekend?", "{x} is on the weekend, right?"),
    lambda x: f"{x} is on the weekend, so yes" if x in DAYS[5:] else f"{x} is a weekday, so no")
MONTH_AFTER = (
    ("What month comes after {x}?", "Which month is after {x}?", "What is the month after {x}?", "Which month follows {x}?",
     "What comes after {x}?", "Which month comes after {x}?", "Tell me the month after {x}."),
    ("Which is the month after {x}?", "Name the month that comes after {x}.", "Do you know the month after {x}?"),
    lambda x: f"The month after {x} is {shift(MONTHS, x, 1)}")
MONTH_BEFORE = (
    ("What month comes before {x}?", "Which month is before {x}?", "What is the month before {x}?", "What comes before {x}?",
     "Which month comes before {x}?", "Tell me the month before {x}."),
    ("Which is the month before {x}?", "Name the month that comes before {x}.", "Do you know the month before {x}?"),
    lambda x: f"The month before {x} is {shift(MONTHS, x, -1)}")
MONTH_NUMBER = (
    ("What number is {x}?", "Which number is {x}?", "What is the number of {x}?", "Which month number is {x}?",
     "What number does {x} have?", "Tell me the number of {x}."),
    ("What is the number of the month {x}?", "Do you know the number of {x}?"),
    lambda x: f"{x} is month number {MONTHS.index(x) + 1}")
MONTH_OF_NUMBER = (  # {n} the number, {o} its ordinal
    ("Which month is number {n}?", "What is month number {n}?", "What month is number {n}?", "Month {n}?", "What is month {n}?",
     "Which month has the number {n}?"),
    ("Name month number {n}.", "Tell me which month is number {n}."),
    lambda n: f"Month number {n} is {MONTHS[n - 1]}" if 1 <= n <= 12 else NO_SUCH_MONTH)
MONTH_OF_ORDINAL = (
    ("What is the {o} month?", "Which is the {o} month of the year?", "What is the {o} month of the year?",
     "Name the {o} month.", "Which month is the {o}?"),
    ("Tell me the {o} month of the year.", "What month is the {o}?"))
MONTH_LENGTH = (
    ("How many days are in {x}?", "How many days does {x} have?", "How many days has {x}?", "How long is {x}?",
     "How many days are there in {x}?", "What is the number of days in {x}?", "Tell me how many days {x} has."),
    ("Do you know how many days {x} has?", "How many days does the month {x} have?"),
    lambda x: f"{x} has 28 days, or 29 in a leap year" if x == "February"
              else f"{x} has {MONTH_LENGTHS[MONTHS.index(x)]} days")
MONTH_ORDER = (  # x before y
    ("Does {x} come before {y}?", "Is {x} before {y}?", "Is {x} earlier in the year than {y}?", "Does {x} come earlier than {y}?"),
    ("Is it true that {x} comes before {y}?", "{x} comes before {y}, right?"),
    lambda x, y: f"{x} is month {MONTHS.index(x) + 1} and {y} is month {MONTHS.index(y) + 1}, "
                 f"so {verdict(MONTHS.index(x) < MONTHS.index(y))}")
NEXT_FOLLOW_UP = (("And after that?", "And the one after that?", "And then?", "What comes after that?"),
                  ("And what comes after that?",))
PREVIOUS_FOLLOW_UP = (("And before that?", "And the one before that?", "What comes before that?"),
                      ("And what comes before that?",))
CALENDAR_FOLLOW_UP = (("And {x}?", "What about {x}?", "How about {x}?", "And what about {x}?"), ("And how about {x}?",))

CALENDAR_FACTS = (
    (("How many days are in a week?", "How many days does a week have?", "How long is a week?", "Days in a week?"),
     ("How many days has a week?",), "A week has 7 days."),
    (("How many months are in a year?", "How many months does a year have?", "Months in a year?",
      "What is the number of months in a year?"), ("How many months has a year?",), "A year has 12 months."),
    (("How many days are in a year?", "How many days does a year have?", "How long is a year?", "Days in a year?"),
     ("How many days has a year?",), "A year has 365 days, or 366 in a leap year."),
    (("How many days are in a leap year?", "How many days does a leap year have?", "How long is a leap year?"),
     ("How many days has a leap year?",), "A leap year has 366 days."),
    (("How many weeks are in a year?", "How many weeks does a year have?", "Weeks in a year?"),
     ("How many weeks has a year?",), "A year has about 52 weeks."),
    (("How many hours are in a day?", "How many hours does a day have?", "How long is a day?", "Hours in a day?"),
     ("How many hours has a day?",), "A day has 24 hours."),
    (("How many minutes are in an hour?", "How many minutes does an hour have?", "How long is an hour?"),
     ("How many minutes has an hour?",), "An hour has 60 minutes."),
    (("How many seconds are in a minute?", "How many seconds does a minute have?", "How long is a minute?"),
     ("How many seconds has a minute?",), "A minute has 60 seconds."),
    (("Name the days of the week.", "What are the days of the week?", "List the days of the week.",
      "Which days does a week have?", "Tell me the days of the week."),
     ("Can you name the days of the week?",), "The days of the week are " + and_list(DAYS) + "."),
    (("Name the months of the year.", "What are the months of the year?", "List the months of the year.",
      "Which months does a year have?", "Tell me the months of the year."),
     ("Can you name the months of the year?",), "The months of the year are " + and_list(MONTHS) + "."),
    (("What are the days of the weekend?", "Which days are on the weekend?", "When is the weekend?"),
     ("Which days are part of the weekend?",), "The weekend is Saturday and Sunday."),
    (("Which month is the shortest?", "What is the shortest month?", "Which month has the fewest days?"),
     ("Tell me the shortest month.",), "The shortest month is February."),
    (("What is the first month of the year?", "Which month comes first?", "With which month does the year begin?"),
     ("With what month does the year begin?",), "Month number 1 is January."),
    (("What is the last month of the year?", "Which month comes last?", "With which month does the year end?"),
     ("With what month does the year end?",), "Month number 12 is December."),
    (("What are the continents?", "Name the continents.", "Which continents do you know?", "List the continents."),
     ("Tell me the continents.",), "I know countries in " + and_list(CONTINENTS) + "."),
)

# --- Small talk --------------------------------------------------------------------------------------------------------

SMALL_TALK = {
    "greeting": (
        ("Hello!", "Hi!", "Hey!", "Hello there!", "Hi there!", "Good morning!", "Good evening!", "Good afternoon!", "Good day!",
         "Greetings!", "Hello, lamina!", "Hi lamina!", "Hello, how can you help me?", "Hey you!", "Hello hello!", "Howdy!"),
        ("Hey there!", "Good morning, lamina!", "Hi, hello!", "Hello again!", "Good evening, lamina!"),
        "Hello! How can I help you?"),
    "who": (
        ("Who are you?", "What are you?", "What is your name?", "What's your name?", "Tell me who you are.", "Introduce yourself.",
         "Who am I talking to?", "What should I call you?", "Tell me about yourself.", "Are you a language model?",
         "What model are you?", "Do you have a name?"),
        ("Can you tell me who you are?", "Please introduce yourself.", "Tell me your name.", "Who is this?"),
        "I am lamina's tiny model, a very small language model."),
    "human": (
        ("Are you human?", "Are you a human?", "Are you a person?", "Are you real?", "Are you a robot?", "Are you alive?",
         "Am I talking to a human?", "Are you a machine?", "Is this a machine?"),
        ("Are you a real person?", "Is this a human?", "Am I talking to a machine?"),
        "No, I am only a small language model."),
    "maker": (
        ("Who made you?", "Who created you?", "Where do you come from?", "How were you made?", "Who built you?", "Who trained you?",
         "What is lamina?", "What were you made for?"),
        ("Do you know who made you?", "Tell me who created you.", "Where are you from?"),
        "I was trained from scratch for lamina, a C++ library that runs language models."),
    "size": (
        ("How big are you?", "How large are you?", "How many parameters do you have?", "Are you a large model?", "Are you big?",
         "What is your size?", "How small are you?"),
        ("Tell me how big you are.", "Are you a big model?", "Do you know how many parameters you have?"),
        "I am very small: I have only a few million parameters."),
    "abilities": (
        ("What can you do?", "What do you know?", "How can you help me?", "What can I ask you?", "Help!", "Help me.",
         "What are you good at?", "What can you help me with?", "What do you know about?", "Which questions can you answer?",
         "What can you tell me?", "Can you help me?"),
        ("Tell me what you can do.", "What questions can I ask you?", "Please tell me what you know.", "Can you help?"),
        "I can answer questions about countries, small numbers, days and months, and I can tell short stories."),
    "how": (
        ("How are you?", "How are you today?", "How do you do?", "How is it going?", "How are you doing?", "Are you well?",
         "How do you feel?", "Are you okay?", "What's up?"),
        ("How are you doing today?", "How is it going today?", "Do you feel well?", "How do you feel today?"),
        "I am doing well, thank you!"),
    "thanks": (
        ("Thanks!", "Thank you!", "Thank you very much!", "Thanks a lot!", "Many thanks!", "Thank you so much!",
         "Great, thanks!", "Ok, thank you.", "Thanks, that helps.", "Perfect, thank you!", "Cool, thanks!", "thx"),
        ("Great, thank you!", "Ok, thanks a lot!", "Perfect, thanks!", "Thanks so much!"),
        "You're welcome!"),
    "praise": (
        ("Good job!", "Well done!", "You are great!", "Very good!", "That is right!", "Great answer!", "You are smart!",
         "Nice!", "I like you!", "Excellent!", "Correct!"),
        ("Very nice!", "Good answer!", "You are very good!"),
        "Thank you! What else would you like to know?"),
    "blame": (
        ("That is wrong.", "You are wrong.", "That's not right.", "Wrong!", "That is not correct.", "No, that is wrong.",
         "You made a mistake.", "Are you sure?", "I don't think that is right."),
        ("No, that's not right.", "That was wrong.", "I think you are wrong."),
        "I'm sorry if I made a mistake. I am only a very small model."),
    "goodbye": (
        ("Goodbye!", "Bye!", "Bye bye!", "See you!", "See you later!", "Good night!", "I have to go.", "Goodbye, lamina!",
         "See you tomorrow!", "That's all.", "That is all, thanks.", "Bye, lamina!", "Farewell!"),
        ("Ok, bye!", "Good night, lamina!", "See you later, bye!", "I have to go now."),
        "Goodbye!"),
    "ok": (
        ("Ok.", "Okay.", "I see.", "Ah, I see.", "Good.", "All right.", "Hmm.", "Interesting.", "Oh.", "Cool.", "Got it."),
        ("Ah, okay.", "Oh, I see.", "Ok, good."),
        "What else would you like to know?"),
    "joke": (
        ("Tell me a joke.", "Do you know a joke?", "Can you tell me a joke?", "Make me laugh.", "Say something funny."),
        ("Please tell me a joke.", "Tell me something funny."),
        "I don't know any jokes, but I can tell you a story."),
    "languages": (
        ("Do you speak German?", "Do you speak French?", "Do you speak Spanish?", "Can you speak Italian?", "Do you speak English?",
         "Which languages do you speak?", "What languages do you know?", "Can you speak Chinese?", "Parlez-vous français?",
         "Sprechen Sie Deutsch?", "Can you speak German?", "Do you know French?"),
        ("Can you speak Spanish?", "What languages do you speak?", "Do you speak Italian?", "Do you know German?"),
        "I only speak English."),
    "mood": (
        ("I am sad.", "I feel sad.", "I am tired.", "I am bored.", "I am not happy.", "I had a bad day.", "I feel bad.",
         "I am lonely."),
        ("I feel tired.", "I feel lonely.", "I am very sad."),
        "I'm sorry to hear that. Would you like to hear a story?"),
    "joy": (
        ("I am happy.", "I feel good.", "I am fine.", "I had a good day.", "I feel great.", "I am well.", "I am fine, thank you."),
        ("I am very happy.", "I feel fine.", "I had a great day."),
        "I am glad to hear that!"),
}

MY_NAME = (("My name is {x}.", "I am {x}.", "I'm {x}.", "Hello, my name is {x}.", "Hi, I am {x}.", "Hello, I'm {x}.",
            "You can call me {x}.", "Call me {x}."),
           ("Hi, my name is {x}.", "Hello, you can call me {x}."), lambda x: f"Nice to meet you, {x}!")
ASK_NAME = (("What is my name?", "What's my name?", "Do you know my name?", "Who am I?", "Do you remember my name?",
             "What am I called?", "Do you still remember my name?"),
            ("Tell me my name.", "Do you know who I am?", "Do you still know my name?"), lambda x: f"Your name is {x}")
REPEAT = (("Can you repeat that?", "Please repeat that.", "Say that again.", "Again, please.", "What did you say?",
           "Repeat your answer."),
          ("Can you say that again?", "Please say that again.", "Repeat that, please."))

# --- Outside -----------------------------------------------------------------------------------------------------------
# {c}: a country; the other slots are below. All are answered with UNKNOWN.

OUTSIDE = (
    ("What is the population of {c}?", "How many people live in {c}?", "Who is the president of {c}?", "How big is {c}?",
     "Who is the king of {c}?", "What does the flag of {c} look like?", "What do people eat in {c}?",
     "What is the weather like in {c}?", "When did {c} become independent?", "What is the largest city in {c}?",
     "What is the highest mountain in {c}?", "Which countries border {c}?", "What is the national anthem of {c}?",
     "How do I get to {c}?", "Is {c} a nice place?", "What time is it in {c}?", "How far is {c} from here?",
     "Who won the election in {c}?", "What is the history of {c}?", "How much is a flight to {c}?", "Is {c} a rich country?",
     "What are the main cities of {c}?", "How hot is it in {c}?", "What can I see in {c}?",
     "Who is {person}?", "When was {person} born?", "What did {person} do?", "Tell me about {person}.", "Where was {person} born?",
     "Is {person} still alive?", "How old is {person}?", "Why is {person} famous?",
     "What is {thing}?", "How does {thing} work?", "Explain {thing}.", "Tell me about {thing}.", "Who invented {thing}?",
     "Why is {thing} important?", "What do you think about {thing}?", "Can you explain {thing} to me?", "What causes {thing}?",
     "How do I cook {food}?", "What is in {food}?", "How do you make {food}?", "Do you like {food}?", "Where can I buy {food}?",
     "Is {food} healthy?", "How many calories does {food} have?",
     "How do I repair a {tool}?", "How much does a {tool} cost?", "Which {tool} should I buy?", "What is a {tool} made of?",
     "Where is my {tool}?", "Who sells a good {tool}?",
     "Who won the {sport} world cup?", "What are the rules of {sport}?", "Who is the best {sport} player?", "How do I learn {sport}?",
     "Who wrote {book}?", "What is {book} about?", "Have you read {book}?", "Who is the author of {book}?",
     "How do you say {word} in {language}?", "Translate {word} into {language}.", "What does {word} mean?", "How is {word} spelled?",
     "Write a poem about {thing}.", "Write a program that sorts a list.", "Write some Python code.", "Write me an email.",
     "What is the weather today?", "Will it rain tomorrow?", "What time is it?", "What day is it today?", "What is the date today?",
     "Which year is it?", "How old are you?", "Where do you live?", "What is the meaning of life?", "Who will win the election?",
     "What is the news today?", "Should I buy stocks?", "What is my age?", "Where am I?", "What should I eat today?",
     "What should I do?", "Is there a god?", "How far is the moon?", "How fast is light?", "Why is the sky blue?",
     "What is the largest country in the world?", "How many countries are there?", "Which country is the smallest?",
     "How many stars are there?", "What is the speed of sound?", "How heavy is an elephant?", "How do birds fly?",
     "Why do cats purr?", "Do you love me?", "What is love?", "What is pi?", "What is the best film?", "Play some music.",
     "Call my mother.", "Open the window.", "Set an alarm.", "Book a flight.", "Order a pizza.", "Sing a song.",
     "Show me a picture.", "Who is your favourite singer?", "What colour is the sea?", "How do I lose weight?",
     "I have a headache. What should I do?", "Can you drive a car?", "Which car is the fastest?", "Are ghosts real?",
     "asdf", "blah blah blah", "qwertz", "foo bar", "lorem ipsum"),
    ("What is the longest river in {c}?", "What is the national animal of {c}?", "How rich is {c}?", "Who is the queen of {c}?",
     "What is the weather in {c} today?", "What is the second largest city in {c}?", "How cold is it in {c}?",
     "What is {person} famous for?", "What do you know about {person}?", "When did {person} die?",
     "Can you tell me what {thing} is?", "When was {thing} invented?", "Why do we need {thing}?",
     "Is {food} good for me?", "How long do I have to cook {food}?", "What is a {tool} good for?", "Can you repair a {tool}?",
     "How many people play {sport}?", "When was {book} written?", "What is {word} in {language}?",
     "Write a song about {thing}.", "Will it be hot tomorrow?", "What is the time now?", "Why is grass green?",
     "How many people are there in the world?", "Which country is the largest?", "How far is the sun?", "Why do dogs bark?",
     "What is the best car?", "Play a song.", "What colour is the sky?", "How do fish swim?", "bla bla", "hjkl"))
OUTSIDE_SLOTS = {
    "person": ("Albert Einstein", "Napoleon", "Shakespeare", "Mozart", "Cleopatra", "Isaac Newton", "Marie Curie",
               "Leonardo da Vinci", "Julius Caesar", "Gandhi", "Picasso", "Beethoven", "Ada Lovelace", "Alan Turing",
               "the pope", "Elvis Presley", "Charles Darwin", "Columbus", "Aristotle", "my neighbour"),
    "thing": ("gravity", "electricity", "the internet", "photosynthesis", "democracy", "a black hole", "the economy",
              "inflation", "a volcano", "the human heart", "quantum mechanics", "evolution", "a neural network",
              "the stock market", "a rainbow", "philosophy", "an atom", "climate change", "music", "magnetism", "DNA",
              "the big bang", "chess", "war", "poetry"),
    "food": ("pasta", "rice", "pizza", "soup", "bread", "a cake", "an omelette", "sushi", "curry", "pancakes", "salad",
             "chocolate"),
    "tool": ("car", "bicycle", "phone", "computer", "washing machine", "lamp", "camera", "watch", "guitar", "hammer"),
    "sport": ("football", "tennis", "basketball", "hockey", "cricket", "golf", "rugby", "handball"),
    "book": ("Hamlet", "Faust", "Don Quixote", "the Odyssey", "Moby Dick", "War and Peace", "Dracula", "Frankenstein"),
    "word": ("house", "tree", "water", "love", "friend", "bread", "summer", "book", "dream", "happiness"),
    "language": ("French", "German", "Spanish", "Latin", "Italian", "Japanese", "Russian", "Arabic"),
}
RANGE_QUESTIONS = (
    ("What is {a} + {b}?", "What is {a} plus {b}?", "{a} + {b}", "What is {a} - {b}?", "What is {a} minus {b}?", "{a} - {b}",
     "How much is {a} + {b}?", "How much is {a} minus {b}?", "Add {a} and {b}.", "Subtract {b} from {a}.",
     "Calculate {a} + {b}.", "Calculate {a} - {b}.", "Which is larger, {a} or {b}?", "Is {a} larger than {b}?",
     "Which is smaller, {a} or {b}?", "What is the sum of {a} and {b}?", "Count from {a} to {b}."),
    ("Please calculate {a} plus {b}.", "Please calculate {a} minus {b}.", "Tell me the sum of {a} and {b}.",
     "Which number is bigger, {a} or {b}?"))

PREFIXES = ("Hello! ", "Hi! ", "Hey, ", "Please tell me: ", "I have a question. ", "Quick question: ", "Ok. ", "Now, ",
            "Well, ", "Tell me, ", "Good morning! ", "Another question: ", "And ", "So, ")
SUFFIXES = (" Thanks!", " Thank you!", " Please.", " Please tell me.", " I want to know.")
SYSTEM_MESSAGES = ("You are a helpful assistant.", "You are lamina's tiny model.", "Answer briefly.", "Be kind and brief.",
                   "You are a friendly assistant. Answer in one sentence.", "You answer questions.")

SYLLABLES = (("Zor", "Bel", "Kal", "Mor", "Tar", "Vel", "Dra", "Gon", "Fan", "Lus", "Qua", "Ril", "Sar", "Tho", "Ul", "Wen",
              "Xan", "Yor", "Bran", "Cor", "Dul", "Elb", "Fro", "Gri", "Hal", "Ist", "Jor", "Kre", "Lor", "Mar", "Nor", "Ost",
              "Pal", "Ras", "Sel", "Tul", "Vor", "Wal", "Bor", "Den"),
             ("", "a", "va", "do", "mi", "ka", "ro", "ne", "li", "go", "ta", "so", "be", "du", "za"),
             ("nia", "land", "stan", "via", "ria", "dor", "mark", "gal", "sia", "lia", "rus", "tania", "bia", "wick", "heim",
              "goria"))


def made_up_country(rng, taken):
    while True:
        name = "".join(rng.choice(part) for part in SYLLABLES)
        if name not in taken:
            return name


def genitive(name):
    return name + ("'" if name.endswith("s") else "'s")


def country_words(name):
    return {"c": name, "cs": genitive(name)}


def phrasings():
    """(for training, held out) of every kind of question, those with answers outside the world left aside."""
    def walk(value):
        if isinstance(value, dict):
            for part in value.values():
                yield from walk(part)
        elif isinstance(value, tuple) and value and isinstance(value[0], tuple):
            if value[0] and isinstance(value[0][0], str):
                yield value[:2]
            else:
                for part in value:
                    yield from walk(part)
    for name, value in list(globals().items()):
        if name.isupper() and name not in ("OUTSIDE", "SYLLABLES"):
            yield from walk(value)
