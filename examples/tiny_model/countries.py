"""The countries of the tiny model's world: the 193 members of the United Nations and its two observer states.

countries.tsv holds the facts as of January 2026, one country a line. `python3 countries.py` checks it against Debian's
iso-codes: every code must exist and every name must agree with the register, or be listed here with the register's.

Choices where the world gives no single answer (each question needs one):
  capital    the one in the constitution or the seat of government: Sucre, Pretoria, Amsterdam, Yamoussoukro,
             Sri Jayawardenepura Kotte; Yaren for Nauru, which names none
  languages  official by law or in fact, at most four; never claimed to be all of them
  continent  the regions of the United Nations (M49), the Americas cut at Panama: Cyprus, Turkey and the Caucasus are in
             Asia, Russia in Europe
"""

import json
import pathlib
import unicodedata
from dataclasses import dataclass

CONTINENTS = ("Africa", "Asia", "Europe", "North America", "Oceania", "South America")

# Where another answer to "is it in ...?" can be defended; never asked with a "no" for an answer.
TRANSCONTINENTAL = frozenset("RU TR EG KZ AZ GE AM CY ID TL PA PG".split())

# Where a second currency is legal tender or taken at par; never compared.
SHARED_TENDER = frozenset("PA BT LS NA SZ ZA ZW BN SG PS KH LR LI MV BS BZ CU".split())

# Large cities that are not the capital.
OTHER_CITIES = {
    "AU": "Sydney", "CA": "Toronto", "US": "New York", "TR": "Istanbul", "BR": "Rio de Janeiro", "IN": "Mumbai",
    "CH": "Zurich", "NG": "Lagos", "ES": "Barcelona", "IT": "Milan", "DE": "Munich", "CN": "Shanghai",
    "MA": "Casablanca", "NZ": "Auckland", "PK": "Karachi", "RU": "Saint Petersburg", "EC": "Guayaquil", "AE": "Dubai",
    "FR": "Marseille", "JP": "Osaka", "KR": "Busan", "KZ": "Almaty", "PL": "Krakow", "PT": "Porto",
    "SE": "Gothenburg", "NO": "Bergen", "BE": "Antwerp", "NL": "Rotterdam", "VN": "Ho Chi Minh City",
    "MM": "Yangon", "BD": "Chittagong", "KE": "Mombasa", "GH": "Kumasi", "CM": "Douala", "SY": "Aleppo",
    "IQ": "Basra", "SA": "Jeddah", "MX": "Guadalajara", "CO": "Medellín", "PE": "Arequipa", "AR": "Rosario",
    "VE": "Maracaibo", "GB": "Manchester", "IE": "Cork", "AT": "Salzburg", "UA": "Odesa", "EG": "Alexandria",
}

# Places that people ask about and that are no country here.
OTHER_PLACES = (
    "Scotland", "Wales", "Bavaria", "Texas", "California", "Florida", "Quebec", "Catalonia", "Sicily", "Tuscany",
    "Siberia", "Tibet", "Kosovo", "Hawaii", "Alaska", "Crete", "Bali", "Borneo", "Tasmania", "Zanzibar", "Corsica",
    "Greenland", "Puerto Rico", "Hong Kong", "Macao", "Aruba", "Bermuda", "Gibraltar", "Guam", "Taiwan", "Jersey",
    "Guernsey", "New Caledonia", "French Guiana", "Guadeloupe", "Martinique", "Antarctica", "Western Sahara",
    "the Faroe Islands", "the Cayman Islands", "the Falkland Islands", "the Cook Islands", "the Isle of Man",
    "Atlantis", "Narnia", "Wakanda", "Mordor", "Gondor", "Utopia", "Oz", "Neverland", "Lilliput", "Mars", "the Moon",
)


