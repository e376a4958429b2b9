"""What the pages say, in English and German. Each text is whole, so that no sentence is put together from pieces.

Texts are plain: what is filled in is escaped where the page is made (`lakekey.web.pages`).
"""

from datetime import UTC, datetime

from lakekey.web import words_english, words_german

LANGUAGES = ("en", "de")

_TEXTS = {"en": words_english.TEXTS, "de": words_german.TEXTS}
_MONTHS = {"en": words_english.MONTHS, "de": words_german.MONTHS}


def language_of(accepted: str) -> str:
    """The language of a page, by a request's ``Accept-Language`` (RFC 9110 §12.5.4)."""
    ranked = []
    for part in accepted[:500].lower().split(","):
        name, _, parameter = part.strip().partition(";")
        quality = parameter.strip().removeprefix("q=") if parameter else "1"
        try:
            weight = float(quality)
        except ValueError:
            continue
        if 0 < weight <= 1:
            ranked.append((-weight, name.partition("-")[0]))
    return next((name for _, name in sorted(ranked, key=lambda each: each[0]) if name in LANGUAGES), "en")


def text(language: str, key: str, **values: str) -> str:
    """A text, with its places filled in."""
    return _TEXTS[language][key].format_map(values)


def has(key: str) -> bool:
    """Whether there is such a text."""
    return key in words_english.TEXTS


def date(language: str, moment: datetime) -> str:
    """A date and time in words, in UTC: a server does not know where its reader is."""
    at = moment.astimezone(UTC)
    month = _MONTHS[language][at.month - 1]
    if language == "de":
        return f"{at.day}. {month} {at.year}, {at:%H:%M} UTC"
    return f"{at.day} {month} {at.year}, {at:%H:%M} UTC"


def from_now(language: str, moment: datetime, now: datetime) -> str:
    """How long until then, in words."""
    seconds = (moment - now).total_seconds()
    for size, english, german in ((86400, "day", ("Tag", "Tagen")), (3600, "hour", ("Stunde", "Stunden"))):
        count = round(seconds / size)
        if seconds > 0.9 * size:
            name = german[count > 1] if language == "de" else f"{english}{'s' if count > 1 else ''}"
            return f"in {count} {name}"
    return "in weniger als einer Stunde" if language == "de" else "in less than an hour"
