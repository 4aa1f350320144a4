"""The draw of the negative cases that are read twice before release (R5)."""

import secrets

from cases import clock, policy, queries
from cases.models import Case, ReadingSettings, RescreenDraw, Review

SEED_BYTES = 16


def draw(case: Case, review: Review, settings: ReadingSettings) -> RescreenDraw:
    """Draw for one negative read, and keep what it takes to draw again.

    The reads of a laboratory fill one series after the other. The seed of a series is drawn with
    its first read, so that nobody knows beforehand who is chosen; a series ends early when the
    laboratory changes its share. One draw at a time: the settings' row is the lock.
    """
    if settings.pk is not None:
        ReadingSettings.objects.select_for_update(no_key=True).get(pk=settings.pk)
    last = RescreenDraw.objects.filter(laboratory_id=case.laboratory_id).last()
    if last and last.rank < policy.SERIES and last.share == settings.rescreen_percent:
        series, rank, seed = last.series, last.rank + 1, last.seed
    else:
        series, rank = (last.series + 1 if last else 1), 1
        seed = secrets.token_hex(SEED_BYTES)
    by_history = settings.higher_risk == ReadingSettings.HigherRisk.HISTORY
    return RescreenDraw.objects.create(
        laboratory_id=case.laboratory_id,
        review=review,
        series=series,
        rank=rank,
        seed=seed,
        share=settings.rescreen_percent,
        is_drawn=rank in policy.drawn(seed, settings.rescreen_percent),
        higher_risk=queries.higher_risk(case, by_history=by_history),
        drawn_at=clock.now(),
    )
