"""The handbook window: contents, search, links; and the handbook itself."""

from pathlib import Path

import pytest
from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from pytestqt.qtbot import QtBot

from control_room.ui.handbook import HandbookWindow
from tests.ui.rooms import Stage


@pytest.fixture
def book(stage: Stage, tmp_path: Path, qtbot: QtBot) -> HandbookWindow:
    pages = tmp_path / "book"
    (pages / "more").mkdir(parents=True)
    (pages / "index.md").write_text(
        "# Handbook\n\n[Pumps](more/pumps.md#start) [out](../secret.md) [web](https://x.y)\n"
    )
    (pages / "more" / "pumps.md").write_text(
        "# Pumps\n\n[back](../index.md)\n\n| a | b |\n|---|---|\n| Impeller | 2 |\n"
    )
    (tmp_path / "secret.md").write_text("# Secret\n")
    made = HandbookWindow(pages, stage.console.theme)
    qtbot.addWidget(made)
    made.show()
    return made


def test_contents_and_links_lead_to_pages(book: HandbookWindow) -> None:
    assert [book.contents.item(row).text() for row in range(2)] == ["Handbook", "Pumps"]
    book.page.follow(QUrl("more/pumps.md#start"))
    assert "Impeller" in book.page.toPlainText()
    book.page.follow(QUrl("../index.md"))
    assert book.page.toPlainText().startswith("Handbook")


def test_a_link_out_of_the_handbook_opens_nothing(book: HandbookWindow) -> None:
    book.page.follow(QUrl("../secret.md"))
    assert book.page.toPlainText().startswith("Handbook")


def test_other_links_open_in_the_systems_browser(book: HandbookWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def note(link: QUrl) -> bool:
        opened.append(link.toString())
        return True

    monkeypatch.setattr(QDesktopServices, "openUrl", note)
    book.page.follow(QUrl("https://x.y"))
    assert opened == ["https://x.y"]


def test_search_finds_pages_and_marks_the_words(book: HandbookWindow) -> None:
    book.search.setText("impeller")
    assert [book.contents.item(row).text() for row in range(book.contents.count())] == ["Pumps"]
    assert book.found.text() == "1 page"
    assert len(book.page.extraSelections()) == 1
    book.find_next()
    assert book.page.textCursor().selectedText().lower() == "impeller"
    book.search.setText("no such words")
    assert book.contents.count() == 0
