package outbox

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

// This file has all the SQL there is. Arrays travel as JSON, because database/sql has
// none.

// maxTable leaves room for the suffixes of the indexes' names, of 63 bytes at most.
const maxTable = 40

type table struct{ schemaName, name string }

func parseTable(s string) (table, error) {
	schema, name, ok := strings.Cut(s, ".")
	if !ok {
		schema, name = "", s
	}
	if !isName(name) || ok && !isName(schema) {
		return table{name: s}, &leanmq.InvalidError{
			Field: "Table",
			Rule:  fmt.Sprintf("%.80q is no name: want [schema.]table, each of up to %d letters, digits and underscores, not beginning with a digit", s, maxTable),
		}
	}
	return table{schema, name}, nil
}

func isName(s string) bool {
	for i, c := range []byte(s) {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && len(s) <= maxTable
}

func (t table) String() string {
	if t.schemaName == "" {
		return t.name
	}
	return t.schemaName + "." + t.name
}

// quoted is the name as it stands in SQL.
func (t table) quoted() string {
	if t.schemaName == "" {
		return `"` + t.name + `"`
	}
	return `"` + t.schemaName + `"."` + t.name + `"`
}

func (t table) sql(text string) string {
	return strings.NewReplacer("{table}", t.quoted(), "{name}", t.name).Replace(text)
}

// createLock keeps processes that create tables at the same time apart: IF NOT EXISTS
// does not.
const createLock = `SELECT pg_advisory_xact_lock(7809641730613601122)`

func (t table) schema() []string {
	return []string{
		t.sql(`CREATE TABLE IF NOT EXISTS {table} (
	seq         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	id          text NOT NULL,        -- what the send is known by; the message's id, unless its sender chose one
	queue       text NOT NULL,        -- or a topic, with "topic: " before its name
	lane        bytea,                -- the message's ordering key
	payload     bytea NOT NULL,
	options     bytea NOT NULL,       -- the rest of the message
	enqueued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	fresh_at    timestamptz NOT NULL DEFAULT clock_timestamp(), -- nothing was sent before this
	attempts    integer NOT NULL DEFAULT 0, -- failed ones
	error       text,                 -- of the last one
	retry_at    timestamptz,          -- no attempt before this
	stuck_at    timestamptz           -- no attempt at all
)`),
		t.sql(`CREATE INDEX IF NOT EXISTS "{name}_waiting" ON {table} (queue, lane) WHERE retry_at IS NOT NULL`),
		t.sql(`CREATE INDEX IF NOT EXISTS "{name}_stuck" ON {table} (seq) WHERE stuck_at IS NOT NULL`),
	}
}

func (t table) insert() string {
	return t.sql(`INSERT INTO {table} (id, queue, lane, payload, options) VALUES ($1, $2, $3, $4, $5)`)
}

// lock begins a batch: one relay at a time. The lock ends with the transaction, which
// PostgreSQL ends when it waits longer than these settings say: for us, because we
// are gone, or for a lock that somebody else has on a row.
func (t table) lock() string {
	return t.sql(fmt.Sprintf(`SELECT pg_try_advisory_xact_lock((1819044214::bigint << 32) | '{table}'::regclass::oid::bigint),
	set_config('idle_in_transaction_session_timeout', '%d', true),
	set_config('lock_timeout', '%d', true)`, idleLimit.Milliseconds(), rowLockLimit.Milliseconds()))
}

const rowLockLimit = 5 * time.Second

var idleLimit = 30 * time.Second // tests shorten it

// read takes the next batch, in order: $1 is a list of queues to leave alone, $2 the
// number of rows, $3 the bytes of payload after which no further row is taken. Rows
// behind one with the same ordering key that waits for its next attempt wait, too.
func (t table) read() string {
	return t.sql(fmt.Sprintf(`SELECT seq, id, queue, lane, payload, options, attempts,
	(extract(epoch FROM clock_timestamp() - enqueued_at) * 1000)::bigint,
	clock_timestamp() - fresh_at > interval '%d seconds'
FROM (
	SELECT *, sum(octet_length(payload)) OVER (ORDER BY seq) - octet_length(payload) AS before
	FROM (
		SELECT * FROM {table} AS r
		WHERE stuck_at IS NULL AND (retry_at IS NULL OR retry_at <= clock_timestamp())
		AND queue NOT IN (SELECT json_array_elements_text($1::json))
		AND (lane IS NULL OR NOT EXISTS (
			SELECT 1 FROM {table} AS w
			WHERE w.queue = r.queue AND w.lane = r.lane AND w.seq < r.seq
			AND w.retry_at > clock_timestamp() AND w.stuck_at IS NULL))
		ORDER BY seq LIMIT $2
	) AS r
) AS r
WHERE before < $3
ORDER BY seq`, int64(trust/time.Second)))
}

// remove deletes rows: $1 is a list of seqs.
func (t table) remove() string {
	return t.sql(`DELETE FROM {table} WHERE seq = ANY (ARRAY(SELECT json_array_elements_text($1::json)::bigint))`)
}

// fail notes what went wrong: $1 is a list of failures, see the type of that name.
func (t table) fail() string {
	return t.sql(`UPDATE {table} AS r SET attempts = attempts + 1, error = f.error,
	retry_at = CASE WHEN f.stuck THEN NULL ELSE clock_timestamp() + f.wait_ms * interval '1 millisecond' END,
	stuck_at = CASE WHEN f.stuck THEN clock_timestamp() END
FROM json_to_recordset($1::json) AS f(seq bigint, error text, stuck boolean, wait_ms bigint)
WHERE r.seq = f.seq`)
}

// stuck lists stuck rows: $1 is the seq to go on after, $2 the number of rows.
func (t table) stuck() string {
	return t.sql(`SELECT seq, id, queue, lane, payload, options, attempts, coalesce(error, ''), enqueued_at, stuck_at
FROM {table} WHERE stuck_at IS NOT NULL AND seq > $1 ORDER BY seq LIMIT $2`)
}

// retry lets stuck rows be tried again: $1 is a list of ids.
func (t table) retry() string {
	return t.sql(`UPDATE {table} SET attempts = 0, retry_at = NULL, stuck_at = NULL, fresh_at = clock_timestamp()
WHERE stuck_at IS NOT NULL AND id IN (SELECT json_array_elements_text($1::json))`)
}

// discard deletes stuck rows: $1 is a list of ids.
func (t table) discard() string {
	return t.sql(`DELETE FROM {table} WHERE stuck_at IS NOT NULL AND id IN (SELECT json_array_elements_text($1::json))`)
}

func (t table) info() string {
	return t.sql(`SELECT count(*) FILTER (WHERE stuck_at IS NULL), count(*) FILTER (WHERE stuck_at IS NOT NULL),
	coalesce((extract(epoch FROM clock_timestamp() - min(enqueued_at) FILTER (WHERE stuck_at IS NULL)) * 1000)::bigint, 0)
FROM {table}`)
}

// sqlState is PostgreSQL's code of an error, by whatever driver, or "".
func sqlState(err error) string {
	var coded interface{ SQLState() string }
	if errors.As(err, &coded) {
		return coded.SQLState()
	}
	return ""
}

// isNoTable: undefined_table, undefined_column, invalid_schema_name.
func isNoTable(err error) bool {
	switch sqlState(err) {
	case "42P01", "42703", "3F000":
		return true
	}
	return false
}

// isMistake reports whether the program's configuration is wrong, so that trying again
// helps nobody: no table, no right to use it, no such user or database.
func isMistake(err error) bool {
	state := sqlState(err)
	return strings.HasPrefix(state, "42") || strings.HasPrefix(state, "28") || state == "3D000" || state == "3F000"
}
