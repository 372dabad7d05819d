package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
)

// slices of errors cannot be compared.
type manyErrors []error

func (manyErrors) Error() string { return "many" }

var (
	errGone = errors.New("gone")
	errBusy = errors.New("busy")
	errOdd  = errors.New("odd")
)

// become is what became of a message: done, dead with a reason, or a retry.
func become(t *testing.T, q *leanmq.Queue) string {
	t.Helper()
	var got string
	eventually(t, "it is settled", func() bool {
		switch i := info(t, q); {
		case i.Ready+i.InFlight > 0:
			return false
		case i.Dead > 0:
			d := deadLetters(t, q)[0]
			got = "dead: " + d.Reason + ": " + d.Error
		case i.Scheduled > 0:
			s, err := q.Scheduled(context.Background(), 1)
			if err != nil || len(s) == 0 {
				return false
			}
			in := time.Until(s[0].Due).Round(time.Hour)
			got = fmt.Sprintf("retry in %v: %s", in, s[0].Message.LastError)
		default:
			got = "done"
		}
		return true
	})
	return got
}

func TestRulesAboutErrors(t *testing.T) {
	wrapped := fmt.Errorf("handling: %w", errGone)
	known := []leanmq.ConsumeOption{
		leanmq.RejectOn(errGone, io.ErrUnexpectedEOF), leanmq.DropOn(io.EOF), leanmq.RetryAfterOn(3*time.Hour, errBusy),
	}
	translate := leanmq.OnError(func(err error) error {
		switch err.Error() {
		case "reject me":
			return leanmq.Reject(err)
		case "drop me":
			return nil
		case "wait":
			return leanmq.RetryAfter(7*time.Hour, err)
		case "it is gone":
			return errGone
		case "panic":
			panic("oops")
		}
		return fmt.Errorf("translated: %w", err)
	})
	policy := leanmq.Retry(leanmq.RetryPolicy{Backoff: leanmq.FixedBackoff(time.Hour)})
	for i, tt := range []struct {
		opts []leanmq.ConsumeOption
		err  error
		want string
	}{
		{known, errGone, "dead: rejected: gone"},
		{known, wrapped, "dead: rejected: handling: gone"},
		{known, io.EOF, "done"},
		{known, fmt.Errorf("reading: %w", io.EOF), "done"},
		{known, errors.Join(errOdd, errBusy), "retry in 3h0m0s: odd\nbusy"},
		{known, errOdd, "retry in 1h0m0s: odd"},
		{known, manyErrors{errGone}, "retry in 1h0m0s: many"},
		// The first one that knows it decides.
		{known, errors.Join(errBusy, errGone), "dead: rejected: busy\ngone"},
		{[]leanmq.ConsumeOption{leanmq.RetryAfterOn(3*time.Hour, errBusy), leanmq.RejectOn(errGone)}, errors.Join(errGone, errBusy), "retry in 3h0m0s: gone\nbusy"},
		{[]leanmq.ConsumeOption{leanmq.DropOn(wrapped), leanmq.RejectOn(errGone)}, wrapped, "done"},
		// What the handler says itself wins.
		{known, leanmq.RetryAfter(5*time.Hour, errGone), "retry in 5h0m0s: gone"},
		{known, fmt.Errorf("no: %w", leanmq.Reject(io.EOF)), "dead: rejected: no: EOF"},
		{[]leanmq.ConsumeOption{translate}, leanmq.RetryAfter(5*time.Hour, errors.New("reject me")), "retry in 5h0m0s: reject me"},
		// OnError.
		{[]leanmq.ConsumeOption{translate}, errors.New("reject me"), "dead: rejected: reject me"},
		{[]leanmq.ConsumeOption{translate}, errors.New("drop me"), "done"},
		{[]leanmq.ConsumeOption{translate}, errors.New("wait"), "retry in 7h0m0s: wait"},
		{[]leanmq.ConsumeOption{translate}, errOdd, "retry in 1h0m0s: translated: odd"},
		{[]leanmq.ConsumeOption{translate}, errors.New("panic"), "retry in 1h0m0s: panic"},
		{[]leanmq.ConsumeOption{translate, leanmq.RejectOn(errGone)}, errors.New("it is gone"), "dead: rejected: gone"},
		{[]leanmq.ConsumeOption{leanmq.RejectOn(errGone), translate}, errGone, "dead: rejected: gone"},
		{[]leanmq.ConsumeOption{translate, translate}, errOdd, "retry in 1h0m0s: translated: translated: odd"},
		// Attempts are counted all the same.
		{
			append([]leanmq.ConsumeOption{leanmq.Retry(leanmq.RetryPolicy{MaxAttempts: 1})}, known...),
			errBusy, "dead: exhausted: busy",
		},
	} {
		t.Run(fmt.Sprint(i, " ", tt.want), func(t *testing.T) {
			redistest.ForEachStore(t, func(t *testing.T, url string) {
				mq := open(t, url)
				opts := append([]leanmq.ConsumeOption{policy}, tt.opts...)
				q := mq.Queue("consumed")
				consume(t, q, func(context.Context, *leanmq.Message) error { return tt.err }, opts...)
				send(t, q, "x")
				if got := become(t, q); got != tt.want {
					t.Errorf("%v: %s, want %s", tt.err, got, tt.want)
				}
				q = mq.Queue("pulled")
				p := newPuller(t, q, opts...)
				send(t, q, "x")
				if err := pull(t, p, 1)[0].Retry(t.Context(), tt.err); err != nil {
					t.Fatal(err)
				}
				if got := become(t, q); got != tt.want {
					t.Errorf("%v, pulled: %s, want %s", tt.err, got, tt.want)
				}
			})
		})
	}
}

