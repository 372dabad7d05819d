package store

import (
	"context"
	"slices"
	"strconv"
	"sync"

	"github.com/redis/go-redis/v9"
)

// addition is an XADD in the form that goes over the wire. It is a type of its own
// because nearly all commands are XADDs: one that is made of arguments allocates for
// each of them, and again to own a payload whose caller may give up.
type addition struct {
	redis.StringCmd // the reply, and what makes it a command

	key   string
	bytes []byte // the command, but for
	apart []byte // a payload that stays with its owner, whose place is
	at    int    // here
	mute  bool   // nobody asks for the id
}

// additions are some that go together. Their memory is used again.
type additions struct {
	cmds []redis.Cmder // all of them
	list []addition
	buf  []byte
	pool *sync.Pool
	// apart is the size from which payloads are not copied.
	apart int
}

// single is the memory for one, in one piece.
type single struct {
	additions
	cmd [1]redis.Cmder
	one [1]addition
	buf [512]byte
}

var (
	manyPool   = sync.Pool{New: func() any { return new(additions) }}
	singlePool = sync.Pool{New: func() any {
		s := new(single)
		s.additions = additions{cmds: s.cmd[:0], list: s.one[:0], buf: s.buf[:0]}
		return &s.additions
	}}
)

const (
	// keptAdditions is how many are kept for further use at most.
	keptAdditions = 512
	// apartOfMany is the size from which payloads of many stay with their owner: beyond
	// that, their memory would be more than is kept.
	apartOfMany = 512
	// countSpace is what the number of arguments takes at most, with what is around it:
	// nothing bounds the headers of a reply.
	countSpace = len("*2147483647" + crlf)
)

// newAdditions makes room for n additions.
func newAdditions(n int) *additions {
	pool, apart := &manyPool, apartOfMany
	if n == 1 {
		pool, apart = &singlePool, largeArg
	}
	as := pool.Get().(*additions)
	as.pool, as.apart = pool, apart
	as.list, as.cmds = slices.Grow(as.list, n), slices.Grow(as.cmds, n)
	return as
}

// recycle is for when all has been read that came of the additions, and not for those
// that may be under way.
func (as *additions) recycle() {
	if cap(as.list) > keptAdditions || cap(as.buf) > keptBuffer {
		return
	}
	clear(as.list) // the payloads are their owners'
	clear(as.cmds)
	as.list, as.cmds, as.buf = as.list[:0], as.cmds[:0], as.buf[:0]
	as.pool.Put(as)
}

// message adds a message to those of a stream.
func (as *additions) message(stream string, e *Envelope) *addition {
	fields := as.begin(stream, "XADD", stream, "*")
	fields.payload(e.Payload)
	e.each(fields.text, fields.number)
	return fields.end()
}

// reply adds a reply to those of an inbox, if that exists.
func (as *additions) reply(r *Reply) *addition {
	correlation, key := r.address()
	fields := as.begin(key, "XADD", key, "NOMKSTREAM", "*")
	fields.payload(r.Payload)
	fields.text("c", correlation)
	if r.Status != usualStatus {
		fields.number("s", int64(r.Status))
	}
	for i := 0; i+1 < len(r.Header); i += 2 {
		fields.text(r.Header[i], r.Header[i+1])
	}
	a := fields.end()
	a.mute = true
	return a
}

// fields writes an addition.
type fields struct {
	as    *additions
	start int // of the addition
	args  int // how many there are
	cut   int // the place of apart
	apart []byte
	key   string
}

func (as *additions) begin(key string, args ...string) fields {
	f := fields{as: as, start: len(as.buf), key: key}
	var space [countSpace]byte
	as.buf = append(as.buf, space[:]...)
	for _, arg := range args {
		f.arg(arg)
	}
	return f
}

func (f *fields) arg(s string) {
	f.as.buf = append(append(appendHead(f.as.buf, '$', len(s)), s...), crlf...)
	f.args++
}

func (f *fields) text(name, v string) {
	f.arg(name)
	f.arg(v)
}

func (f *fields) number(name string, v int64) {
	f.arg(name)
	f.as.buf = appendNumber(f.as.buf, v)
	f.args++
}

// payload comes first and is always there: entries with the same field names share
// them in Redis' memory.
func (f *fields) payload(p []byte) {
	f.arg("p")
	f.args++
	buf := appendHead(f.as.buf, '$', len(p))
	if len(p) < f.as.apart {
		buf = append(buf, p...)
	} else {
		f.apart, f.cut = p, len(buf)
	}
	f.as.buf = append(buf, crlf...)
}

// end writes the number of arguments into the space in front of them.
func (f *fields) end() *addition {
	var head [countSpace]byte
	count := append(strconv.AppendInt(append(head[:0], '*'), int64(f.args), 10), crlf...)
	start := f.start + countSpace - len(count)
	copy(f.as.buf[start:], count)
	f.as.list = append(f.as.list, addition{
		key: f.key, bytes: f.as.buf[start:], apart: f.apart, at: max(f.cut-start, 0),
	})
	a := &f.as.list[len(f.as.list)-1]
	f.as.cmds = append(f.as.cmds, a)
	return a
}

// own copies what belongs to the caller.
func (a *addition) own() {
	if a.apart != nil {
		a.apart = append([]byte(nil), a.apart...)
	}
}

// Args are the arguments, for where there is no wire to write to.
func (a *addition) Args() []any {
	whole := append(append(append([]byte(nil), a.bytes[:a.at]...), a.apart...), a.bytes[a.at:]...)
	list, _ := (&resp{b: whole}).value()
	args, _ := list.([]any)
	return args
}

// byGoRedis runs the commands by go-redis, which does not know additions.
func byGoRedis(ctx context.Context, cmds []redis.Cmder, run func([]redis.Cmder)) {
	known := cmds
	for i, cmd := range cmds {
		if a, ok := cmd.(*addition); ok {
			if &known[0] == &cmds[0] {
				known = append([]redis.Cmder(nil), cmds...)
			}
			known[i] = redis.NewStringCmd(ctx, a.Args()...)
		}
	}
	run(known)
	for i, cmd := range known {
		if a, ok := cmds[i].(*addition); ok {
			reply := cmd.(*redis.StringCmd)
			a.SetVal(reply.Val())
			a.SetErr(reply.Err())
		}
	}
}
