"""The first text of an article's version stands, for everybody and for ever; another text of it is named."""

from __future__ import annotations

from ledger_scene import Scene

from ledger.events import Kind
from ledger.pins import Edition, changed, pin

AUDIT = Edition("audit-log", 7, "a" * 64)
OTHER = Edition("audit-log", 7, "b" * 64)


def _pins(scene: Scene) -> list[tuple[str, int, str]]:
    told = [e.head for e in scene.history.house_timeline() if e.kind is Kind.ARTICLE_PINNED]
    return [(h["article"], h["version"], h["digest"]) for h in told]


def test_the_first_text_of_a_version_stands_and_another_is_named(scene: Scene) -> None:
    assert pin(scene.store, [AUDIT], "assistant") == ()
    assert pin(scene.store, [AUDIT, OTHER], "assistant") == (OTHER,)
    assert changed(scene.store, [OTHER, AUDIT]) == (OTHER,)
    assert _pins(scene) == [("audit-log", 7, "a" * 64)]


def test_of_two_texts_that_are_pinned_at_once_the_first_stands(scene: Scene) -> None:
    assert pin(scene.store, [OTHER, AUDIT], "assistant") == (AUDIT,)


def test_a_newer_version_may_have_another_text(scene: Scene) -> None:
    newer = Edition("audit-log", 8, "c" * 64)
    assert pin(scene.store, [AUDIT], "assistant") == ()
    assert pin(scene.store, [newer, AUDIT], "assistant") == ()


def test_what_was_never_pinned_has_not_changed_and_asking_pins_nothing(scene: Scene) -> None:
    assert changed(scene.store, [AUDIT]) == ()
    assert _pins(scene) == []


def test_ids_of_any_length_and_with_any_signs_are_told_apart(scene: Scene) -> None:
    ids = ["a", "a/1", "a/1/1", "x" * 5_000, "x" * 5_000 + "y", "~a", "", "\ud800"]
    editions = [Edition(name, 1, f"{n:064}") for n, name in enumerate(ids)]
    assert pin(scene.store, editions, "assistant") == ()
    assert len(_pins(scene)) == len(ids)
    assert len(changed(scene.store, [Edition(e.article, e.version, "f" * 64) for e in editions])) == len(ids)
