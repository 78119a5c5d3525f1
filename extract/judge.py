"""Article → Verdict: is it about the political neutrality of those who must keep it?

The judgement is made of clues that meet: an official, the duty of neutrality or an act that takes
sides, a candidate or an election, in one sentence or in neighbouring ones (the title's neighbour
is the lead). Words and rules are data, see `data/lexicon.toml`; what is done here is to find the
clues, to tell the official who is meant from the one who merely speaks, and to weigh.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from extract.article import Article, Evidence, Verdict
from extract.lexicon import CLUES, Hit, Lexicon, Word, default, words
from extract.places import places

LONGEST = 100  # words; a longer run without a full stop is cut, so that no text is ever costly
LEAD = 3  # sentences of the text that say what an article is about
TITLE = 2  # how much more than the lead the title says of an article's kind
SHORT = 8  # sentences; in a text no longer than this nothing is in passing
_STAGES = ("kind.sanction", "kind.examination")
_ENDS = ".!?…"
_CLOSING = "\"'”’»)]"


@dataclass(slots=True)
class Sentence:
    """A sentence of `where` ("title" or "text"): its words and what they say."""

    where: str
    words: list[Word]
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


def judge(
    article: Article,
    *,
    province: str | None = None,
    regency: str | None = None,
    lexicon: Lexicon | None = None,
) -> Verdict:
    """Judges a title with its lead as well as a whole article, in time linear in its length.

    `province` and `regency` are the outlet's own, the last resort for the place. `lexicon` is the
    project's own unless given.
    """
    lexicon = lexicon or default()
    sentences = [
        *_sentences("title", article.title, lexicon),
        *_sentences("text", article.text, lexicon),
    ]
    for sentence in sentences:
        _read(sentence, lexicon)
    _apply(lexicon, sentences)
    score = _weigh(sentences, lexicon)
    telling = sorted((s for s in sentences if s.score > 0), key=lambda s: -s.score)
    relevant = score >= lexicon.threshold
    if not relevant:
        return Verdict(False, score, evidence=_evidence(article, telling[:1]))
    proof = [s for s in telling if s.score >= lexicon.threshold][:6]
    return Verdict(
        relevant=True,
        score=score,
        kind=_kind(sentences, proof, lexicon),
        subjects=_subjects(proof),
        places=places(article.title, article.text, article.dateline, province, regency),
        evidence=_evidence(article, proof),
    )


def _sentences(where: str, text: str, lexicon: Lexicon) -> Iterator[Sentence]:
    """Cuts `text` at line ends and at full stops, but not after an abbreviation or an initial."""
    current: list[Word] = []
    for word in words(text):
        if current and (len(current) >= LONGEST or _ended(text, current[-1], word, lexicon)):
            yield Sentence(where, current)
            current = []
        current.append(word)
    if current:
        yield Sentence(where, current)


def _ended(text: str, last: Word, following: Word, lexicon: Lexicon) -> bool:
    gap = text[last.end : following.start]
    if not gap or gap == " ":
        return False
    if "\n" in gap:
        return True
    stop = gap.rstrip().lstrip(_CLOSING)[:1]
    if not stop or stop not in _ENDS or not any(c.isspace() for c in gap):
        return False
    if text[following.start].islower():
        return False
    return stop != "." or not (len(last.text) == 1 or last.text in lexicon.abbreviations)


def _read(sentence: Sentence, lexicon: Lexicon) -> None:
    """Finds the sentence's clues, cues and subjects."""
    hits: dict[str, list[Hit[str]]] = {}
    for hit in lexicon.phrases.find([word.text for word in sentence.words]):
        hits.setdefault(hit.label, []).append(hit)
    if not hits:
        return
    clear = _unmasked(hits)
    officials = [
        hit
        for label, found in clear.items()
        if label.startswith("official.")
        for hit in found
        if not _set_aside(hit, clear, sentence.words)
    ]
    clear["duty"] = [duty for duty in clear.get("duty", ()) if _ours(duty, officials, clear)]
    named = list(officials)
    bystanders = []
    for label, found in clear.items():
        if label.startswith("bystander."):
            for hit in found:
                if _set_aside(hit, clear, sentence.words):
                    continue
                if _meant(hit, clear, named, sentence.words):
                    officials.append(hit)
                else:
                    bystanders.append(hit)

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
    subjects = Counter({hit.label.partition(".")[2]: 0 for hit in bystanders})
    subjects.update(hit.label.partition(".")[2] for hit in meant)
    sentence.subjects = subjects


