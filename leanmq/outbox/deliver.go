package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/leanmq/leanmq/internal/store"
	"github.com/leanmq/leanmq/leanmq"
)

const (
	maxAttempts = 10
	maxBackoff  = 5 * time.Minute
)

// backoff is the wait after so many failed attempts and one more.
func backoff(attempts int) time.Duration {
	return min(2*time.Second<<min(attempts, 10), maxBackoff)
}

// text is an error as a column can hold it.
func text(err error) string {
	s := err.Error()
	if len(s) > 2000 {
		s = s[:2000]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "?"), "\x00", "?")
}

// parcel is the messages of one queue or topic in a batch.
type parcel struct {
	q    destination
	rows []*row
	ms   []store.Stored // of the same rows
	down error
}

// deliver sends rows and notes what came of each: those of a queue in their order, and
// the queues side by side.
func (r *relay) deliver(ctx context.Context, rows []*row) (t turn) {
	var parcels []*parcel
	of := map[string]*parcel{}
	for _, x := range rows {
		p := of[x.queue]
		if p == nil {
			p = &parcel{q: r.queue(x.queue)}
			of[x.queue] = p
			parcels = append(parcels, p)
		}
		m, err := x.message(p.q)
		if err != nil {
			x.fate, x.err = doomed, err
			continue
		}
		p.rows, p.ms = append(p.rows, x), append(p.ms, m)
	}
	var all sync.WaitGroup
	for _, p := range parcels {
		all.Go(func() { p.send(ctx) })
	}
	all.Wait()
	for _, p := range parcels {
		if t.down == nil {
			t.down = p.down
		}
	}
	t.down = r.blame(ctx, rows, t.down)
	for _, x := range rows {
		switch x.fate {
		case gone:
			t.answered = true
			delete(r.full, x.queue)
		case failed:
			t.answered = true
		case refused:
			t.answered = true
			if _, ok := r.full[x.queue]; !ok {
				r.mq.Log().Warn().AnErr("error", x.err).Str("queue", x.queue).Msg("a queue is full; its rows of the outbox wait")
			}
			r.full[x.queue] = time.Now().Add(fullWait)
		}
	}
	return t
}

// message is what the row says is to be sent, as of now.
func (x *row) message(q destination) (m store.Stored, err error) {
	if q == nil {
		return m, &leanmq.InvalidError{Field: "Queues", Rule: fmt.Sprintf("returns nil for %q: want a handle", x.queue)}
	}
	if x.old {
		return m, fmt.Errorf("it is older than %d days: whether it was sent can no longer be told", trust/(24*time.Hour))
	}
	if m, err = store.UnpackStored(x.options, x.payload); err != nil {
		return m, err
	}
	m.Aged(x.age)
	if m.Envelope.ID == "" {
		m.Envelope.ID = x.id
	}
	m.Terms.Once, m.Terms.OnceFor = x.id, known
	return m, nil
}

// send sends the messages in rounds, of which each has one message with the same
// ordering key at most: what is behind one that failed must not be sent.
func (p *parcel) send(ctx context.Context) {
	waits := map[string]bool{} // ordering keys of which one was not sent
	for len(p.rows) > 0 && p.down == nil {
		var now, later parcel
		taken := map[string]bool{}
		for i, x := range p.rows {
			to := &now
			switch lane := string(x.lane); {
			case x.lane == nil:
			case waits[lane]:
				continue
			case taken[lane]:
				to = &later
			default:
				taken[lane] = true
			}
			to.rows, to.ms = append(to.rows, x), append(to.ms, p.ms[i])
		}
		for i, err := range p.q.SendStored(ctx, now.ms) {
			x := now.rows[i]
			x.judge(err)
			switch x.fate {
			case gone, doomed:
				continue
			case left:
				p.down = err
			case refused:
				later = parcel{} // nobody shall fill a place that becomes free
			}
			if x.lane != nil {
				waits[string(x.lane)] = true
			}
		}
		p.rows, p.ms = later.rows, later.ms
	}
}

// judge says what becomes of a row whose message was tried.
func (x *row) judge(err error) {
	var malformed *store.MalformedError
	switch {
	case err == nil, errors.Is(err, leanmq.ErrDuplicate):
		x.fate = gone
		return
	case errors.Is(err, leanmq.ErrQueueFull):
		x.fate = refused
	case errors.Is(err, leanmq.ErrInvalid), errors.As(err, &malformed):
		x.fate = doomed
	case errors.Is(err, leanmq.ErrUnavailable), errors.Is(err, leanmq.ErrUnknown), errors.Is(err, leanmq.ErrClosed),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		x.fate = left
	default:
		x.fail()
	}
	x.err = err
}

func (x *row) fail() {
	x.fate = failed
	if x.attempts+1 >= maxAttempts {
		x.fate = doomed
	}
}

// blame finds the row that brings connections down each time it is sent: it came
// alone, nobody knows what became of it, and Redis answers. It must not hold up all
// others for ever.
func (r *relay) blame(ctx context.Context, rows []*row, down error) error {
	if len(rows) != 1 || rows[0].fate != left || !errors.Is(down, leanmq.ErrUnknown) || r.mq.Ping(ctx) != nil {
		return down
	}
	rows[0].fail()
	return nil
}
