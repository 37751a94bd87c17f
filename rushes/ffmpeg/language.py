"""Languages as files name them (ISO 639-2, both of its forms) into BCP-47 (RFC 5646). Pure."""

from __future__ import annotations

import re

_TABLE = """
eng=en ger=de deu=de fre=fr fra=fr spa=es ita=it por=pt dut=nl nld=nl rus=ru ukr=uk pol=pl cze=cs
ces=cs slo=sk slk=sk hun=hu rum=ro ron=ro bul=bg gre=el ell=el tur=tr ara=ar heb=he per=fa fas=fa hin=hi ben=bn
urd=ur tam=ta tel=te mar=mr guj=gu kan=kn mal=ml pan=pa sin=si nep=ne jpn=ja kor=ko chi=zh zho=zh tha=th
vie=vi ind=id may=ms msa=ms tgl=tl swe=sv dan=da nor=no nob=nb nno=nn fin=fi est=et lav=lv lit=lt ice=is
isl=is gle=ga wel=cy cym=cy baq=eu eus=eu cat=ca glg=gl hrv=hr srp=sr slv=sl mac=mk mkd=mk alb=sq sqi=sq
bos=bs arm=hy hye=hy geo=ka kat=ka aze=az kaz=kk uzb=uz mon=mn khm=km lao=lo bur=my mya=my swa=sw amh=am
som=so hau=ha yor=yo ibo=ig zul=zu xho=xh afr=af lat=la epo=eo
"""
_TWO_LETTERS = {three: two for three, two in (pair.split("=") for pair in _TABLE.split())}
_NONE = frozenset(("und", "mul", "zxx", "mis", "unk", "xxx", "qaa", "root"))
_TAG = re.compile(r"^[a-z]{2,3}(-[a-z]{4})?(-(?:[a-z]{2}|[0-9]{3}))?$", re.IGNORECASE)


def bcp47(text: str | None) -> str | None:
    """`ger` -> `de`, `en-us` -> `en-US`, `und` and what is no language -> None."""
    text = (text or "").strip().replace("_", "-")
    if not _TAG.match(text):
        return None
    language, *rest = text.split("-")
    language = language.lower()
    if language in _NONE:
        return None
    parts = [part.title() if len(part) == 4 else part.upper() for part in rest]
    return "-".join([_TWO_LETTERS.get(language, language), *parts])
