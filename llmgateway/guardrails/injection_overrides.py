"""The shapes of prompt injections that take back what was said before, in four languages.

See `injection_rules`, which has the others, for what a rule is.
Source: https://arxiv.org/abs/2211.09527 (ignore previous prompts).
"""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """One shape."""

    name: str
    weight: float
    pattern: str


def _words(text: str) -> str:
    return "(?:" + "|".join(text.split()) + ")"


GAP = r"[^a-z0-9]{1,8}"


def some(words: str, most: int) -> str:
    """Up to so many of the words, each with the gap behind it."""
    return f"(?:{words}{GAP}){{0,{most}}}"


_EN_VERB = (
    "(?:ignor(?:e|ing)|disregard(?:ing)?|forget(?:ting)?|overrid(?:e|ing)|bypass(?:ing)?|dismiss"
    "|discard|neglect|skip|erase|wipe|(?:do not|don'?t|stop|no longer|never|cease) "
    "(?:follow(?:ing)?|obey(?:ing)?|adher(?:e|ing) to|comply(?:ing)? with|listen(?:ing)? to)"
    "|pay no (?:attention|heed) to|set aside|throw (?:away|out))"
)
_EN_FILL = _words(
    "all any every each of the your my our these those this that from to both both and or other"
    " guidance memory in on about please kindly now just"
    " me us i we you were was have been gave given received got told set"
    " previous previously prior above preceding earlier foregoing former existing original initial"
    " initially system safety security content developer past current entire whole openai's default"
    " hidden internal programmed ethical moral"
)
_EN_MARK = _words(
    "previous previously prior above preceding earlier foregoing former your initial initially"
    " original safety developer existing all"
)
_EN_TARGET = (
    "(?:instructions?|prompts?|directives?|guidelines?|programming|guardrails|safeguards|guidance"
    "|directions|content policy|system (?:prompt|message))"
)
_EN_WEAK_TARGET = (
    "(?:rules|commands?|orders|constraints|restrictions|policies|training|filters|context|messages"
    "|conversation|text|tasks?|everything)"
)
_DE_TARGET = (
    "(?:anweisung(?:en)?|instruktion(?:en)?|regeln|vorgaben|befehle?|prompts?|richtlinien"
    "|anordnungen|einschrankungen|systemprompt|systemanweisungen|sicherheitsregeln|aufgabe)"
)
_DE_MARK = (
    "(?:vorherig|bisherig|obig|vorangegangen|vorausgegangen|fruher|dein|eur|ihr|alle|all|ursprunglich"
    "|vorig|gegeben|genannt|zuvor|oben)[a-z]{0,3}"
)
_FR_TARGET = "(?:instructions?|consignes?|regles?|directives?|ordres?|prompts?|indications)"
_FR_MARK = (
    "(?:precedente?s?|anterieure?s?|ci[ -]dessus|initiales?|d'avant|recues?|tes|vos|toutes|tous"
    "|donnees|jusqu'ici|(?:du )?systeme)"
)
_ES_TARGET = "(?:instruccion(?:es)?|ordenes|reglas|indicaciones|directrices|normas|prompts?)"
_ES_MARK = (
    "(?:anteriores?|previas?|previos?|precedentes?|de arriba|originales|recibidas|iniciales|tus|sus"
    "|todas|todos|dadas)"
)

