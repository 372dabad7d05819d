package outbox_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/pgtest"
	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/leanmq/outbox"
)

// onStep has each batch call f until the test ends.
func onStep(t testing.TB, f func(step string) error) {
	t.Helper()
	outbox.OnStep(f)
	t.Cleanup(func() { outbox.OnStep(outbox.NoStep) })
}

// A batch that fails at any point loses nothing and doubles nothing.
func TestFailureAtEveryStep(t *testing.T) {
	for _, at := range outbox.Steps {
		t.Run(at, func(t *testing.T) {
			forEachStore(t, func(t *testing.T, mq *leanmq.Client, db *sql.DB) {
				box := create(t, db)
				var failures int // of one goroutine, the relay's
				failed := make(chan struct{})
				onStep(t, func(step string) error {
					if step != at || failures == 3 {
						return nil
					}
					if failures++; failures == 3 {
						close(failed)
					}
					return errors.New("as the test wants it")
				})
				var want []string
				for i := range 25 {
					want = append(want, fmt.Sprint(i))
					var opts []leanmq.SendOption
					switch i % 5 {
					case 1:
						opts = append(opts, leanmq.OrderingKey("k"))
					case 2:
						opts = append(opts, leanmq.Unique(fmt.Sprint(i)), leanmq.Priority(leanmq.High))
					case 3:
						opts = append(opts, leanmq.ID(fmt.Sprint("id", i)), leanmq.Dedupe(time.Millisecond))
					case 4:
						opts = append(opts, leanmq.Delay(time.Millisecond))
					}
					add(t, box, db, "q", want[i], opts...)
				}
				start(t, box, db, mq, outbox.Batch(5))
				<-failed
				moved(t, box, db)
				got := texts(take(t, mq.Queue("q"), len(want)))
				slices.Sort(got)
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Errorf("got %q", got)
				}
			})
		})
	}
}

// The test binary runs itself as relay processes, with the Redis URL, the database's
// and what it shall do to itself, and after which step, in this variable.
const childRelayEnv = "LEANMQ_OUTBOX_RELAY"

const (
	dies    = "dies"
	freezes = "freezes"
)

// childRelay relays until it dies of what the variable says.
func childRelay(ctx context.Context) error {
	redis, rest, _ := strings.Cut(os.Getenv(childRelayEnv), "|")
	postgres, rest, _ := strings.Cut(rest, "|")
	what, at, _ := strings.Cut(rest, "|")
	after := 1 + rand.IntN(4)
	outbox.OnStep(func(step string) error {
		if step == at {
			after--
		}
		switch {
		case step != at || after != 0:
		case what == freezes:
			_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		default:
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return nil
	})
	if what == freezes {
		after = 1
		outbox.SetIdleLimit(time.Second)
	}
	mq, err := leanmq.Open(ctx, redis)
	if err != nil {
		return err
	}
	db, err := sql.Open("pgx", postgres)
	if err != nil {
		return err
	}
	return outbox.New().Relay(ctx, db, mq, outbox.Poll(10*time.Millisecond), outbox.Batch(7))
}

func startChild(t testing.TB, redis, postgres, what, at string) *testkit.Child {
	t.Helper()
	return testkit.Spawn(t, childRelayEnv+"="+strings.Join([]string{redis, postgres, what, at}, "|"))
}

// sender adds rows, and rolls some back, until it is stopped.
type sender struct {
	committed map[string]bool
	stop      chan struct{}
	done      sync.WaitGroup
	mu        sync.Mutex
}

// startSender adds to the queue q: each of its goroutines with an ordering key of its
// own for every second message.
func startSender(t testing.TB, box *outbox.Box, db *sql.DB) *sender {
	s := &sender{committed: map[string]bool{}, stop: make(chan struct{})}
	for g := range 4 {
		s.done.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-s.stop:
					return
				case <-time.After(time.Millisecond):
				}
				s.add(t, box, db, fmt.Sprintf("%d %06d", g, n), n)
			}
		})
	}
	return s
}

