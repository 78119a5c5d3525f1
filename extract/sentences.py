"""An article's sentences, and what each of them says: its clues, its subjects, the cues of a kind.

Words and rules are data, see `data/lexicon.toml`; what is done here is to find the clues, and to
tell the official who is meant from the one who merely speaks.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from extract.article import Article
from extract.lexicon import CLUES, GROUPS, Hit, Lexicon, Word, words

LONGEST = 100  # words; a longer run without a full stop is cut, so that no text is ever costly
ENDS = ".!?…"
CLOSING = "\"'”’»)]"
_TOLD = {"duty", "sides", "partisan", "act", "candidate", "politics", "oversight"}
_SILENT = {*GROUPS} - {*CLUES}  # they only change what others say
_STAGES = ("kind.sanction", "kind.examination")


@dataclass(slots=True)
class Sentence:
    """A sentence of `where` ("title" or "text"): its words and what they say.

    `said` are the phrases that gave the clues, `cues` and `subjects` count mentions; `score` is
    that of the best rule the sentence helps to fulfil.
    """

    where: str
    words: Sequence[Word]
    said: list[Hit[str]] = field(default_factory=list)
    clues: frozenset[str] = frozenset()
    cues: Mapping[str, int] = field(default_factory=dict)
    subjects: Mapping[str, int] = field(default_factory=dict)
    score: float = 0.0

    @property
    def start(self) -> int:
        return self.words[0].start

    @property
    def end(self) -> int:
        return self.words[-1].end


def sentences(article: Article, lexicon: Lexicon) -> list[Sentence]:
    """The sentences of title and text, in order, each with what it says; the headlines of other
    articles ("Baca juga: …") are none of them. Time linear in length."""
    found = [*_cut("title", article.title, lexicon), *_cut("text", article.text, lexicon)]
    found = [s for s in found if (*(w.text for w in s.words[:2]),) not in lexicon.related]
    for sentence in found:
        _read(sentence, lexicon)
    return found


def _cut(where: str, text: str, lexicon: Lexicon) -> Iterator[Sentence]:
    """Cuts `text` at line ends and at full stops, but not after an abbreviation or an initial."""
    found = words(text)
    begin = 0
    for end in [*_ends(text, found, lexicon), len(found)]:
        for start in range(begin, end, LONGEST):
            yield Sentence(where, found[start : min(start + LONGEST, end)])
        begin = end


def _ends(text: str, found: Sequence[Word], lexicon: Lexicon) -> Iterator[int]:
    """How many words have passed at each end of a sentence."""
    for n, (last, following) in enumerate(pairwise(found), 1):
        gap = text[last[2] : following[1]]  # by number: this is done for each word
        if gap == " " or not gap:
            continue
        if "\n" in gap:
            yield n
            continue
        stop = gap.rstrip().lstrip(CLOSING)[:1]
        if not stop or stop not in ENDS or not any(c.isspace() for c in gap):
            continue
        if text[following.start].islower():
            continue
        if stop != "." or not (len(last.text) == 1 or last.text in lexicon.abbreviations):
            yield n


def _read(sentence: Sentence, lexicon: Lexicon) -> None:
    """Finds the sentence's clues, cues and subjects."""
    hits: dict[str, list[Hit[str]]] = {}
    for hit in lexicon.phrases.find([word.text for word in sentence.words]):
        hits.setdefault(hit.label, []).append(hit)
    if hits.keys() <= _SILENT:
        return
    clear = _unmasked(hits)
    officials, mentioned = (
        [
            hit
            for label, found in clear.items()
            if label.startswith(family)
            for hit in found
            if not _set_aside(hit, clear, sentence.words)
        ]
        for family in ("official.", "bystander.")
    )
    clear["duty"] = [duty for duty in clear.get("duty", ()) if _ours(duty, officials, clear)]
    about = [hit for hit in mentioned if _meant(hit, clear, officials, sentence.words)]
    bystanders = [hit for hit in mentioned if hit not in about]
    officials += about

    clues = {clue for clue in CLUES if clear.get(clue)}
    if clear.get("other_elections") and not clues & {"candidate", "oversight"}:
        clues -= {"duty", "partisan", "sides"}
    if clear.get("routine"):
        clues -= {"partisan", "act"} if "sides" not in clues else {"act"}
    clues |= {"official"} if officials else set()
    clues |= {"bystander"} if bystanders else set()
    sentence.clues = frozenset(clues)
    sentence.cues = _cues(clear)
    speech = clear.get("speech", [])
    meant = [o for o in officials if not _speaks(o, speech)] or officials
    subjects = {hit.label.partition(".")[2]: 0 for hit in bystanders}
    for hit in meant:
        subject = hit.label.partition(".")[2]
        subjects[subject] = subjects.get(subject, 0) + 1
    sentence.subjects = subjects
    sentence.said = [Hit("official", hit.start, hit.end) for hit in meant]
    sentence.said += [h for c in sorted(clues & _TOLD) for h in clear.get(c, ())]