func TestRulesAboutPanics(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		consume(t, q, func(context.Context, *leanmq.Message) error { panic(errGone) }, leanmq.RejectOn(errGone))
		send(t, q, "x")
		if d := oneDead(t, q); d.Reason != leanmq.ReasonRejected || !strings.Contains(d.Error, "rule_test.go") {
			t.Errorf("%+v", d)
		}
	})
}

func TestDroppedErrorsAreLoggedQuietly(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		var l testkit.Log
		q := open(t, url, leanmq.Logger(zerolog.New(&l))).Queue("jobs")
		consume(t, q, func(context.Context, *leanmq.Message) error { return errGone }, leanmq.DropOn(errGone))
		id := send(t, q, "x")
		becomesEmpty(t, q)
		for line := range strings.Lines(l.String()) {
			if strings.Contains(line, id) && strings.Contains(line, `"level":"debug"`) && strings.Contains(line, "gone") {
				return
			}
		}
		t.Errorf("not logged: %s", l.String())
	})
}

// The caller of a request is answered, and by RetryAfterOn later.
func TestRulesForRequests(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		q := mq.Queue("jobs")
		consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			switch {
			case string(m.Payload) == "gone":
				return errGone
			case m.Attempt == 1:
				return errBusy
			}
			return nil
		}, leanmq.DropOn(errGone), leanmq.RetryAfterOn(time.Millisecond, errBusy))
		in := openInbox(t, mq)
		for payload, want := range map[string]int{"gone": 500, "busy": 200} {
			r, err := in.Request(t.Context(), q, []byte(payload))
			if err != nil || r.Status != want {
				t.Errorf("%s: %+v, %v, want %d", payload, r, err, want)
			}
		}
		becomesEmpty(t, q)
	})
}

func TestRulesThatContradictAreRefused(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		for _, tt := range []struct {
			field, other string
			opts         []leanmq.ConsumeOption
		}{
			{"RejectOn", "nil", []leanmq.ConsumeOption{leanmq.RejectOn(errGone, nil)}},
			{"DropOn", "nil", []leanmq.ConsumeOption{leanmq.DropOn(nil)}},
			{"RetryAfterOn", "nil", []leanmq.ConsumeOption{leanmq.RetryAfterOn(0, nil)}},
			{"RetryAfterOn", "want", []leanmq.ConsumeOption{leanmq.RetryAfterOn(-1, errGone)}},
			{"RetryAfterOn", "want", []leanmq.ConsumeOption{leanmq.RetryAfterOn(9000*time.Hour, errGone)}},
			{"OnError", "function", []leanmq.ConsumeOption{leanmq.OnError(nil)}},
			{"DropOn", `RejectOn contradict each other: both name "gone"`, []leanmq.ConsumeOption{leanmq.RejectOn(errBusy, errGone), leanmq.DropOn(errOdd, errGone)}},
			{"RejectOn", "RetryAfterOn", []leanmq.ConsumeOption{leanmq.RetryAfterOn(0, errGone), leanmq.RejectOn(errGone)}},
			{"RetryAfterOn", "RetryAfterOn", []leanmq.ConsumeOption{leanmq.RetryAfterOn(0, errGone), leanmq.RetryAfterOn(1, errGone)}},
		} {
			err := q.Consume(t.Context(), new(record).done, tt.opts...)
			isInvalid(t, err, tt.field)
			if err == nil || !strings.Contains(err.Error(), tt.other) {
				t.Errorf("%v does not say %q", err, tt.other)
			}
			_, err = q.Puller(tt.opts...)
			isInvalid(t, err, tt.field)
		}
		newPuller(t, q, leanmq.RejectOn(errGone), leanmq.RejectOn(errGone), leanmq.DropOn(errOdd), leanmq.DropOn(),
			leanmq.RetryAfterOn(1, errBusy), leanmq.RetryAfterOn(1, errBusy), leanmq.DropOn(fmt.Errorf("more than %w", errGone)),
			leanmq.RejectOn(manyErrors{}), leanmq.DropOn(manyErrors{}))
	})
}
