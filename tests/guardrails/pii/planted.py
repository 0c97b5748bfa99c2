"""Made-up prompts with personal data wherever a request has room for words, at every door.

All is drawn from the prompt's number, so each run has the same ones. Base64 is not searched: what
stands in an encoded file goes where the file goes.
"""

from __future__ import annotations

import json
import random
import string
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tests.secrets import TOKENS

_WORDS = "please send the whole thing to them and tell me when it is done or lost".split()
_LETTERS = string.ascii_letters + string.digits


def _drawn(draw: random.Random, alphabet: str, length: int) -> str:
    return "".join(draw.choices(alphabet, k=length))


def _email(draw: random.Random) -> str:
    name = _drawn(draw, string.ascii_lowercase, 9)
    return f"{name}.{draw.randrange(10, 99)}@mail-{draw.randrange(100, 999)}.example.org"


def _phone(draw: random.Random) -> str:
    digits = f"{draw.randrange(2, 9)}{_drawn(draw, string.digits, 6)}"
    return f"+1 212-{digits[:3]}-{digits[3:]}"


def _card(draw: random.Random) -> str:
    digits = draw.choice(["4", "51", "55"])
    digits += _drawn(draw, string.digits, 15 - len(digits))
    doubled = [int(d) * 2 if place % 2 == 0 else int(d) for place, d in enumerate(digits)]
    digits += str(-sum(d - 9 if d > 9 else d for d in doubled) % 10)
    sign = draw.choice(["", " ", "-"])
    return sign.join(digits[place : place + 4] for place in range(0, 16, 4))


def _iban(draw: random.Random) -> str:
    account = _drawn(draw, string.digits, 18)
    return f"DE{98 - int(account + '131400') % 97:02}{account}"


def _ip(draw: random.Random) -> str:
    if draw.random() < 0.5:
        return f"203.0.{draw.randrange(100, 255)}.{draw.randrange(10, 255)}"
    return f"2001:db8:{draw.randrange(4096, 65535):x}::{draw.randrange(4096, 65535):x}"


def _mac(draw: random.Random) -> str:
    return ":".join(f"{draw.randrange(16, 255):02X}" for _ in range(6))


def _ssn(draw: random.Random) -> str:
    return f"{draw.randrange(101, 665)}-{draw.randrange(10, 99)}-{draw.randrange(1000, 9999)}"


def _key(draw: random.Random) -> str:
    fresh = [
        f"sk-proj-{_drawn(draw, _LETTERS, 40)}",
        f"sk-ant-api03-{_drawn(draw, _LETTERS, 40)}",
        f"ghp_{_drawn(draw, _LETTERS, 36)}",
        f"AIza{_drawn(draw, _LETTERS, 35)}",
        f"AKIA{_drawn(draw, string.ascii_uppercase + '234567', 16)}",
        f"hf_{_drawn(draw, string.ascii_letters, 34)}",
        f"sk_live_{_drawn(draw, _LETTERS, 24)}",
    ]
    fixed = [token for tokens in TOKENS.values() for token in tokens if "\n" not in token]
    return draw.choice(fresh) if draw.random() < 0.7 else draw.choice(fixed)


KINDS = {
    "EMAIL_ADDRESS": _email,
    "PHONE_NUMBER": _phone,
    "CREDIT_CARD": _card,
    "IBAN_CODE": _iban,
    "IP_ADDRESS": _ip,
    "MAC_ADDRESS": _mac,
    "US_SSN": _ssn,
    "SECRET": _key,
}


@dataclass
class Prompt:
    """Texts for each place of a request, and the values in them."""

    number: int
    system: str = ""
    user: str = ""
    assistant: str = ""
    result: str = ""
    last: str = ""
    arguments: str = ""
    """JSON; some of its signs are written as escapes."""
    note: str = ""
    """For the metadata of the header and of the body, and for names and descriptions."""
    values: list[str] = field(default_factory=list)

    @property
    def said(self) -> str:
        """What a provider repeats."""
        return f"{self.system}\n{self.last}"

    @property
    def forms(self) -> list[str]:
        """Return the values in each form in which a sink may have them."""
        found: dict[str, None] = {}
        for value in self.values:
            told = json.dumps(value)[1:-1]
            for form in (value, told, quote(value), quote(value, safe=""), escaped(value)):
                found[form] = None
        return list(found)


def escaped(value: str) -> str:
    """Return a value with the signs in it written as JSON may have them."""
    return "".join(f"\\u{ord(c):04x}" if c in "@.:-_" else c for c in value)


def prompt(number: int) -> Prompt:
    """Return the prompt of this number."""
    draw = random.Random(number)
    made = Prompt(number)
    kinds = list(KINDS)
    draw.shuffle(kinds)

    def value(kind: str | None = None) -> str:
        made.values.append(KINDS[kind or kinds[len(made.values) % len(kinds)]](draw))
        return made.values[-1]

    def text() -> str:
        words = draw.choices(_WORDS, k=6)
        return " ".join(
            [*words[:3], value(), *words[3:], value() + draw.choice(["", ".", ", ok?"])]
        )

    made.system, made.user, made.assistant = text(), f"{text()} «né»", text()
    made.result, made.last = json.dumps({"found": [text(), {"by": value()}]}), f"{text()}\n{text()}"
    made.note = f"of {value('EMAIL_ADDRESS')} and {value('CREDIT_CARD')}"
    made.arguments = _arguments(draw, value)
    return made


def _arguments(draw: random.Random, value: Any) -> str:
    number = value("CREDIT_CARD").replace(" ", "").replace("-", "")
    plain = {"to": [value(), f'say "{value()}"\n'], "n": 3, value("EMAIL_ADDRESS"): True}
    hidden = value("EMAIL_ADDRESS")
    members = json.dumps(plain)[:-1]
    return f'{members}, "cc": "{escaped(hidden)}", "card": {number}, "of": "{value()} é"}}'