def _unmasked(hits: Mapping[str, list[Hit[str]]]) -> dict[str, list[Hit[str]]]:
    """The hits that no false sense covers."""
    masks = hits.get("false_senses")
    if not masks:
        return {**hits}
    official = [h for label, found in hits.items() if label.startswith("official.") for h in found]
    hidden: set[int] = set()
    for mask in masks:
        # "aparatur sipil negara | netral" is no "negara netral"
        if not any(o.start < mask.start < o.end for o in official):
            hidden.update(range(mask.start, mask.end))
    return {
        label: [h for h in found if not hidden.issuperset(range(h.start, h.end))]
        for label, found in hits.items()
    }


def _set_aside(
    official: Hit[str], clear: Mapping[str, list[Hit[str]]], words: Sequence[Word]
) -> bool:
    """Whether he is one no longer or not yet ("mantan kades"), or only what a promise is about
    ("tunjangan para guru")."""
    former, promised = clear.get("former"), clear.get("beneficiary")
    if former:
        first = words[official.start].start
        if any(f.end == official.start and first - words[f.end - 1].end == 1 for f in former):
            return True
    return bool(promised) and any(0 <= official.start - p.end <= 2 for p in promised or ())


def _ours(duty: Hit[str], officials: list[Hit[str]], clear: Mapping[str, list[Hit[str]]]) -> bool:
    """Whether the duty is the matter ("bukan soal netralitas") and not that of others (the press)
    with no official near."""
    if any(0 <= duty.start - no.end <= 3 for no in clear.get("not_about", ())):
        return False
    return any(_gap(official, duty) <= 8 for official in officials) or not any(
        _gap(other, duty) <= 3 for other in clear.get("others", ())
    )


def _cues(clear: Mapping[str, list[Hit[str]]]) -> dict[str, int]:
    """How many cues each kind has; what is only threatened ("bisa dipecat") is a warning, and a cue
    within a longer one of another kind does not count."""
    found = [h for label, hits in clear.items() if label.startswith("kind.") for h in hits]
    if not found:
        return {}
    longer = [h for h in found if h.end - h.start > 1]
    modal = clear.get("modal", [])
    counts: dict[str, set[int]] = defaultdict(set)
    for hit in found:
        if hit.label in _STAGES and any(0 <= hit.start - m.end <= 1 for m in modal):
            counts["outreach"].add(hit.start)
        elif not any(
            o.start <= hit.start and hit.end <= o.end and o.end - o.start > hit.end - hit.start
            for o in longer
            if o.label != hit.label
        ):
            counts[hit.label.removeprefix("kind.")].add(hit.start)
    return {kind: len(starts) for kind, starts in counts.items()}


def _gap(one: Hit[str], other: Hit[str]) -> int:
    """How many words lie between two phrases."""
    return max(one.start - other.end, other.start - one.end, 0)


def _speaks(official: Hit[str], speech: list[Hit[str]]) -> bool:
    return any(0 <= verb.start - official.end <= 5 for verb in speech)


def _meant(
    bystander: Hit[str],
    clear: Mapping[str, list[Hit[str]]],
    officials: list[Hit[str]],
    words: Sequence[Word],
) -> bool:
    """Whether the sentence is about the bystander's own neutrality: "netralitas KPU", "Kapolres
    tidak netral", "Panwascam dukung paslon", "KPU ingatkan PPS tak berpihak", but not "Bawaslu
    ingatkan netralitas"."""
    speech, duties = clear.get("speech", []), clear["duty"]
    following = words[bystander.end].text if bystander.end < len(words) else ""
    accused = any(  # "Pj Bupati dituding …", "anggota Bawaslu disanksi …"
        0 <= word.start - bystander.end <= 1 and words[word.start].text.startswith(("di", "ter"))
        for word in clear.get("accused", ())
    ) or any(  # "DKPP copot ketua Panwaslih …"
        0 <= bystander.start - word.end <= 1
        and not words[word.start].text.startswith(("di", "ter"))
        for word in clear.get("kind.sanction", ())
    )
    spoken_to = any(0 <= bystander.start - verb.end <= 3 for verb in speech)
    far = 8 if accused else 6 if spoken_to or following == "yang" else 3
    between = officials if accused else [*officials, *speech]
    for clue in (*duties, *clear.get("partisan", ())):
        if _gap(bystander, clue) > far:
            continue
        gap = range(min(bystander.end, clue.end), max(bystander.start, clue.start))
        if any(hit.start in gap for hit in between):
            continue
        if clue.start >= bystander.end or (clue in duties and not _speaks(bystander, speech)):
            return True
    return not following.startswith("di") and any(
        act.start == bystander.end for act in clear.get("act", ())
    )