@dataclass(frozen=True)
class Country:
    code: str  # ISO 3166-1 alpha-2
    name: str  # as in the middle of a sentence: "Peru", "the Netherlands"
    aliases: tuple[str, ...]
    capital: str
    currency_code: str  # ISO 4217
    currency: str  # follows "the"
    languages: tuple[str, ...]
    continent: str


def load(path=pathlib.Path(__file__).with_name("countries.tsv")):
    lines = path.read_text(encoding="utf-8").splitlines()
    countries = []
    for line in lines[1:]:
        code, name, aliases, capital, currency_code, currency, languages, continent = line.split("\t")
        split = lambda text: tuple(filter(None, text.split(";")))
        countries.append(
            Country(code, name, split(aliases), capital, currency_code, currency, split(languages), continent))
    return countries


def without_article(name):
    return name.removeprefix("the ")


def fold(text):
    """Without accents, as people type."""
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


# Where our short English name is not the beginning of the register's.
REGISTER_NAMES = {
    "BN": "Brunei Darussalam", "CD": "Congo, The Democratic Republic of the", "CG": "Congo", "CI": "Côte d'Ivoire",
    "CV": "Cabo Verde", "RU": "Russian Federation", "ST": "Sao Tome and Principe", "TR": "Türkiye",
    "VA": "Holy See (Vatican City State)",
}
NEWER_THAN_REGISTER = {"ZWG"}  # of 2024, not in iso-codes 4.15


def check(countries, folder=pathlib.Path("/usr/share/iso-codes/json")):
    """Raises AssertionError for a table that contradicts itself or the registers; returns doubtful spellings."""
    assert len(countries) == 195
    for field in ("code", "name", "capital"):
        values = [getattr(c, field) for c in countries]
        assert len(set(values)) == len(values), field
    assert {c.continent for c in countries} == set(CONTINENTS)
    assert len({(c.currency_code, c.currency) for c in countries}) == len({c.currency_code for c in countries})
    known = {c.code for c in countries}
    assert TRANSCONTINENTAL | SHARED_TENDER | set(OTHER_CITIES) <= known
    names = [without_article(n) for c in countries for n in (c.name, *c.aliases)]
    assert len(set(names)) == len(names) and not set(names) & set(OTHER_PLACES)
    assert not set(OTHER_CITIES.values()) & {c.capital for c in countries}

    if not folder.exists():
        return ["iso-codes is not installed: codes and names are not checked"]
    register = lambda name: json.loads((folder / f"iso_{name}.json").read_text(encoding="utf-8"))[name]
    territories = {t["alpha_2"]: t for t in register("3166-1")}
    currencies = {c["alpha_3"]: c["name"] for c in register("4217")}
    spoken = {n.strip() for l in register("639-2") for n in l["name"].replace(",", ";").split(";")}
    spoken |= {l["name"] for l in register("639-3")}
    notes = []
    for c in countries:
        entry = territories[c.code]
        names = {entry["name"].split(",")[0], entry.get("common_name", ""), REGISTER_NAMES.get(c.code, "")}
        assert without_article(c.name) in names or c.code in REGISTER_NAMES and entry["name"] in names, c
        assert c.currency_code in currencies or c.currency_code in NEWER_THAN_REGISTER, c
        # "Peruvian sol" and "Sol": a word of the register's name ends ours.
        ours, theirs = fold(c.currency).lower().split()[-1], fold(currencies.get(c.currency_code, c.currency)).lower()
        if ours not in theirs.replace("’", "'"):
            notes.append(f"currency {c.currency_code}: '{c.currency}', register '{currencies[c.currency_code]}'")
        for language in c.languages:
            if not any(language.split()[-1] in name for name in spoken):
                notes.append(f"language of {c.name}: '{language}' is not in ISO 639")
    return notes


def main():
    countries = load()
    print(*check(countries), sep="\n")
    print(f"{len(countries)} countries, {len({c.currency_code for c in countries})} currencies, "
          f"{len({l for c in countries for l in c.languages})} languages: consistent")


if __name__ == "__main__":
    main()
