-- schema1
CREATE TABLE symbols (
	symbol TEXT NOT NULL PRIMARY KEY,
	venue  TEXT NOT NULL,
	base   TEXT NOT NULL,
	quote  TEXT NOT NULL,
	tick   TEXT NOT NULL,
	lot    TEXT NOT NULL,
	zone   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE series (
	id     INTEGER NOT NULL PRIMARY KEY,
	symbol TEXT NOT NULL,
	grid   TEXT NOT NULL,
	kind   TEXT NOT NULL,
	revision INTEGER NOT NULL DEFAULT 0,
	nonce    INTEGER NOT NULL DEFAULT 0,
	UNIQUE (symbol, grid, kind)
) STRICT;

CREATE TABLE blocks (
	series   INTEGER NOT NULL,
	block    INTEGER NOT NULL,
	rows     INTEGER NOT NULL,
	revision INTEGER NOT NULL,
	nonce    INTEGER NOT NULL,
	PRIMARY KEY (series, block)
) STRICT, WITHOUT ROWID;

CREATE TABLE chunks (
	id         INTEGER NOT NULL PRIMARY KEY,
	series     INTEGER NOT NULL,
	first_open INTEGER NOT NULL,
	last_open  INTEGER NOT NULL,
	bars       INTEGER NOT NULL,
	data       BLOB NOT NULL,
	UNIQUE (series, first_open)
) STRICT;

CREATE TABLE trades (
	series INTEGER NOT NULL,
	time   INTEGER NOT NULL,
	seq    INTEGER NOT NULL,
	price  TEXT NOT NULL,
	size   TEXT NOT NULL,
	side   INTEGER NOT NULL,
	PRIMARY KEY (series, time, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE quotes (
	series   INTEGER NOT NULL,
	time     INTEGER NOT NULL,
	seq      INTEGER NOT NULL,
	bid      TEXT NOT NULL,
	ask      TEXT NOT NULL,
	bid_size TEXT NOT NULL,
	ask_size TEXT NOT NULL,
	PRIMARY KEY (series, time, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE extents (
	series      INTEGER NOT NULL,
	range_start INTEGER NOT NULL,
	range_end   INTEGER NOT NULL,
	PRIMARY KEY (series, range_start)
) STRICT, WITHOUT ROWID;

-- selectVersion
SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version),
	(SELECT count(*) FROM sqlite_schema);

-- setVersion
PRAGMA application_id = 1835754612; PRAGMA user_version = 1;
