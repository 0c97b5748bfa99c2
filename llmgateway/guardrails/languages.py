"""The languages that lingua tells apart, and the codes and names that configs write them with.

Source: https://github.com/pemistahl/lingua-rs#3-which-languages-are-supported (2.1),
https://github.com/facebookresearch/flores/blob/main/flores200/README.md for Portkey's codes.
"""

from __future__ import annotations

from functools import cache

_LANGUAGES = """
af:afr:afrikaans sq:sqi:albanian ar:ara:arabic hy:hye:armenian az:aze:azerbaijani eu:eus:basque
be:bel:belarusian bn:ben:bengali nb:nob:bokmal bs:bos:bosnian bg:bul:bulgarian ca:cat:catalan
zh:zho:chinese hr:hrv:croatian cs:ces:czech da:dan:danish nl:nld:dutch en:eng:english
eo:epo:esperanto et:est:estonian fi:fin:finnish fr:fra:french lg:lug:ganda ka:kat:georgian
de:deu:german el:ell:greek gu:guj:gujarati he:heb:hebrew hi:hin:hindi hu:hun:hungarian
is:isl:icelandic id:ind:indonesian ga:gle:irish it:ita:italian ja:jpn:japanese kk:kaz:kazakh
ko:kor:korean la:lat:latin lv:lav:latvian lt:lit:lithuanian mk:mkd:macedonian ms:msa:malay
mi:mri:maori mr:mar:marathi mn:mon:mongolian nn:nno:nynorsk fa:fas:persian pl:pol:polish
pt:por:portuguese pa:pan:punjabi ro:ron:romanian ru:rus:russian sr:srp:serbian sn:sna:shona
sk:slk:slovak sl:slv:slovene so:som:somali st:sot:sotho es:spa:spanish sw:swa:swahili
sv:swe:swedish tl:tgl:tagalog ta:tam:tamil te:tel:telugu th:tha:thai ts:tso:tsonga tn:tsn:tswana
tr:tur:turkish uk:ukr:ukrainian ur:urd:urdu vi:vie:vietnamese cy:cym:welsh xh:xho:xhosa
yo:yor:yoruba zu:zul:zulu
"""
# FLORES names the variety where ISO 639 has one code for the language.
_VARIETIES = """
acm:arabic acq:arabic aeb:arabic ajp:arabic apc:arabic arb:arabic ars:arabic ary:arabic arz:arabic
als:albanian azj:azerbaijani cmn:chinese ekk:estonian khk:mongolian lvs:latvian
pes:persian prs:persian swh:swahili zsm:malay fil:tagalog iw:hebrew slovenian:slovene
"""


@cache
def by_name() -> dict[str, str]:
    """Return lingua's name of each language by its two codes, its name and its varieties."""
    found: dict[str, str] = {}
    for row in _LANGUAGES.split():
        names = row.split(":")
        found |= dict.fromkeys(names, names[-1])
    for row in _VARIETIES.split():
        code, name = row.split(":")
        found[code] = name
    return found
