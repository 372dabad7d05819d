package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// maxReplies bounds one read.
	maxReplies = 1000
	// trimAfter is how many replies are read before they are deleted together.
	trimAfter = 100
)

// Reply answers a request.
type Reply struct {
	To          string // the address that came with the request
	Correlation string // of one that was read: what the address began with
	Status      int
	Header      []string // name, value, …
	Payload     []byte
}

// usualStatus is that of a reply which does not tell it.
const usualStatus = 200

// address is the key of the inbox that the reply goes to, and what it begins with there.
func (r *Reply) address() (correlation, key string) {
	correlation, key, _ = strings.Cut(r.To, addressSign)
	return correlation, key
}

// Answer sends a reply by itself. Nothing happens when the inbox is gone: a caller who
// is must not leave anything behind, nor fail the worker.
func (s *Store) Answer(ctx context.Context, r Reply) error {
	as := newAdditions(1)
	cmd := as.reply(&r)
	if err := s.pipe.do(ctx, cmd); err != nil {
		return classify(err)
	}
	defer as.recycle()
	if err := cmd.Err(); !errors.Is(err, redis.Nil) {
		return classify(err)
	}
	return nil
}

// Inbox is the reply stream of one instance. It lives as long as its lease is
// renewed.
type Inbox struct {
	Key      string
	s        *Store
	reader   *Reader
	last     string      // entry id up to which replies were read
	leftover int         // replies that were read and not deleted yet
	several  bool        // the last read brought more than one
	created  atomic.Bool // by Renew, since the last Read
}

// addressSign is between the two parts of an address.
const addressSign = "@"

// Address is where the reply to a request with this correlation id goes, which has no
// @ in it. It is one value because each field has to be parsed, stored and sent.
func (in *Inbox) Address(correlation string) string { return correlation + addressSign + in.Key }

// OpenInbox creates an inbox under an id that nobody else uses.
func (s *Store) OpenInbox(ctx context.Context, id string, lease time.Duration) (*Inbox, error) {
	in := &Inbox{Key: s.keys.Inbox(id), s: s, reader: s.NewReader(), last: "0-0"}
	if err := in.Renew(ctx, lease); err != nil {
		_ = in.reader.Close()
		return nil, err
	}
	return in, nil
}

// Renew renews the lease, and creates the inbox again if it is gone.
func (in *Inbox) Renew(ctx context.Context, lease time.Duration) error {
	create := redis.NewStatusCmd(ctx, "XGROUP", "CREATE", in.Key, group, "0", "MKSTREAM")
	create.SetFirstKeyPos(2)
	expire := redis.NewBoolCmd(ctx, "PEXPIRE", in.Key, lease.Milliseconds())
	if err := in.s.pipe.doAll(ctx, []redis.Cmder{create, expire}); err != nil {
		return classify(err)
	}
	if err := create.Err(); err != nil && !isBusyGroup(err) {
		return classify(err)
	}
	if create.Err() == nil {
		in.created.Store(true)
	}
	return classify(expire.Err())
}

// Read waits up to wait for replies and calls each for every one. What was
// read is deleted in the round trip of a later read. Not to be called
// concurrently.
func (in *Inbox) Read(ctx context.Context, wait time.Duration, each func(Reply)) error {
	r := in.reader
	if in.created.Swap(false) {
		in.last, in.leftover = "0-0", 0 // entry ids may start anew with the key
	}
	read := []any{
		"XREAD", "COUNT", maxReplies,
		"BLOCK", max(r.block(wait).Milliseconds(), 1), "STREAMS", in.Key, in.last,
	}
	r.busy.Store(true)
	cmds := [][]any{read}
	if in.leftover >= trimAfter || in.several {
		in.leftover = 0
		trim := []any{"XTRIM", in.Key, "MINID", idAfter(in.last)}
		cmds = [][]any{trim, read}
	}
	reply, err := r.run(ctx, in.Key, cmds...)
	r.busy.Store(false)
	if reply == nil {
		return classify(err)
	}
	before := in.leftover
	defer func() { in.several = in.leftover > before+1 }()
	parse := resp{b: reply}
	return classify(parse.streams(func(_, id []byte, fields [][]byte) error {
		in.last = string(id)
		in.leftover++
		if reply, err := decodeReply(fields); err == nil {
			each(reply)
		}
		return nil
	}))
}

// decodeReply reads what additions.reply wrote.
func decodeReply(fields [][]byte) (Reply, error) {
	r := Reply{Status: usualStatus}
	if len(fields)%2 != 0 {
		return r, &MalformedError{"a field has no value"}
	}
	for i := 0; i < len(fields); i += 2 {
		name, v := fields[i], fields[i+1]
		if len(name) > 1 {
			r.Header = append(r.Header, string(name), string(v))
			continue
		}
		switch string(name) {
		case "p":
			r.Payload = v
		case "c":
			r.Correlation = string(v)
		case "s":
			n, err := strconv.Atoi(string(v))
			if err != nil {
				return r, &MalformedError{fmt.Sprintf("status is %.40q", v)}
			}
			r.Status = n
		}
	}
	if r.Correlation == "" {
		return r, &MalformedError{"a reply without correlation id"}
	}
	return r, nil
}

// Interrupt makes a blocked Read return.
func (in *Inbox) Interrupt(ctx context.Context) bool { return in.reader.Interrupt(ctx) }

// Close deletes the inbox and its connection.
func (in *Inbox) Close(ctx context.Context) error {
	_, err := in.s.count(ctx, "DEL", in.Key)
	return errors.Join(err, in.reader.Close())
}
