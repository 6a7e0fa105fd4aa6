"""Which comments are demanded and offered, and the notes that stay on alarms."""

from sqlalchemy import Connection, select, text

from control_room.core.alarms import Priority
from control_room.core.comments import EVERYWHERE, CommentBook, CommentSetting
from db.people import act
from db.tables import comment_setting


def read_comments(connection: Connection) -> CommentBook:
    """Return what is set everywhere and in the municipalities that this connection may see."""
    return CommentBook(
        {
            EVERYWHERE if row.municipality_id is None else row.municipality_id: CommentSetting(
                frozenset(map(Priority, row.priorities)), tuple(row.comments)
            )
            for row in connection.execute(select(comment_setting))
        }
    )


def set_comments(connection: Connection, municipality_id: int, setting: CommentSetting, reason: str) -> str:
    """Set what holds in a municipality, or EVERYWHERE. Raises Refused."""
    asked = {
        "place": None if municipality_id == EVERYWHERE else municipality_id,
        "priorities": sorted(int(one) for one in setting.priorities),
        "comments": list(setting.comments),
        "reason": reason,
    }
    return act(connection, "set_comments(:place, :priorities ::int[], :comments ::text[], :reason)", asked)


_WRITE = text("""
    INSERT INTO comment_setting (municipality_id, priorities, comments)
    SELECT id, CAST(:priorities AS smallint[]), CAST(:comments AS text[]) FROM municipality WHERE key = :key
    ON CONFLICT (municipality_id) DO NOTHING""")


def write_comments(connection: Connection, key: str, setting: CommentSetting) -> None:
    """Set, as the database's owner, what holds in a municipality where nobody has set anything yet."""
    priorities = sorted(int(one) for one in setting.priorities)
    connection.execute(_WRITE, {"key": key, "priorities": priorities, "comments": list(setting.comments)})


def set_note(connection: Connection, rule_id: int, expected: str, words: str) -> str:
    """Leave a note on an alarm in place of the one that the person saw, or take it away with empty words. Raises Refused."""
    return act(
        connection, "set_note(:rule, :expected, :words)", {"rule": rule_id, "expected": expected, "words": words}
    )
