import threading

from gateway.remembered import Remembered


def test_a_value_is_known_for_a_while(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("gateway.remembered.time.monotonic", lambda: now[0])
    known = Remembered(2, 1.0)
    assert known.get("a") is None
    known.keep("a", 1)
    assert known.get("a") == 1
    now[0] += 1.0
    assert known.get("a") is None
    assert len(known) == 0
    known.keep("a", 1)
    now[0] += 1.0
    known.keep("b", 1)
    assert len(known) == 1


def test_the_oldest_is_given_up_first():
    known = Remembered(2)
    for name in "abac":
        known.keep(name, name)
    assert [known.get(name) for name in "abc"] == ["a", None, "c"]
    known.clear()
    assert known.get("c") is None


def test_threads_may_share_it():
    known, whole = Remembered(4), []

    def use(number):
        for step in range(2000):
            known.keep((number, step % 7), step)
            known.get((number, step % 5))
        whole.append(number)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(whole) == 4
    assert len(known) <= 8
