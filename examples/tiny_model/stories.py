"""Short stories from a grammar, and questions that their text answers.

A story is a hero, a place, a friend, a thing and one of eight plots; each sentence has a few wordings. All that is
asked about a story stands in it, so a model can answer by copying.
"""

from dataclasses import dataclass

GIRLS = ("Mia Anna Lucy Emma Nora Ella Rosa Clara Ida Maya Lily Zoe Eva Ruby Tina Alma Olga Vera Nina Sara").split()
BOYS = ("Max Ben Tom Leo Sam Paul Oscar Hugo Finn Noah Otto Jack Luis Ivan Nico Felix Adam Karl Theo Bruno").split()

ANIMALS = ("fox bear rabbit owl cat dog mouse duck hedgehog frog horse goat squirrel elephant turtle penguin lion pig "
           "wolf sheep dragon robot").split()
ADJECTIVES = "little brave clever shy friendly curious lazy kind hungry cheerful".split()
PLACES = ("in a quiet forest", "near a blue lake", "on a small farm", "in an old castle", "by the sea",
          "on a green hill", "in a little village", "at the edge of a wide desert", "in a cave under the mountains",
          "in a garden full of roses", "on a tiny island", "in a snowy valley")
THINGS = ("red ball", "golden key", "blue kite", "old lantern", "silver bell", "warm hat", "small drum",
          "magic stone", "paper boat", "wooden flute", "bag of nuts", "book of songs")
DAYS = ("One day", "One morning", "One evening", "One cold day", "One sunny day", "On a rainy day")


def a(noun):
    return ("an " if noun[0] in "aeiou" else "a ") + noun


@dataclass(frozen=True)
class Story:
    hero: str  # "fox"
    name: str
    place: str
    friend: str
    friend_name: str
    text: str


# A plot is a list of sentences, a sentence a list of wordings. The friend always comes in by MEET.
MEET = ("Then {n} met {af} called {m}.", "Just then {n} met {af} called {m}.", "On the way {n} met {af} called {m}.",
        "After a while {n} met {af} called {m}.")
FRIENDS = ("From that day on, {n} and {m} were best friends.", "{n} and {m} became good friends.",
           "Now {n} and {m} play together every day.", "{n} was very happy and thanked {m}.",
           "And so {n} found a friend.")
PLOTS = (
    (("{day}, {n} could not find {his} {thing}.", "{day}, {n} lost {his} {thing}."),
     ("{He} looked under the bed and behind the door, but it was not there.",
      "{He} looked everywhere, but the {thing} was gone.", "{He} was very sad."),
     MEET,
     ("\"I will help you,\" said {m}.", "\"Don't cry,\" said {m}. \"We can look for it together.\""),
     ("They found the {thing} under a tree.", "They found the {thing} behind a big stone.",
      "Soon they saw the {thing} in the tall grass."),
     FRIENDS),
    (("{day}, a big storm came.", "{day}, the wind was very strong.", "In the night it began to rain and did not stop."),
     ("{n} was cold and wet.", "{n} did not know where to go.", "{n} was afraid of the thunder."),
     MEET,
     ("\"Come into my house,\" said {m}.", "\"Come with me, my home is warm,\" said {m}."),
     ("They drank hot milk and told each other stories.", "They sat by the fire until the sun came back.",
      "{m} gave {n} some soup and {a_thing}."),
     FRIENDS),
    (("{n} wanted to learn how to swim, but {he} was afraid of the water.",
      "{n} wanted to climb the highest tree, but {he} was afraid.", "{n} wanted to sleep without a light, but {he} was afraid of the dark."),
     ("Every night {he} dreamed about it.", "{He} told nobody about it.", "{He} wished that {he} was brave."),
     MEET,
     ("\"I was afraid too,\" said {m}. \"We can try it together.\"", "\"Take my hand,\" said {m}.",
      "\"Hold this {thing},\" said {m}. \"It will make you brave.\""),
     ("{n} took a deep breath and tried it.", "They tried it again and again.", "At first it was hard."),
     ("In the end {n} was not afraid any more.", "{n} laughed, because it was easy.",
      "Now {n} is the bravest {hero} of all.")),
    (("{day}, {n} found {a_thing}.", "{day}, {n} saw {a_thing} on the ground."),
     ("\"Whose is it?\" {he} asked.", "{He} had never seen such a nice {thing}.", "{He} wanted to keep it."),
     MEET,
     ("\"That is my {thing}!\" said {m}.", "\"I lost my {thing} yesterday,\" said {m}."),
     ("{n} gave it back at once.", "{n} was a little sad, but {he} gave it back."),
     ("\"Thank you,\" said {m}. \"Do you want to play with me?\"", "{m} was so glad that {he2} danced.",
      "{m} smiled and shared {his2} lunch with {n}.")),
    (("{day}, {n} wanted to build a house.", "{day}, {n} began to build a boat.", "{day}, {n} wanted to build a bridge."),
     ("It was hard work, and {he} was soon tired.", "The wood was too heavy for one {hero}.",
      "But it fell down again and again."),
     MEET,
     ("\"Two can do more than one,\" said {m}.", "\"May I help?\" asked {m}."),
     ("They worked until the evening.", "{m} brought {a_thing}, and they sang as they worked."),
     ("In the end they were very proud.", "It was the best day of the year.", *FRIENDS)),
    (("{day}, {n} baked a big cake.", "{day}, {n} had a basket of apples."),
     ("\"This is too much for me,\" {he} thought.", "{He} sat down to eat."),
     MEET,
     ("\"I have not eaten all day,\" said {m}.", "{m} looked at the food and was very hungry."),
     ("So {n} gave {m} half of it.", "\"Sit down and eat with me,\" said {n}."),
     ("{m} gave {n} {a_thing} to say thank you.", "It tasted much better together.", *FRIENDS)),
    (("{day}, {n} went on a long journey with {his} {thing}.", "{day}, {n} wanted to see the world."),
     ("{He} walked over hills and through rivers.", "{He} walked for three days.", "{He} soon lost {his} way."),
     MEET,
     ("\"I know the way,\" said {m}.", "\"Where are you going?\" asked {m}."),
     ("They walked on together and sang.", "They looked at the stars and found the way.",
      "They saw many new things."),
     ("When {n} came home, {he} had a lot to tell.", "At last {n} was home again.", *FRIENDS)),
    (("{day}, there was a race.", "{day}, all the animals wanted to run a race."),
     ("{n} ran as fast as {he} could.", "Nobody thought that {n} could win.", "{n} was slow, but {he} did not stop."),
     MEET,
     ("{m} had hurt {his2} foot.", "\"I cannot run any more,\" said {m}."),
     ("{n} stopped and helped {m} to walk.", "{n} did not run on, but stayed with {m}."),
     ("They came in last, but everybody cheered.", "{n} did not win, but {he} got {a_thing} for being kind.",
      "\"A friend is better than a prize,\" said {n}.")),
)
OPENINGS = ("Once upon a time there was {ah} called {n}. {n} lived {place}.",
            "Once there was {ah} called {n}. {n} lived {place}.",
            "There once was {ah} called {n} who lived {place}.",
            "Long ago, {ah} called {n} lived {place}.")


