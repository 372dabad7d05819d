package eventstore_test

import (
	"context"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq/eventstore"
)

// eater stands between a client and its server. It passes everything on but the next so
// many replies, and closes their connections instead.
type eater struct {
	listener net.Listener
	server   string
	eat      atomic.Int32
	wg       sync.WaitGroup
}

func newEater(t *testing.T, server string) *eater {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &eater{listener: l, server: server}
	e.wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", e.server)
			if err != nil {
				_ = client.Close()
				continue
			}
			e.wg.Go(func() { e.pass(server, client, false) })
			e.wg.Go(func() { e.pass(client, server, true) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		e.wg.Wait() // clients have closed their connections
	})
	return e
}

func (e *eater) pass(to, from net.Conn, replies bool) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil || replies && e.eat.Add(-1) >= 0 {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// The server has done it, and nobody is told.
func TestAppendWhoseReplyIsLostIsMadeOnce(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	e := newEater(t, server.Addr())
	s := eventstore.New(open(t, "redis://"+e.listener.Addr().String()), "bank")
	direct := eventstore.New(open(t, server.URL()), "bank")
	mustAppend(t, s, "a", eventstore.NoEvents, event("moved", 0)) // the script is known now
	for i, expected := range []eventstore.Expected{eventstore.Exactly(1), eventstore.Any} {
		e.eat.Store(1)
		a := mustAppend(t, s, "a", expected, event("moved", i), event("moved", i))
		if e.eat.Load() > 0 {
			t.Error("no reply was lost: the test shows nothing")
		}
		if a.Version != int64(3+2*i) || len(a.Positions) != 2 || a.Repeated {
			t.Errorf("%+v", a)
		}
		if v, err := direct.Version(t.Context(), "a"); v != a.Version || err != nil {
			t.Errorf("version %d, %v", v, err)
		}
	}
}

// The commit is made, and the projection is not told: it must not make it again.
func TestCommitWhoseReplyIsLostIsMadeOnce(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	e := newEater(t, server.Addr())
	s := eventstore.New(open(t, "redis://"+e.listener.Addr().String()), "bank")
	direct := eventstore.New(open(t, server.URL()), "bank")
	var want []string
	var r record
	p := project(t, s, "p", func(ctx context.Context, ev *eventstore.Event, commit *eventstore.Commit) error {
		e.eat.Store(1) // most likely that of the commit; whichever it is, it must not matter
		commit.Do("INCR", "{bank}:count")
		return r.done(ctx, ev, commit)
	}, eventstore.CommitEvery(1), eventstore.Lease(time.Second))
	for i := range 20 {
		want = append(want, appendMany(t, direct, i, i+1)...)
		caughtUp(t, direct, "p", int64(i+1))
	}
	if n := rawClient(t, server.URL()).Get(t.Context(), "{bank}:count").Val(); n != "20" {
		t.Errorf("%s events were counted, want 20", n)
	}
	if got := slices.Compact(r.list()); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	e.eat.Store(0)
	if err := p.stop(); err != nil {
		t.Error(err)
	}
}
