package leanmq

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// Do adds a command of the caller's own on keys of the caller's own, such as
//
//	balance := tx.Do("HINCRBY", "balances", "alice", -10)
//
// and returns what will hold its reply when Tx has returned; until then its error is
// [ErrTxOver]. Arguments are strings, []byte, numbers and bools (1 or 0). Integers in
// replies are exact up to 2^53.
//
// The commands run in order, each on what those before it have left, when the
// transaction is committed. When one fails (WRONGTYPE, not an integer) the commit fails
// with [ErrCommand], and what those before it have done is undone, before anybody can
// see it: for that the transaction keeps, before each command but the last one, what it
// is going to change. For most commands on hashes, sets and sorted sets those are
// the elements that they name. For others, such as SET, INCR, DEL or XADD, it is a copy
// of the whole key, which takes time in proportion to its size. So a single command
// costs nothing more, nor does the last of several. The embedded store copies
// strings only: there, other commands of the latter kind must come last, or the commit
// fails.
//
// Allowed are the commands on strings, hashes, lists, sets, sorted sets and streams
// that are of use; not those that wait (BLPOP), that speak to the connection or the
// server (MULTI, SUBSCRIBE, CONFIG), that run scripts (EVAL), or that cannot be
// taken back (PUBLISH): they are refused with an [*InvalidError] that names the command.
// So are keys of LeanMQ's own.
func (tx *Tx) Do(args ...any) *redis.Cmd {
	out := redis.NewCmd(context.Background(), args...)
	refuse := func(err error) *redis.Cmd {
		out.SetErr(tx.fail("", "", err))
		return out
	}
	if err := tx.more(); err != nil {
		return refuse(err)
	}
	texts, size := make([]string, len(args)), 0
	for i, a := range args {
		text, ok := argument(a)
		if !ok {
			return refuse(invalid("Do", "%.40q has argument %d of type %T: want a string, []byte, number or bool", fmt.Sprint(args[0]), i, a))
		}
		texts[i], size = text, size+len(text)
	}
	command, err := tx.c.s.NewCommand(texts)
	if err != nil {
		return refuse(invalid("Do", "%s", err.Error()))
	}
	if err := tx.carry(size); err != nil {
		return refuse(err)
	}
	out.SetErr(wrap("transaction", "", "", ErrTxOver))
	tx.commands = append(tx.commands, txCommand{command, out})
	return out
}

// argument is an argument of a command as Redis takes it.
func argument(a any) (string, bool) {
	switch a := a.(type) {
	case string:
		return a, true
	case []byte:
		return string(a), true
	case bool:
		if a {
			return "1", true
		}
		return "0", true
	case float64:
		return strconv.FormatFloat(a, 'f', -1, 64), true
	case float32:
		return strconv.FormatFloat(float64(a), 'f', -1, 32), true
	case int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return fmt.Sprint(a), true
	}
	return "", false
}

// reply passes the reply of a committed command on.
func (c *txCommand) reply() {
	if c.command.Reply == nil {
		c.result.SetErr(redis.Nil)
		return
	}
	c.result.SetErr(nil)
	c.result.SetVal(c.command.Reply)
}
