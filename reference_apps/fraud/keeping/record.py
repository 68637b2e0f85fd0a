"""A judgement as it is kept beside its event: verdict, scores, reasons, and the features it was made of. Pure.

Most keys are quiet, so most windows say what the shorter one says: such windows at the end of a family's figures are left out.
"""

from collections.abc import Sequence

import msgspec

from reference_apps.fraud.features.graph import Ties
from reference_apps.fraud.features.keystate import Figures
from reference_apps.fraud.features.spec import NOTHING, WIDTH
from reference_apps.fraud.model import Judgement, Reason, Verdict

Said = tuple[str, str, float]


class Record(msgspec.Struct, frozen=True, array_like=True):
    """What is kept. `policy`: the hash of the policy that judged; `odd`: how odd the event is, in shadow."""

    verdict: int
    policy: str
    probabilities: tuple[int | None, ...]
    reasons: tuple[Said, ...]
    shadow: tuple[Said, ...]
    figures: tuple[tuple[int, ...], ...]
    ties: Ties
    late_ms: int = 0
    odd: int | None = None

    def judgement(self) -> Judgement:
        """Return the judgement that was made."""
        reasons, shadow = (tuple(Reason(*said) for said in several) for several in (self.reasons, self.shadow))
        return Judgement(Verdict(self.verdict), self.probabilities, reasons, shadow)

    def all_figures(self) -> tuple[Figures, ...]:
        """Return each family's figures, whole again."""
        return tuple(_filled(figures) for figures in self.figures)


def write(judgement: Judgement, policy: str, figures: Sequence[Figures], ties: Ties, late_ms: int, *, odd: int | None = None) -> bytes:
    """Return a judgement as bytes; the same judgement gives the same bytes."""
    reasons, shadow = (tuple((each.code, each.text, each.weight) for each in several) for several in (judgement.reasons, judgement.shadow))
    shortened = tuple(_shortened(each) for each in figures)
    return ENCODER.encode(Record(int(judgement.verdict), policy, judgement.probabilities, reasons, shadow, shortened, ties, late_ms, odd))


def read(content: bytes) -> Record:
    """Return what `write` gave bytes of."""
    return DECODER.decode(content)


def _shortened(figures: Figures) -> Figures:
    if figures is NOTHING or figures[0] == 0:
        return ()
    if figures[:WIDTH] == figures[-WIDTH:]:
        return figures[:WIDTH]
    end = len(figures)
    while end > WIDTH and figures[end - WIDTH : end] == figures[end - 2 * WIDTH : end - WIDTH]:
        end -= WIDTH
    return figures[:end]


def _filled(figures: Figures) -> Figures:
    missing = (len(NOTHING) - len(figures)) // WIDTH
    return figures + figures[-WIDTH:] * missing if figures else NOTHING


ENCODER = msgspec.msgpack.Encoder()
DECODER = msgspec.msgpack.Decoder(Record)
