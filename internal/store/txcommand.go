package store

import (
	"fmt"
	"strconv"
	"strings"
)

// Command is a caller's own command in a transaction.
type Command struct {
	Args  []string
	Reply any // after the commit, as go-redis reads replies

	keys  []string
	undo  string   // how tx_own.lua undoes it, "" where there is nothing to undo
	parts []string // the elements of its key that it changes, where that is how
}

// CommandError says why a command cannot be part of a transaction.
type CommandError struct{ Reason string }

func (e *CommandError) Error() string { return e.Reason }

// How a command is undone: by setting the fields, members or scores that it changes, by
// taking away what it pushed, by setting the time to live, or by putting back a
// copy of the key, which takes as long as the key is large.
const (
	undoNothing = ""
	undoFields  = "hash"
	undoMembers = "set"
	undoScores  = "zset"
	undoPush    = "push"
	undoExpiry  = "expiry"
	undoCopy    = "copy"
)

// shape is where a command has its keys, as in the reply of COMMAND, and what it
// changes. Last counts from the end where it is negative.
type shape struct {
	first, last, step int
	undo              string
	part, every       int // the first element it changes, and each how many; 0: only that
}

// shapes are the commands that a transaction may hold: those of which it is known what
// they do to which keys. What waits, speaks to the connection or the server,
// runs scripts, or cannot be taken back (PUBLISH) is not among them.
var shapes = newShapes()

func newShapes() map[string]shape {
	all := map[string]shape{}
	add := func(s shape, names string) {
		for _, name := range strings.Fields(names) {
			all[name] = s
		}
	}
	one := func(undo string) shape { return shape{first: 1, last: 1, step: 1, undo: undo} }
	keys := func(last int, undo string) shape { return shape{first: 1, last: last, step: 1, undo: undo} }
	parts := func(undo string, part, every int) shape {
		return shape{first: 1, last: 1, step: 1, undo: undo, part: part, every: every}
	}
	add(one(undoNothing), `GET GETRANGE STRLEN GETBIT BITCOUNT BITPOS TTL PTTL EXPIRETIME PEXPIRETIME TYPE
		HGET HMGET HGETALL HLEN HEXISTS HKEYS HVALS HSTRLEN LRANGE LLEN LINDEX LPOS
		SMEMBERS SISMEMBER SMISMEMBER SCARD ZSCORE ZMSCORE ZRANGE ZREVRANGE ZRANGEBYSCORE ZREVRANGEBYSCORE
		ZRANGEBYLEX ZRANK ZREVRANK ZCARD ZCOUNT ZLEXCOUNT XLEN XRANGE XREVRANGE`)
	add(keys(-1, undoNothing), "MGET EXISTS SINTER SUNION SDIFF PFCOUNT")
	add(one(undoCopy), `SET SETNX SETEX PSETEX GETSET GETDEL GETEX APPEND SETRANGE SETBIT BITFIELD
		INCR INCRBY INCRBYFLOAT DECR DECRBY EXPIRE PEXPIRE EXPIREAT PEXPIREAT PFADD
		LPUSHX RPUSHX LPOP RPOP LSET LTRIM LREM LINSERT SPOP
		ZADD ZREMRANGEBYSCORE ZREMRANGEBYRANK ZREMRANGEBYLEX ZPOPMIN ZPOPMAX XADD XDEL XTRIM`)
	add(keys(-1, undoCopy), "DEL UNLINK SINTERSTORE SUNIONSTORE SDIFFSTORE PFMERGE")
	add(keys(2, undoCopy), "RENAME RENAMENX SMOVE LMOVE RPOPLPUSH")
	add(shape{first: 1, last: -1, step: 2, undo: undoCopy}, "MSET MSETNX")
	add(one(undoExpiry), "PERSIST")
	add(one(undoPush), "LPUSH RPUSH")
	add(parts(undoFields, 2, 2), "HSET HMSET")
	add(parts(undoFields, 2, 0), "HSETNX HINCRBY HINCRBYFLOAT")
	add(parts(undoFields, 2, 1), "HDEL")
	add(parts(undoMembers, 2, 1), "SADD SREM")
	add(parts(undoScores, 3, 0), "ZINCRBY")
	add(parts(undoScores, 2, 1), "ZREM")
	return all
}

