from wzp_cli.protocol.relay_facts import Histogram


def test_a_time_falls_into_the_bucket_whose_end_it_does_not_pass() -> None:
    histogram = Histogram(bounds_s=(0.1, 1.0), counts=[0, 0, 0])
    for seconds in (0.0, 0.1, 0.11, 1.0, 1.01, 50.0):
        histogram.observe(seconds)
    assert histogram.counts == [2, 2, 2]
    assert round(histogram.sum_s, 2) == 52.22


def test_each_histogram_counts_for_itself() -> None:
    one, two = Histogram(), Histogram()
    one.observe(0.5)
    assert sum(two.counts) == 0
    assert len(two.counts) == len(two.bounds_s) + 1