func (s *sender) add(t testing.TB, box *outbox.Box, db *sql.DB, text string, n int) {
	tx, err := db.Begin()
	if err != nil {
		t.Error(err)
		return
	}
	var opts []leanmq.SendOption
	if n%2 == 0 {
		opts = append(opts, leanmq.OrderingKey(text[:1]))
	}
	if _, err := box.Send(context.Background(), tx, "q", []byte(text), opts...); err != nil {
		t.Error(err)
	}
	if n%7 == 0 {
		_ = tx.Rollback()
		return
	}
	if err := tx.Commit(); err != nil {
		t.Error(err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.committed[text] = true
}

// check ends the sender and checks that the queue has what was committed, once, and
// in order where it has one.
func (s *sender) check(t testing.TB, box *outbox.Box, db *sql.DB, q *leanmq.Queue) {
	t.Helper()
	close(s.stop)
	s.done.Wait()
	moved(t, box, db)
	if all := stuck(t, box, db); len(all) > 0 {
		t.Errorf("%d rows are stuck, the first one: %+v", len(all), all[0])
	}
	i := info(t, q)
	if n := int(i.Ready + i.Blocked + i.InFlight + i.Scheduled); n != len(s.committed) {
		t.Errorf("%d messages, want %d", n, len(s.committed))
	}
	last := map[string]string{}
	for _, m := range take(t, q, int(i.Ready+i.Blocked)) {
		text := string(m.Payload)
		if !s.committed[text] {
			t.Errorf("%q was not committed, or came twice", text)
		}
		delete(s.committed, text)
		if lane := text[:1]; text[len(text)-1]%2 == 0 {
			if text < last[lane] {
				t.Errorf("%q came after %q", text, last[lane])
			}
			last[lane] = text
		}
	}
	if len(s.committed) > 0 {
		t.Errorf("%d messages are lost", len(s.committed))
	}
}

func TestKilledRelays(t *testing.T) {
	server := redistest.Server(t)
	url := pgtest.Database(t)
	db, mq := database(t, url), open(t, server.URL())
	box := create(t, db)
	s := startSender(t, box, db)

	const relays, crashes = 3, 24
	ended := make(chan error)
	spawn := func(i int) {
		child := startChild(t, server.URL(), url, dies, outbox.Steps[i%len(outbox.Steps)])
		go func() { ended <- child.Wait() }()
	}
	for i := range relays {
		spawn(i)
	}
	for i := range crashes {
		err := <-ended
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Errorf("a relay ended by itself: %v", err)
		}
		if i+relays < crashes {
			spawn(i + relays)
		}
	}
	start(t, box, db, mq)
	s.check(t, box, db, mq.Queue("q"))
}

// A relay that stands still while it has the lock is overtaken, and harmless when it
// goes on.
func TestFrozenRelay(t *testing.T) {
	for _, at := range outbox.Steps[:3] {
		t.Run(at, func(t *testing.T) {
			server := redistest.Server(t)
			url := pgtest.Database(t)
			db, mq := database(t, url), open(t, server.URL())
			box := create(t, db)
			for i := range 7 {
				add(t, box, db, "q", fmt.Sprint(i))
			}
			child := startChild(t, server.URL(), url, freezes, at)
			eventually(t, "the relay stands still", func() bool {
				stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child.Pid()))
				_, state, _ := bytes.Cut(stat, []byte(") "))
				return err == nil && bytes.HasPrefix(state, []byte("T"))
			})
			r := start(t, box, db, mq)
			moved(t, box, db)
			if err := r.Stop(); err != nil {
				t.Error(err)
			}
			if err := child.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			add(t, box, db, "q", "last")
			moved(t, box, db) // by the child: it has got over it
			if got := texts(take(t, mq.Queue("q"), 8)); !slices.Equal(got, []string{"0", "1", "2", "3", "4", "5", "6", "last"}) {
				t.Errorf("got %q", got)
			}
		})
	}
}
