"""Article → Verdict: is it about the political neutrality of those who must keep it?

The judgement is made of clues that meet: an official, the duty of neutrality or an act that takes
sides, a candidate or an election, in one sentence or in neighbouring ones (the title's neighbour
is the lead). Words and rules are data, see `data/lexicon.toml`; `sentences` finds the clues, what
is done here is to weigh.
"""

from collections import Counter, defaultdict

from extract.article import Article, Evidence, Verdict
from extract.lexicon import Lexicon, default
from extract.places import places
from extract.sentences import CLOSING, ENDS, Sentence
from extract.sentences import sentences as read_sentences

LEAD = 3  # sentences of the text that say what an article is about
TITLE = 2  # how much more than the lead the title says of an article's kind
SHORT = 8  # sentences; in a text no longer than this nothing is in passing


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
    sentences = read_sentences(article, lexicon)
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
        while end < len(source) and source[end] in ENDS + CLOSING:
            end += 1
        found.append(Evidence(source[s.start : end], s.start, end, s.where))
    return tuple(found)