const (
	maxCommandArgs  = 1000
	maxCommandBytes = 16 << 20
)

// NewCommand checks a command for a transaction of this store.
func (s *Store) NewCommand(args []string) (*Command, error) {
	if len(args) == 0 || args[0] == "" {
		return nil, &CommandError{"names no command"}
	}
	name := strings.ToUpper(args[0])
	refuse := func(format string, a ...any) (*Command, error) {
		return nil, &CommandError{fmt.Sprintf("%.40q ", name) + fmt.Sprintf(format, a...)}
	}
	sh, ok := shapes[name]
	if !ok {
		return refuse("cannot be part of a transaction: only commands on strings, hashes, lists, sets, sorted sets and " +
			"streams that neither wait nor speak to the server can")
	}
	size := 0
	for _, a := range args {
		size += len(a)
	}
	last := sh.last
	if last < 0 {
		last += len(args)
	}
	switch {
	case len(args) <= sh.first || len(args) <= last:
		return refuse("lacks arguments")
	case len(args) > maxCommandArgs:
		return refuse("has %d arguments: at most %d are allowed", len(args), maxCommandArgs)
	case size > maxCommandBytes:
		return refuse("has %d bytes: at most %d are allowed", size, maxCommandBytes)
	}
	c := &Command{Args: args, undo: sh.undo}
	for i := sh.first; i <= last; i += sh.step {
		if strings.HasPrefix(args[i], s.keys.prefix+":") {
			return refuse("names the key %.80q, which is LeanMQ's own", args[i])
		}
		c.keys = append(c.keys, args[i])
	}
	c.learnParts(name, sh)
	return c, nil
}

// learnParts finds out what of its key the command changes.
func (c *Command) learnParts(name string, sh shape) {
	args := c.Args
	switch name {
	case "LPUSH":
		c.parts = []string{"LPOP", strconv.Itoa(len(args) - 2)}
		return
	case "RPUSH":
		c.parts = []string{"RPOP", strconv.Itoa(len(args) - 2)}
		return
	case "EXPIRE", "PEXPIRE": // one in the past deletes
		if n, err := strconv.ParseInt(args[len(args)-1], 10, 64); err == nil && n > 0 && len(args) == 3 {
			c.undo = undoExpiry
		}
		return
	case "ZADD":
		at := 2
		for at < len(args) && isZAddOption(args[at]) {
			at++
		}
		c.undo, sh.part, sh.every = undoScores, at+1, 2
	}
	for i := sh.part; i > 0 && i < len(args); i += sh.every {
		c.parts = append(c.parts, args[i])
		if sh.every == 0 {
			break
		}
	}
	if len(c.parts) == 0 && (c.undo == undoFields || c.undo == undoMembers || c.undo == undoScores) {
		c.undo = undoNothing // it lacks arguments: the server refuses it
	}
}

func isZAddOption(s string) bool {
	switch strings.ToUpper(s) {
	case "NX", "XX", "GT", "LT", "CH", "INCR":
		return true
	}
	return false
}

// record is the command as tx_own.lua takes it.
func (c *Command) record(last bool) (keys, args []any) {
	undo, parts := c.undo, c.parts
	if last { // of a transaction's commands: no other one can fail after it
		undo, parts = undoNothing, nil
	}
	args = append(make([]any, 0, 2+len(parts)+len(c.Args)), undo, len(parts))
	for _, list := range [][]string{parts, c.Args} {
		for _, s := range list {
			args = append(args, s)
		}
	}
	for _, k := range c.keys {
		keys = append(keys, k)
	}
	return keys, args
}
