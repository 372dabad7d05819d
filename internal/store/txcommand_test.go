package store

import (
	"strings"
	"testing"
)

func TestNewCommand(t *testing.T) {
	s := &Store{keys: Keys{"leanmq"}}
	for text, want := range map[string]struct {
		keys, undo, parts string
	}{
		"GET k":                       {"k", undoNothing, ""},
		"set k v EX 10":               {"k", undoCopy, ""},
		"MGET a b c":                  {"a b c", undoNothing, ""},
		"MSET a 1 b 2":                {"a b", undoCopy, ""},
		"DEL a b":                     {"a b", undoCopy, ""},
		"RENAME a b":                  {"a b", undoCopy, ""},
		"SMOVE a b m":                 {"a b", undoCopy, ""},
		"SUNIONSTORE to a b":          {"to a b", undoCopy, ""},
		"HSET k a 1 b 2":              {"k", undoFields, "a b"},
		"HINCRBY k a 5":               {"k", undoFields, "a"},
		"HSETNX k a 5":                {"k", undoFields, "a"},
		"HDEL k a b":                  {"k", undoFields, "a b"},
		"HDEL k":                      {"k", undoNothing, ""}, // Redis refuses it
		"SADD k a b":                  {"k", undoMembers, "a b"},
		"ZADD k 1 a 2 b":              {"k", undoScores, "a b"},
		"ZADD k GT CH 1 a":            {"k", undoScores, "a"},
		"ZADD k nx incr 1 a":          {"k", undoScores, "a"},
		"ZINCRBY k 2 a":               {"k", undoScores, "a"},
		"ZREM k a b":                  {"k", undoScores, "a b"},
		"LPUSH k a b c":               {"k", undoPush, "LPOP 3"},
		"RPUSH k a":                   {"k", undoPush, "RPOP 1"},
		"LPUSHX k a":                  {"k", undoCopy, ""},
		"EXPIRE k 10":                 {"k", undoExpiry, ""},
		"EXPIRE k -1":                 {"k", undoCopy, ""}, // deletes
		"EXPIRE k 10 NX":              {"k", undoCopy, ""},
		"EXPIREAT k 10":               {"k", undoCopy, ""},
		"PERSIST k":                   {"k", undoExpiry, ""},
		"XADD k * a 1":                {"k", undoCopy, ""},
		"BITFIELD k SET u8 0 1":       {"k", undoCopy, ""},
		"ZRANGE k 0 -1 WITHSCORES":    {"k", undoNothing, ""},
		"LMOVE a b LEFT RIGHT":        {"a b", undoCopy, ""},
		"RENAME leanmqs:1 leanmqs:2":  {"leanmqs:1 leanmqs:2", undoCopy, ""},
		"SET value leanmq:{q}:q EX 1": {"value", undoCopy, ""}, // a value, not a key
	} {
		c, err := s.NewCommand(strings.Fields(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if strings.Join(c.keys, " ") != want.keys || c.undo != want.undo || strings.Join(c.parts, " ") != want.parts {
			t.Errorf("%s: keys %v, undo %q of %v", text, c.keys, c.undo, c.parts)
		}
		if _, args := c.record(true); args[0] != undoNothing || args[1] != 0 {
			t.Errorf("%s: the last one is undone: %v", text, args)
		}
	}
	for _, text := range []string{
		"", "BLPOP k 0", "BRPOPLPUSH a b 0", "BLMOVE a b LEFT LEFT 0", "XREAD BLOCK 0 STREAMS k $", "MULTI", "EXEC", "WATCH k",
		"SUBSCRIBE c", "PUBLISH c m", "EVAL s 0", "EVALSHA s 0", "FCALL f 0", "SCRIPT FLUSH", "CONFIG SET a b", "FLUSHALL", "SELECT 1",
		"AUTH x", "WAIT 1 1", "KEYS *", "COPY a b DB 1", "SORT k STORE x", "GET", "RENAME a", "MSET", "DEL", "DEL leanmq:{q}:q", "DEL a leanmq:queues",
		"HSET k " + strings.Repeat("f v ", 500),
	} {
		c, err := s.NewCommand(strings.Fields(text))
		if err == nil {
			t.Errorf("%.40s: %+v, want an error", text, c)
			continue
		}
		if name, _, _ := strings.Cut(text, " "); !strings.Contains(err.Error(), name) {
			t.Errorf("%.40s: %v does not name the command", text, err)
		}
	}
}