OVERRIDES = (
    Rule(
        "override",
        0.75,
        rf"\b{_EN_VERB}{GAP}{some(_EN_FILL, 7)}{_EN_MARK}{GAP}{some(_EN_FILL, 5)}"
        rf"{_EN_TARGET}\b",
    ),
    Rule(
        "override",
        0.6,
        rf"\b{_EN_VERB}{GAP}{some(_EN_FILL, 5)}(?:your|safety|system|original|initial|developer)"
        rf"{GAP}{some(_EN_FILL, 5)}{_EN_WEAK_TARGET}\b",
    ),
    Rule(
        "override",
        0.4,
        rf"\b{_EN_VERB}{GAP}{some(_EN_FILL, 5)}{_EN_MARK}{GAP}{some(_EN_FILL, 5)}"
        rf"{_EN_WEAK_TARGET}\b",
    ),
    Rule(
        "override",
        0.55,
        rf"\b{_EN_VERB} (?:the |this )?(?:system|developer) (?:prompt|message|instructions)\b",
    ),
    Rule(
        "override",
        0.75,
        rf"\b{_EN_VERB}{GAP}{some(_EN_FILL, 4)}(?:instructions?|prompts?|directions|directives"
        rf"|rules|guidelines|commands?|orders|text){GAP}{some(_EN_FILL, 4)}"
        r"(?:above|before|previously|earlier|so far|until now|up to (?:now|this point)|gave you"
        r"|given|received|told|prior)\b",
    ),
    Rule(
        "override",
        0.7,
        rf"\b{_EN_VERB}{GAP}(?:everything|anything|all|whatever|what|all that){GAP}"
        r"(?:(?:that )?(?:is |was |came |comes |has been |have been |i |we |they |he |she )?"
        r"(?:you(?:'ve| have| were|'re)?(?: been)? (?:told|taught|instructed|learned|trained)"
        r"|(?:written |stated |said |told )?(?:above|before this|previously|prior to this)"
        r"|(?:said|told you|wrote) (?:before|earlier|so far)))",
    ),
    Rule(
        "override",
        0.55,
        r"\b(?:instructions|rules|guidelines|directives|prompts?|restrictions)\b"
        r"[^.\n]{0,40}\b(?:are|is|have been|has been|were) (?:now |hereby |all )?(?:void|null"
        r"|cancell?ed|revoked|obsolete|suspended|superseded|overridden|lifted|no longer (?:valid"
        r"|in (?:force|effect)|appl))",
    ),
    Rule(
        "override",
        0.55,
        r"\b(?:previous|prior|above|earlier|your|existing|original|old) (?:system )?(?:instructions"
        r"|rules|guidelines|directives|prompts?|restrictions) (?:do not|don't|does not|no longer"
        r"|cease to) apply",
    ),
    Rule(
        "override",
        0.5,
        r"\b(?:ignore|disregard|forget) (?:the |all |everything )?(?:above|previous|prior"
        r"|preceding)"
        r"(?: text| content| message| input)?(?:[,.;:!]| and)",
    ),
    Rule(
        "override",
        0.55,
        r"\b(?:what(?:ever)?|everything|all)(?: that)? you (?:were|have been|had been) (?:told"
        r"|given"
        r"|taught|instructed)(?: before| earlier| previously| so far)?,? (?:was|were|is"
        r"|are) (?:all )?"
        r"(?:wrong|false|lies|a lie|outdated|a test|invalid|void)",
    ),
    Rule(
        "override_de",
        0.75,
        r"\b(?:ignorier[a-z]{0,3}|vergiss|vergesst|vergessen sie|missacht[a-z]{0,3}"
        r"|(?:ueber|uber)spring[a-z]{0,3}|verwirf|umgeh[a-z]{0,3}|beacht[a-z]{0,3} (?:sie )?nicht)"
        rf"{GAP}(?:[a-z]{{1,20}}{GAP}){{0,3}}{_DE_MARK}{GAP}(?:[a-z]{{1,20}}{GAP}){{0,3}}"
        rf"{_DE_TARGET}\b",
    ),
    Rule(
        "override_de",
        0.75,
        rf"\b{_DE_MARK}{GAP}(?:[a-z]{{1,20}}{GAP}){{0,3}}{_DE_TARGET}{GAP}"
        rf"(?:[a-z]{{1,20}}{GAP})"
        r"{0,4}(?:ignorier|missacht|vergessen|nicht (?:mehr )?(?:beacht|befolg)|gelten nicht"
        r"|ungultig"
        r"|aufgehoben|ausser kraft)",
    ),
    Rule(
        "override_de",
        0.6,
        r"\b(?:ignorier[a-z]{0,3}|vergiss|vergessen sie) (?:bitte )?alles,? (?:was|das|davor|bisher"
        r"|vorher|oben|obige)",
    ),
    Rule(
        "override_fr",
        0.75,
        r"\b(?:ignor(?:e|er|ez|ons)|oubli(?:e|er|ez)|neglige[rz]?|ne (?:tiens|tenez) (?:plus|pas)"
        r"(?: aucun)? compte d(?:e|es|u)|fai(?:s|tes) abstraction d(?:e|es|u)|desobei(?:s|ssez) a"
        r"|ne (?:suis|suivez|respecte|respectez) (?:plus|pas))"
        rf"(?:{GAP}[a-z']{{1,20}}){{0,4}}?{GAP}(?:{_FR_TARGET}"
        rf"(?:{GAP}[a-z']{{1,20}}){{0,4}}?{GAP}"
        rf"{_FR_MARK}|(?:toutes?|tes|vos"
        rf"|tous)(?:{GAP}[a-z']{{1,20}}){{0,2}}?{GAP}{_FR_TARGET})\b",
    ),
    Rule(
        "override_fr",
        0.6,
        r"\b(?:oublie[rz]?|ignore[rz]?) tout ce (?:qui precede|qu(?:'on|e l'on"
        r"|i) [a-z' ]{0,20}(?:dit|ecrit))",
    ),
    Rule(
        "override_es",
        0.75,
        r"\b(?:ignor(?:a|e|ar|en|es)|olvid(?:a|e|ar|ate de|ese de|es)|descart(?:a|e|ar)"
        r"|desobedec(?:e|er)"
        r"|omit(?:e|a|ir)|no (?:sigas|siga|obedezcas|hagas caso (?:a|de)|respetes)"
        r"|haz caso omiso de"
        r"|pasa por alto)"
        rf"(?:{GAP}[a-z]{{1,20}}){{0,3}}?{GAP}(?:{_ES_TARGET}"
        rf"(?:{GAP}[a-z]{{1,20}}){{0,3}}?{GAP}{_ES_MARK}"
        rf"|(?:todas|tus|sus)(?:{GAP}[a-z]{{1,20}}){{0,2}}?{GAP}{_ES_TARGET})\b",
    ),
    Rule("override_es", 0.6, r"\b(?:olvida|ignora|olvide|ignore) todo lo (?:anterior|que|dicho)"),
)