def tell(rng, allowed, hero=None, name=None, place=None):
    """A story of which allowed(hero, place) holds. What is given is used as it is."""
    while True:
        hero_, place_ = hero or rng.choice(ANIMALS), place or rng.choice(PLACES)
        if allowed(hero_, place_):
            break
        assert hero is None or place is None
    friend = rng.choice([x for x in ANIMALS if x != hero_])
    name = name or rng.choice(GIRLS + BOYS)
    friend_name = rng.choice([x for x in GIRLS + BOYS if x != name])
    thing = rng.choice(THINGS)
    he, his = ("she", "her") if name in GIRLS else ("he", "his")
    he2, his2 = ("she", "her") if friend_name in GIRLS else ("he", "his")
    adjective = rng.choice(ADJECTIVES)
    words = dict(n=name, m=friend_name, hero=hero_, place=place_, thing=thing, a_thing=a(thing), af=a(friend),
                 ah=a(f"{adjective} {hero_}"), he=he, He=he.title(), his=his, he2=he2, his2=his2,
                 day=rng.choice(DAYS))
    sentences = [rng.choice(OPENINGS)] + [rng.choice(wordings) for wordings in rng.choice(PLOTS)]
    return Story(hero_, name, place_, friend, friend_name, " ".join(s.format(**words) for s in sentences))


# Requests: what they fix, and their wordings in training and held out.
REQUESTS = (
    ((), ("Tell me a story.", "Can you tell me a story?", "Please tell me a short story.", "A story, please.",
          "I want to hear a story.", "Do you know a story?", "Story time!", "Tell me a bedtime story."),
     ("Could you tell me a short story?", "I would like to hear a story.")),
    (("hero",), ("Tell me a story about {a_hero}.", "Can you tell me a story about {a_hero}?",
                 "I want to hear a story about {a_hero}.", "A story about {a_hero}, please.",
                 "Do you know a story about {a_hero}?"),
     ("Please tell me a short story about {a_hero}.", "Could you tell a story about {a_hero}?")),
    (("hero", "name"), ("Tell me a story about {a_hero} called {name}.", "Tell me a story about {name} the {hero}.",
                        "Can you tell me a story about {a_hero} called {name}?"),
     ("I want to hear a story about {a_hero} called {name}.", "A story about {name} the {hero}, please.")),
    (("hero", "place"), ("Tell me a story about {a_hero} {place}.", "Tell me about {a_hero} that lived {place}.",
                         "Can you tell me a story about {a_hero} {place}?"),
     ("A story about {a_hero} {place}, please.", "I want to hear a story about {a_hero} {place}.")),
)

QUESTIONS = (
    (("What was the {hero} called?", "What is the name of the {hero}?", "What was the {hero}'s name?"),
     ("What name did the {hero} have?", "Tell me the name of the {hero}."), "The {hero} was called {name}."),
    (("Where did {name} live?", "Where was the home of {name}?", "In which place did {name} live?"),
     ("Where did the {hero} live?", "Tell me where {name} lived."), "{name} lived {place}."),
    (("Who is the story about?", "Who was that story about?", "What is the story about?"),
     ("Who was the story about?", "Tell me who the story is about."), "The story is about {a_hero} called {name}."),
    (("Who did {name} meet?", "Whom did {name} meet?", "Who did {name} meet in the story?"),
     ("Who did the {hero} meet?", "Tell me who {name} met."), "{name} met {a_friend} called {friend_name}."),
    (("What animal was {friend_name}?", "What was {friend_name}?", "Who was {friend_name}?"),
     ("What kind of animal was {friend_name}?", "Tell me what {friend_name} was."), "{friend_name} was {a_friend}."),
)


def request(rng, held, allowed):
    """(what the user says, the story)"""
    fixed, train, test = rng.choice(REQUESTS)
    story = tell(rng, allowed, name=rng.choice(GIRLS + BOYS))
    wording = rng.choice(test if held else train)
    return wording.format(a_hero=a(story.hero), hero=story.hero, name=story.name, place=story.place), story


def question(rng, held, story):
    """(question, answer) about a story."""
    train, test, answer = rng.choice(QUESTIONS)
    words = dict(vars(story), a_hero=a(story.hero), a_friend=a(story.friend))
    return rng.choice(test if held else train).format(**words), answer.format(**words)
