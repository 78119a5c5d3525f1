"""Article → Verdict: is it about the political neutrality of those who must keep it?

The judgement is made of clues that meet: an official, the duty of neutrality or an act that takes
sides, a candidate or an election, in one sentence or in neighbouring ones (the title's neighbour
is the lead). Words and rules are data, see `data/lexicon.toml`; `sentences` finds the clues, the
rules weigh them here, and `opinion`, which has learned what clues and words are worth together,
has the last word.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from extract import opinion
from extract.article import Article, Clue, Evidence, Verdict
from extract.lexicon import Lexicon, default
from extract.places import places
from extract.sentences import CLOSING, ENDS, Sentence
from extract.sentences import sentences as read_sentences

LEAD = 3  # sentences of the text that say what an article is about
TITLE = 2  # how much more than the lead the title says of an article's kind
SHORT = 8  # sentences; in a text no longer than this neighbours belong together
PROOF = 5  # sentences shown as evidence
TELLS = 0.3  # the score of a rule that proves something by itself
_SHOWN = {
    "sides": "act",
    "partisan": "act",
    "politics": "election",
}  # clues, as a reader names them


def judge(
    article: Article,
    *,
    province: str | None = None,
    regency: str | None = None,
    lexicon: Lexicon | None = None,
    model: opinion.Model | None = None,
) -> Verdict:
    """Judges a title with its lead as well as a whole article, in time linear in its length.

    `province` and `regency` are the outlet's own, the last resort for the place. `lexicon` and
    `model` are the project's own unless given.
    """
    lexicon = lexicon or default()
    sentences = read_sentences(article, lexicon)
    weigh(sentences, lexicon)
    model = model or opinion.load()
    told = opinion.opinion(sentences, model)
    proof = _proof(sentences, told.telling)
    low, high = lexicon.borderline
    score = round(told.score, 2)
    if score < low:
        return Verdict(relevant=False, score=score, evidence=_evidence(article, proof[:1]))
    manner = opinion.manner(told.telling, rule_kind(told.telling, lexicon))
    if score >= lexicon.threshold and opinion.doubt(manner, model) >= opinion.DOUBTFUL:
        score = lexicon.threshold  # it stays relevant, with the lowest score that is
    return Verdict(
        relevant=score >= lexicon.threshold,
        score=score,
        borderline=score < high,
        kind=opinion.kind(manner, model),
        subjects=_subjects(proof),
        places=places(article.title, article.text, article.dateline, province, regency),
        evidence=_evidence(article, proof),
    )


def weigh(sentences: list[Sentence], lexicon: Lexicon) -> None:
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


def _proof(sentences: Sequence[Sentence], telling: Sequence[Sentence]) -> list[Sentence]:
    """The sentences that prove it, the strongest first: those by which a rule is fulfilled; where
    none is, those that tell most, with what clues they have."""
    proof = [s for s in sentences if s.score >= TELLS]
    if not proof:
        proof = [s for s in telling if s.subjects] or [s for s in telling if s.clues]
    return sorted(proof or telling, key=lambda s: -s.score)[: PROOF + 1]


def rule_kind(sentences: Sequence[Sentence], lexicon: Lexicon) -> str:
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
    return "outreach" if any("duty" in s.clues for s in sentences) else "other"


def _subjects(proof: list[Sentence]) -> tuple[str, ...]:
    sums: Counter[str] = Counter()
    for sentence in proof:
        weight = 2 if sentence.where == "title" else 1
        for subject, count in sentence.subjects.items():
            sums[subject] += weight * count
    most = max(sums.values(), default=0)
    named = [s for s, n in sums.most_common() if n and n >= most / 4]
    # one only mentioned is the subject where nobody else is; Bawaslu and KPU mostly just report
    return tuple(named) or tuple(s for s in sums if s != "election_organiser")[:1] or ("other",)


def _evidence(article: Article, proof: Sequence[Sentence]) -> tuple[Evidence, ...]:
    """The sentences as they stand. A reader sees the title anyway: it proves only what the text
    does not."""
    found = []
    for s in ([s for s in proof if s.where == "text"] or proof)[:PROOF]:
        source = article.title if s.where == "title" else article.text
        end = s.end
        while end < len(source) and source[end] in ENDS + CLOSING:
            end += 1
        clues = tuple(_clues(s, source))
        found.append(Evidence(source[s.start : end], s.start, end, s.where, clues))
    return tuple(found)


def _clues(sentence: Sentence, source: str) -> Iterator[Clue]:
    """What the sentence's phrases say, in order; of those that say the same and overlap, the
    longest."""
    until: dict[str, int] = {}
    candidates = {(h.start, h.end) for h in sentence.said if h.label == "candidate"}
    for hit in sorted(sentence.said, key=lambda h: (h.start, -h.end)):
        if hit.label == "politics" and (hit.start, hit.end) in candidates:
            continue  # every candidate counts as politics, too
        what = _SHOWN.get(hit.label, hit.label)
        if hit.start >= until.get(what, 0):
            until[what] = hit.end
            start, end = sentence.words[hit.start].start, sentence.words[hit.end - 1].end
            yield Clue(what, source[start:end], start, end)
