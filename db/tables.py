"""The tables, as SQLAlchemy Core sees them; migrations make them, a test compares the two.

Time stamps are `timestamptz`. Who may read or write what stands in db/access.py. Sequences `latest_seq` and
`alarm_seq` number what changes, so that a seat can ask for "everything after N"; they follow the clock.

People and stations read no table: views of the same names stand in the schema `seen`.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Sequence,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, INT8MULTIRANGE, JSONB

metadata = MetaData()
Time = DateTime(timezone=True)
latest_seq = Sequence("latest_seq", metadata=metadata)
alarm_seq = Sequence("alarm_seq", metadata=metadata)


def _municipality(is_key: bool = False) -> Column[int]:
    return Column("municipality_id", ForeignKey("municipality.id"), nullable=False, primary_key=is_key)


def _any_id(table: str) -> Column[int]:
    # in no order, so that it tells nobody how many others there are
    return Column("id", Integer, primary_key=True, server_default=text(f"unused_id('{table}'::regclass)"))


municipality = Table(
    "municipality",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
)
network = Table(
    "network",
    metadata,
    _municipality(is_key=True),
    Column("is_schematic", Boolean, nullable=False),
)
network_node = Table(
    "network_node",
    metadata,
    _municipality(is_key=True),
    Column("key", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("longitude_deg", Float, nullable=False),
    Column("latitude_deg", Float, nullable=False),
    Column("elevation_m", Float, nullable=False),
)
network_link = Table(
    "network_link",
    metadata,
    _municipality(is_key=True),
    Column("key", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("start_node", Text, nullable=False),
    Column("end_node", Text, nullable=False),
    # longitude, latitude, longitude, latitude ... in degrees
    Column("vertices_deg", ARRAY(Float), nullable=False),
    Column("diameter_m", Float, nullable=False),
    Column("length_m", Float, nullable=False),
)
asset = Table(
    "asset",
    metadata,
    _any_id("asset"),
    _municipality(),
    # a site is an asset without a parent
    Column("parent_id", ForeignKey("asset.id")),
    Column("name", Text, nullable=False),
    UniqueConstraint("municipality_id", "parent_id", "name", postgresql_nulls_not_distinct=True),
)
connection = Table(
    "connection",
    metadata,
    _any_id("connection"),
    _municipality(),
    Column("name", Text, nullable=False),
    Column("driver", Text, nullable=False),
    Column("settings", JSONB, nullable=False),
    Column("is_enabled", Boolean, nullable=False, server_default="true"),
    UniqueConstraint("municipality_id", "name"),
)
tag = Table(
    "tag",
    metadata,
    _any_id("tag"),
    _municipality(),
    Column("asset_id", ForeignKey("asset.id"), nullable=False),
    Column("connection_id", ForeignKey("connection.id"), nullable=False, index=True),
    Column("key", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("quantity", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("low", Float, nullable=False),
    Column("high", Float, nullable=False),
    Column("decimals", SmallInteger, nullable=False),
    Column("states", ARRAY(Text), nullable=False),
    Column("element", Text, nullable=False),
    Column("is_writable", Boolean, nullable=False),
    # a retired tag keeps its history and is no longer collected or shown
    Column("is_retired", Boolean, nullable=False, server_default="false"),
    UniqueConstraint("municipality_id", "key"),
)
alarm_rule = Table(
    "alarm_rule",
    metadata,
    _any_id("alarm_rule"),
    Column("tag_id", ForeignKey("tag.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("alarm_limit", Float, nullable=False),
    Column("deadband", Float, nullable=False),
    Column("on_delay_s", Float, nullable=False),
    Column("off_delay_s", Float, nullable=False),
    Column("message", Text, nullable=False),
    # a retired rule was raised once, and is judged no longer
    Column("is_retired", Boolean, nullable=False, server_default="false"),
    _municipality(),
    Column("is_latching", Boolean, nullable=False, server_default=text("false")),
    Column("shelving_limit_s", Float, nullable=False, server_default=text("28800")),
    # what it is compared with
    Column("other_tag_id", ForeignKey("tag.id")),
    Column("window_s", Float, nullable=False, server_default=text("60")),
    Column("re_alarm_s", Float, nullable=False, server_default=text("0")),
    # what raises it when it is true; tags by their keys
    Column("expression", Text, nullable=False, server_default=""),
    Column("first_out_group", Text, nullable=False, server_default=""),
    Column("is_disabled", Boolean, nullable=False, server_default=text("false")),
    # what `message` was before, the newest last; a trigger fills it in
    Column("former_messages", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    UniqueConstraint("tag_id", "kind"),
    Index("alarm_rule_first_out", "municipality_id", "first_out_group", postgresql_where=text("first_out_group <> ''")),
)
# what people know of an alarm: of a municipality, an asset or site, a tag or a rule; what is NULL holds from above
rationalisation = Table(
    "rationalisation",
    metadata,
    _any_id("rationalisation"),
    _municipality(),
    Column("asset_id", ForeignKey("asset.id", ondelete="CASCADE")),
    Column("tag_id", ForeignKey("tag.id", ondelete="CASCADE")),
    Column("rule_id", ForeignKey("alarm_rule.id", ondelete="CASCADE")),
    Column("cause", Text),
    Column("consequence", Text),
    Column("action", Text),
    Column("severity", Text),
    Column("respond_min", Float),
    Column("alarm_class", Text),
    Column("owner", Text),
    Column("review_date", Date),
    UniqueConstraint("municipality_id", "asset_id", "tag_id", "rule_id", postgresql_nulls_not_distinct=True),
)
# which priorities demand a comment to be acknowledged, and comments to choose from; without a municipality: everywhere
comment_setting = Table(
    "comment_setting",
    metadata,
    _any_id("comment_setting"),
    Column("municipality_id", ForeignKey("municipality.id")),
    Column("priorities", ARRAY(SmallInteger), nullable=False),
    Column("comments", ARRAY(Text), nullable=False),
    UniqueConstraint("municipality_id", postgresql_nulls_not_distinct=True),
)
# append-only; triggers write it
rule_change = Table(
    "rule_change",
    metadata,
    Column("id", Uuid, primary_key=True, server_default=text("gen_random_uuid()")),
    Column("municipality_id", Integer, nullable=False),
    Column("level", Text, nullable=False),
    Column("object_id", Integer, nullable=False),
    Column("is_record", Boolean, nullable=False),
    Column("time", Time, nullable=False, server_default=text("clock_timestamp()")),
    Column("person", Text, nullable=False, server_default=text("SESSION_USER")),
    Column("station", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("old", JSONB, nullable=False),
    Column("new", JSONB, nullable=False),
    Index("rule_change_object", "level", "object_id", "time"),
)
# partitioned by day of source_time, names sample_YYYYMMDD; sample_default takes what has no sane time
sample = Table(
    "sample",
    metadata,
    Column("source_time", Time, nullable=False),
    Column("value", Float),
    Column("tag_id", Integer, nullable=False),
    Column("quality", Integer, nullable=False),
    # the tenant, so that a policy is one comparison; 0: of no known tag
    Column("municipality_id", Integer, nullable=False, server_default="0"),
    Index("sample_tag_time", "tag_id", "source_time"),
    postgresql_partition_by="RANGE (source_time)",
)
# unlogged, fillfactor 50, no index on what changes; filled again from `sample` after a crash of the server
rollup = Table(
    "rollup",
    metadata,
    Column("start", Time, primary_key=True),
    Column("first_time", Time, nullable=False),
    Column("low_time", Time),
    Column("high_time", Time),
    *(Column(name, Float) for name in ("low", "high", "average", "first", "last")),
    *(Column(name, Float, nullable=False) for name in ("good_s", "uncertain_s", "bad_s")),
    Column("tag_id", Integer, primary_key=True, autoincrement=False),
    Column("municipality_id", Integer, nullable=False),
    Column("period_s", Integer, primary_key=True, autoincrement=False),
    Column("count", Integer, nullable=False),
    Column("grade", SmallInteger, nullable=False),
    Column("worst", SmallInteger, nullable=False),
    postgresql_partition_by="LIST (period_s)",
)
# what is to be reckoned (again)
rollup_due = Table(
    "rollup_due",
    metadata,
    Column("start", Time, nullable=False),
    Column("ready_time", Time, nullable=False),
    Column("tag_id", Integer, nullable=False),
    Column("municipality_id", Integer, nullable=False),
    Column("period_s", Integer, nullable=False),
    Index("rollup_due_tag", "tag_id", "start"),
    Index("rollup_due_ready", "ready_time"),
)
latest = Table(
    "latest",
    metadata,
    Column("tag_id", Integer, primary_key=True, autoincrement=False),
    Column("value", Float),
    Column("quality", Integer, nullable=False),
    Column("source_time", Time, nullable=False),
    Column("arrival_time", Time, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("municipality_id", Integer, nullable=False, server_default="0"),
    prefixes=["UNLOGGED"],
    postgresql_with={"fillfactor": 50},
)
# the facts of every alarm that was ever raised; the newest occurrence is event_id
alarm = Table(
    "alarm",
    metadata,
    Column("rule_id", ForeignKey("alarm_rule.id"), primary_key=True),
    Column("is_active", Boolean, nullable=False),
    Column("is_acknowledged", Boolean, nullable=False),
    Column("event_id", BigInteger, nullable=False),
    Column("raised_time", Time),
    Column("returned_time", Time),
    Column("acknowledged_time", Time),
    Column("acknowledged_by", Text, nullable=False, server_default=""),
    Column("value", Float),
    Column("quality", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False, index=True),
    # of the rule; a trigger fills it in
    Column("municipality_id", Integer, nullable=False),
    Column("is_latched", Boolean, nullable=False, server_default=text("false")),
    Column("process_number", BigInteger, nullable=False, server_default=text("0")),
    Column("shelved_time", Time),
    Column("shelved_until", Time),
    Column("shelved_by", Text, nullable=False, server_default=""),
    Column("shelved_reason", Text, nullable=False, server_default=""),
    Column("is_one_shot", Boolean, nullable=False, server_default=text("false")),
    Column("out_of_service_time", Time),
    Column("out_of_service_by", Text, nullable=False, server_default=""),
    Column("out_of_service_reason", Text, nullable=False, server_default=""),
    Column("work_order", Text, nullable=False, server_default=""),
    # when the first of its group was raised, of that one only; a trigger fills it in
    Column("first_out_time", Time),
    # by key ("design:7", "work:12"): since, until, words, by, work_order
    Column("holds", JSONB, nullable=False, server_default=text("'{}'")),
    # what stays until somebody removes it: words, by, at
    Column("note", JSONB),
    Index("alarm_held", "rule_id", postgresql_where=text("holds <> '{}'::jsonb")),
    Index("alarm_standing", "acknowledged_time", postgresql_where=text("is_active AND is_acknowledged")),
    Index("alarm_shelved_until", "shelved_until", postgresql_where=text("shelved_until IS NOT NULL")),
)
# append-only; numbered by the clock: microseconds since 1970
alarm_journal = Table(
    "alarm_journal",
    metadata,
    Column("id", BigInteger, primary_key=True, server_default=text("clock_number('alarm_journal_id_seq'::regclass)")),
    Column("rule_id", ForeignKey("alarm_rule.id"), nullable=False),
    Column("event_id", BigInteger, nullable=False),
    Column("previous_state", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("trigger", Text, nullable=False),
    Column("source_time", Time, nullable=False),
    Column("commit_time", Time, nullable=False, server_default=text("clock_timestamp()")),
    Column("value", Float),
    Column("quality", Integer, nullable=False),
    Column("alarm_limit", Float, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("message", Text, nullable=False),
    Column("person", Text, nullable=False, server_default=""),
    Column("station", Text, nullable=False, server_default=""),
    Column("comment", Text, nullable=False, server_default=""),
    Column("municipality_id", Integer, nullable=False),
    Column("happening", Text, nullable=False),
    Column("detail", JSONB, nullable=False, server_default=text("'{}'")),
    Index("alarm_journal_rule", "rule_id", "id"),
    Index("alarm_journal_time", "commit_time"),
    Index("alarm_journal_place", "municipality_id", "id"),
    Index("alarm_journal_happening", "municipality_id", "happening", "id"),
    Index("alarm_journal_rule_happening", "rule_id", "happening", "id"),
    Index("alarm_journal_person", "municipality_id", "person", "id", postgresql_where=text("person <> ''")),
    Index(
        "alarm_journal_comment",
        "municipality_id",
        "id",
        postgresql_include=["comment"],
        postgresql_where=text("comment <> ''"),
    ),
)
# while a cause is there (an odd number), its consequences are suppressed, and until `ends_time`
suppression = Table(
    "suppression",
    metadata,
    _any_id("suppression"),
    _municipality(),
    Column("name", Text, nullable=False),
    Column("cause", Text, nullable=False),
    # an alarm is the cause, or a condition of a tag
    Column("cause_rule_id", ForeignKey("alarm_rule.id", ondelete="SET NULL")),
    Column("cause_tag_id", ForeignKey("tag.id")),
    Column("kind", Text, nullable=False),
    Column("cause_limit", Float, nullable=False),
    Column("deadband", Float, nullable=False),
    Column("on_delay_s", Float, nullable=False),
    Column("delay_s", Float, nullable=False),
    Column("is_retired", Boolean, nullable=False, server_default=text("false")),
    Column("number", BigInteger, nullable=False, server_default=text("0")),
    Column("since", Time),
    Column("ends_time", Time),
    UniqueConstraint("municipality_id", "name"),
)
suppression_consequence = Table(
    "suppression_consequence",
    metadata,
    Column("suppression_id", ForeignKey("suppression.id"), primary_key=True),
    Column("rule_id", ForeignKey("alarm_rule.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("municipality_id", Integer, nullable=False),
)
# without an asset: of the whole municipality
planned_work = Table(
    "planned_work",
    metadata,
    _any_id("planned_work"),
    _municipality(),
    Column("asset_id", ForeignKey("asset.id")),
    Column("work_order", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("station", Text, nullable=False),
    Column("planned_time", Time, nullable=False, server_default=text("now()")),
    Column("begin_time", Time, nullable=False),
    Column("end_time", Time, nullable=False),
    Column("begun_time", Time),
    Column("ended_time", Time),
    Column("ended_by", Text, nullable=False, server_default=""),
    Index("planned_work_open", "end_time", postgresql_where=text("ended_time IS NULL")),
)
link_status = Table(
    "link_status",
    metadata,
    Column("connection_id", ForeignKey("connection.id"), primary_key=True),
    Column("state", Text, nullable=False),
    Column("since", Time, nullable=False),
    Column("reason", Text, nullable=False),
    Column("last_good_time", Time),
    Column("values_per_s", Float, nullable=False),
    Column("lag_ms", Float),
    Column("received", BigInteger, nullable=False),
    Column("dropped", BigInteger, nullable=False),
    Column("municipality_id", Integer, nullable=False),
)
# one row
collector_status = Table(
    "collector_status",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("beat_time", Time, nullable=False),
    Column("started_time", Time, nullable=False),
    Column("host", Text, nullable=False),
    Column("process_id", Integer, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("stored", BigInteger, nullable=False),
    Column("dropped", BigInteger, nullable=False),
    Column("waiting", BigInteger, nullable=False),
    Column("message", Text, nullable=False),
    Column("spooled", BigInteger, nullable=False, server_default=text("0")),
    Column("spool_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("spool_limit_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("oldest_time", Time),
)
# which numbers of a collector's run are stored
spool_mark = Table(
    "spool_mark",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("led_time", Time, nullable=False, server_default=text("clock_timestamp()")),
    Column("stored", INT8MULTIRANGE, nullable=False, server_default=text("'{}'")),
    postgresql_with={"fillfactor": 50},
)
# who connects: a person, a station or a collector; `login` is the name of the server's login role
account = Table(
    "account",
    metadata,
    Column("login", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("is_enabled", Boolean, nullable=False, server_default="true"),
    Column("must_change_password", Boolean, nullable=False, server_default="false"),
    Column("password_time", Time),
    Column("last_sign_in", Time),
    Column("created_time", Time, nullable=False, server_default=text("now()")),
    Column("created_by", Text, nullable=False, server_default=text("SESSION_USER")),
)
# without a municipality: nationally
membership = Table(
    "membership",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("login", ForeignKey("account.login"), nullable=False),
    Column("municipality_id", ForeignKey("municipality.id")),
    Column("role", Text, nullable=False),
    UniqueConstraint("login", "municipality_id", "role", postgresql_nulls_not_distinct=True),
)
# the matrix of control_room/core/access.py
action = Table(
    "action",
    metadata,
    Column("key", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("is_national", Boolean, nullable=False),
)
role_right = Table(
    "role_right",
    metadata,
    Column("role", Text, primary_key=True),
    Column("action", ForeignKey("action.key"), primary_key=True),
)
password_history = Table(
    "password_history",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("login", ForeignKey("account.login"), nullable=False),
    Column("verifier", Text, nullable=False),
)
sign_in_try = Table(
    "sign_in_try",
    metadata,
    Column("login", Text, primary_key=True),
    Column("station", Text, primary_key=True),
    Column("failed", Integer, nullable=False),
    Column("last_time", Time, nullable=False),
    Column("locked_until", Time),
)
session = Table(
    "session",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("login", ForeignKey("account.login"), nullable=False),
    Column("station", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("process_id", Integer, nullable=False),
    Column("process_start", Time, nullable=False),
    Column("signed_in_time", Time, nullable=False),
    Column("expires_time", Time, nullable=False),
    Column("ended_time", Time),
    Column("end_reason", Text, nullable=False, server_default=""),
    # by the session of the connection that came after a break
    Column("replaced_by", BigInteger),
    Index("session_alive", "process_id", postgresql_where=text("ended_time IS NULL")),
)
# append-only; `hash` chains every row to the one before
audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("time", Time, nullable=False, index=False),
    Column("person", Text, nullable=False),
    Column("station", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("municipality_id", Integer),
    Column("old", JSONB),
    Column("new", JSONB),
    Column("is_done", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Index("audit_time", "time"),
)