def _unmasked(hits: Mapping[str, list[Hit[str]]]) -> dict[str, list[Hit[str]]]:
    """The hits that no false sense covers."""
    official = [h for label, found in hits.items() if label.startswith("official.") for h in found]
    hidden: set[int] = set()
    for mask in hits.get("false_senses", ()):
        # "aparatur sipil negara | netral" is no "negara netral"
        if not any(o.start < mask.start < o.end for o in official):
            hidden.update(range(mask.start, mask.end))
    return {
        label: [h for h in found if not hidden.issuperset(range(h.start, h.end))]
        for label, found in hits.items()
    }


def _set_aside(official: Hit[str], clear: Mapping[str, list[Hit[str]]], words: list[Word]) -> bool:
    """Whether he is one no longer or not yet ("mantan kades"), or only what a promise is about
    ("tunjangan para guru")."""
    first = words[official.start].start
    return any(
        former.end == official.start and first - words[former.end - 1].end == 1
        for former in clear.get("former", ())
    ) or any(0 <= official.start - word.end <= 2 for word in clear.get("beneficiary", ()))


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
    words: list[Word],
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


def _apply(lexicon: Lexicon, sentences: list[Sentence]) -> None:
    """Gives each sentence the score of the best rule that it helps to fulfil. Title and lead tell
    one thing; further down, neighbours need not belong together and each must say it alone."""
    saying = [n for n, sentence in enumerate(sentences) if sentence.clues]
    head = sum(s.where == "title" for s in sentences) + LEAD
    for reach in {rule.reach for rule in lexicon.rules}:
        rules = [rule for rule in lexicon.rules if rule.reach == reach]
        for first in saying:
            if reach and first >= head and len(sentences) > SHORT:
                break
            window = sentences[first : first + reach + 1]
            said = frozenset().union(*(s.clues for s in window))
            for rule in rules:
                if rule.needs <= said:
                    for sentence in window:
                        if sentence.clues & rule.needs:
                            sentence.score = max(sentence.score, rule.score)


def _weigh(sentences: list[Sentence], lexicon: Lexicon) -> float:
    """The article's score: its best sentence's, more when others agree, less when it is alone and
    deep in a long text."""
    best = max((s.score for s in sentences), default=0.0)
    agreeing = [n for n, s in enumerate(sentences) if s.score >= lexicon.threshold]
    if not agreeing:
        return best
    titles = sum(s.where == "title" for s in sentences)
    prominent = agreeing[0] < titles + LEAD
    if not prominent and len(sentences) > SHORT and len(agreeing) < max(3, len(sentences) / 5):
        return min(best, lexicon.passing)
    return round(min(best + 0.02 * (len(agreeing) - 1), 0.99), 2)


def _kind(sentences: list[Sentence], proof: list[Sentence], lexicon: Lexicon) -> str:
    """The kind whose cues weigh most: see the order of precedence in the lexicon."""
    sums: defaultdict[str, float] = defaultdict(float)
    title = [s for s in sentences if s.where == "title"]
    lead = [s for s in sentences if s.where == "text"][:LEAD]
    for part, times in ((title, TITLE), (lead, 1)):
        cues = {kind for sentence in part for kind in sentence.cues}
        if "outreach" not in cues and any(s.clues & {"sides", "partisan"} for s in part):
            cues.add("allegation")
        for kind in cues:
            sums[kind] += times * lexicon.kinds[kind].weight
    if sums:
        return max(lexicon.kinds, key=lambda kind: sums[kind])
    return "outreach" if any("duty" in s.clues for s in proof) else "other"


def _subjects(proof: list[Sentence]) -> tuple[str, ...]:
    sums: Counter[str] = Counter()
    for sentence in proof:
        weight = 2 if sentence.where == "title" else 1
        for subject, count in sentence.subjects.items():
            sums[subject] += weight * count
    most = max(sums.values(), default=0)
    named = [s for s, n in sums.most_common() if n and n >= most / 4]
    return tuple(named) or tuple(s for s in sums if s != "election_organiser")[:1] or ("other",)


def _evidence(article: Article, sentences: list[Sentence]) -> tuple[Evidence, ...]:
    """The sentences as they stand. A reader sees the title anyway: it proves only what the text
    does not."""
    found = []
    for s in ([s for s in sentences if s.where == "text"] or sentences)[:5]:
        source = article.title if s.where == "title" else article.text
        end = s.end
        while end < len(source) and source[end] in _ENDS + _CLOSING:
            end += 1
        found.append(Evidence(source[s.start : end], s.start, end, s.where))
    return tuple(found)
