package store

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// unsents are what a poster has heard.
type unsents chan error

func (u unsents) Unsent(_ uint64, err error) { u <- err }

// slow is a server that answers an XADD when it is told what, and says what it got.
type slow struct {
	got    chan string
	answer chan string
}

// posting returns a queue at a slow server. So many of its flushes wait for answers.
func posting(t *testing.T, waiting int) (*Queue, *slow) {
	t.Helper()
	server := &slow{got: make(chan string, 10), answer: make(chan string)}
	addr := answering(t, func(_ int, command string) string {
		if !strings.HasPrefix(command, "XADD") {
			return answerBasics(command)
		}
		server.got <- command
		select {
		case answer := <-server.answer:
			return answer
		case <-t.Context().Done():
			return ""
		}
	})
	p := lone(t, addr)
	keys, err := Keys{"leanmq"}.Queue("q")
	if err != nil {
		t.Fatal(err)
	}
	q := newQueue(&Store{pipe: p, keys: Keys{"leanmq"}}, keys)
	q.relist(t.Context()) // it is listed
	for range waiting {
		go func() {
			_ = p.do(t.Context(), redis.NewStringCmd(t.Context(), "XADD", "s", "*", "p", "before"))
		}()
		<-server.got
	}
	return q, server
}

func post(t *testing.T, q *Queue, payload string) (p Post, failed unsents) {
	t.Helper()
	failed = make(unsents, 1)
	p, err := q.Post(t.Context(), &Envelope{Payload: []byte(payload)}, failed, 7)
	if err != nil {
		t.Fatal(err)
	}
	return p, failed
}

// ended is the context of a caller who gives up for a reason.
func ended(t *testing.T) (ctx context.Context, reason error) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	reason = errors.New("changed my mind")
	cancel(reason)
	return ctx, reason
}

func TestPostThatWasSent(t *testing.T) {
	q, server := posting(t, 1)
	p, failed := post(t, q, "x")
	<-server.got
	server.answer <- "$3\r\n1-1\r\n"
	server.answer <- "$3\r\n2-1\r\n"
	q.s.pipe.(*pipe).close() // all has ended
	ctx, _ := ended(t)
	if id, err := p.GiveUp(ctx); err != nil || id != "1-1" && id != "2-1" {
		t.Errorf("id %q, %v", id, err)
	}
	if len(failed) > 0 {
		t.Errorf("heard that it was not sent: %v", <-failed)
	}
}

func TestPosterHearsOfARefusal(t *testing.T) {
	q, server := posting(t, 1)
	p, failed := post(t, q, "x")
	<-server.got
	for range 2 {
		server.answer <- "-OOM command not allowed when used memory > 'maxmemory'.\r\n"
	}
	if err := <-failed; !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrUnknown) {
		t.Errorf("%v, want that it is unavailable", err)
	}
	p.Release()
}

func TestPosterHearsOfALostReply(t *testing.T) {
	q, server := posting(t, 1)
	p, failed := post(t, q, "x")
	<-server.got
	for range 2 {
		server.answer <- "" // the connection ends
	}
	if err := <-failed; !errors.Is(err, ErrUnknown) {
		t.Errorf("%v, want that the outcome is unknown", err)
	}
	p.Release()
}

// Its caller may be told to go on before it is written: when the inbox is closed.
func TestPostIsItsOwn(t *testing.T) {
	q, server := posting(t, maxFlushes)
	payload := []byte(strings.Repeat("x", largeArg))
	p, err := q.Post(context.Background(), &Envelope{Payload: payload}, make(unsents, 1), 7)
	if err != nil {
		t.Fatal(err)
	}
	p.Release()
	clear(payload)
	server.answer <- "$3\r\n1-1\r\n"
	if got := <-server.got; !strings.Contains(got, strings.Repeat("x", largeArg)) {
		t.Errorf("sent: %.60q", got)
	}
}

// Who gives up hears whether the message may have been sent.
func TestGivingUpAPost(t *testing.T) {
	for _, tt := range []struct {
		name    string
		waiting int
		want    error
		not     error
	}{
		{"under way", 1, ErrUnknown, ErrUnavailable},
		{"in line", maxFlushes, ErrUnavailable, ErrUnknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q, server := posting(t, tt.waiting)
			p, failed := post(t, q, "given up")
			if tt.waiting < maxFlushes {
				<-server.got
			}
			ctx, reason := ended(t)
			_, err := p.GiveUp(ctx)
			if !errors.Is(err, tt.want) || errors.Is(err, tt.not) || !errors.Is(err, reason) {
				t.Errorf("%v, want %v because of %v", err, tt.want, reason)
			}
			// What comes next is not affected, and what was in line is not sent.
			after, _ := post(t, q, "after")
			go func() {
				for {
					select {
					case server.answer <- "$3\r\n1-1\r\n":
					case <-t.Context().Done():
						return
					}
				}
			}()
			q.s.pipe.(*pipe).close()
			if _, err := after.GiveUp(ctx); err != nil {
				t.Error(err)
			}
			close(server.got)
			for command := range server.got {
				if strings.Contains(command, "given up") && errors.Is(tt.want, ErrUnavailable) {
					t.Errorf("sent: %s", command)
				}
			}
			if len(failed) > 0 {
				t.Errorf("heard after giving up: %v", <-failed)
			}
		})
	}
}
