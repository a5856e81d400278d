"""The call over one link: a plain one carries everything, a deaf one nothing."""

from tests.support.bottleneck import Bottleneck
from tests.support.voice_link import talk


def test_a_good_link_loses_nothing_and_has_no_queue() -> None:
    story = talk(4)
    assert story.lost == []
    assert story.queued_s() == 0
    assert story.told > 15


def test_a_dead_link_loses_all() -> None:
    story = talk(4, loss=1.0)
    assert story.lost_pct(0, 2) == 100
    assert story.told == 0


def test_a_link_that_is_too_narrow_for_anything_has_a_queue() -> None:
    link = Bottleneck(10_000, 0.3)
    story = talk(4, lambda now: link)
    assert story.queued_s() > 2
    assert story.lost_pct(0, 3) > 20
