"""What is good once is remembered, within bounds."""

from gateway.web.spent import Spent


def test_what_was_used_is_known_until_its_time():
    """A key is known until an addition after its end."""
    spent = Spent()
    spent.add(b"a", 10, 0)
    assert b"a" in spent
    spent.add(b"b", 20, 9)
    assert b"a" in spent
    spent.add(b"c", 20, 10)
    assert b"a" not in spent
    assert b"b" in spent


def test_strangers_fill_it_up_to_its_bound_only():
    """V4: the oldest entries go when it is full, and what ended already is never kept."""
    spent = Spent(max_entries=3)
    for number in range(10):
        spent.add(bytes([number]), 100, 0)
    assert [number for number in range(10) if bytes([number]) in spent] == [7, 8, 9]
    spent.add(b"x", 100, 100)
    assert b"x" not in spent
