package lazyctx_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leanmq/leanmq/internal/lazyctx"
)

type valueKey struct{}

var (
	errLost    = errors.New("lost")
	errOther   = errors.New("another one")
	errThird   = errors.New("a third one")
	errExpired = errors.New("expired")
)

// looks are the ways in which somebody can make the ordinary context; the first is not
// to.
var looks = []struct {
	name string
	look func(context.Context)
}{
	{"nobody looks", func(context.Context) {}},
	{"Done", func(ctx context.Context) { ctx.Done() }},
	{"Err", func(ctx context.Context) { _ = ctx.Err() }},
	{"Value", func(ctx context.Context) { ctx.Value(valueKey{}) }},
	{"Cause", func(ctx context.Context) { _ = context.Cause(ctx) }},
	{"Deadline", func(ctx context.Context) { ctx.Deadline() }},
}

// Whenever it is looked at, before the end or after it, it says what a context of the
// standard library that was made at the beginning says.
func TestContextIsOrdinary(t *testing.T) {
	ends := []struct {
		name  string
		after time.Duration // the deadline; 0 = none
		end   func(func(error))
		err   error
		cause error
	}{
		{"goes on", 0, func(func(error)) {}, nil, nil},
		{"goes on with a deadline", time.Hour, func(func(error)) {}, nil, nil},
		{"ended", 0, func(end func(error)) { end(errLost) }, context.Canceled, errLost},
		{"ended without a cause", 0, func(end func(error)) { end(nil) }, context.Canceled, context.Canceled},
		{"ended twice", 0, func(end func(error)) { end(errOther); end(errThird) }, context.Canceled, errOther},
		{"ended, then without a cause", 0, func(end func(error)) { end(errThird); end(nil) }, context.Canceled, errThird},
		{"ended before the deadline", time.Hour, func(end func(error)) {
			end(errThird)
			time.Sleep(2 * time.Hour)
		}, context.Canceled, errThird},
		{"deadline", time.Hour, func(func(error)) { time.Sleep(time.Hour) }, context.DeadlineExceeded, errExpired},
		{"deadline, then ended", time.Hour, func(end func(error)) {
			time.Sleep(2 * time.Hour)
			end(errLost)
		}, context.DeadlineExceeded, errExpired},
		{"deadline, then returned", time.Hour, func(end func(error)) {
			time.Sleep(2 * time.Hour)
			end(nil)
		}, context.DeadlineExceeded, errExpired},
		{"deadline that had passed", -time.Hour, func(func(error)) {}, context.DeadlineExceeded, errExpired},
	}
	for _, e := range ends {
		for _, l := range looks {
			t.Run(e.name+"/"+l.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					base := context.WithValue(t.Context(), valueKey{}, "of the base")
					var deadline time.Time
					if e.after != 0 {
						deadline = time.Now().Add(e.after)
					}
					h := lazyctx.New(context.WithoutCancel(base), deadline, errExpired)
					defer h.End(nil)
					l.look(h)
					e.end(h.End)
					synctest.Wait()

					if got := h.Err(); got != e.err { //nolint:errorlint // it is the very same one
						t.Errorf("Err is %v, want %v", got, e.err)
					}
					if got := context.Cause(h); got != e.cause { //nolint:errorlint // it is the very same one
						t.Errorf("the cause is %v, want %v", got, e.cause)
					}
					select {
					case <-h.Done():
						if e.err == nil {
							t.Error("it is done")
						}
					default:
						if e.err != nil {
							t.Error("it is not done")
						}
					}
					if d, ok := h.Deadline(); ok != (e.after != 0) || !d.Equal(deadline) {
						t.Errorf("the deadline is %v, %v", d, ok)
					}
					if v := h.Value(valueKey{}); v != "of the base" {
						t.Errorf("the value is %v", v)
					}
				})
			})
		}
	}
}

// Children of every kind end with it and with its cause, whether they were made before
// its end or after it.
func TestContextEndsItsChildren(t *testing.T) {
	children := map[string]func(context.Context) (context.Context, context.CancelFunc){
		"WithCancel": context.WithCancel,
		"WithTimeout": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 24*time.Hour)
		},
		"of a value": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithCancel(context.WithValue(ctx, valueKey{}, 1))
		},
		"AfterFunc": func(ctx context.Context) (context.Context, context.CancelFunc) {
			child, cancel := context.WithCancelCause(context.Background())
			stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
			return child, func() { stop(); cancel(nil) }
		},
	}
	for name, child := range children {
		for _, deadline := range []time.Duration{0, time.Hour} {
			for _, before := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/deadline %v/made before %v", name, deadline, before), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						want := errLost
						var at time.Time
						if deadline != 0 {
							at = time.Now().Add(deadline)
						}
						h := lazyctx.New(context.Background(), at, errExpired)
						end := func() {
							if deadline == 0 {
								h.End(errLost)
								return
							}
							want = errExpired
							time.Sleep(2 * deadline)
						}
						if !before {
							end()
						}
						ctx, cancel := child(h)
						defer cancel()
						if before {
							if ctx.Err() != nil {
								t.Fatalf("ended at once: %v", context.Cause(ctx))
							}
							end()
						}
						<-ctx.Done()
						if cause := context.Cause(ctx); cause != want { //nolint:errorlint // it is the very same one
							t.Errorf("the child's cause is %v, want %v", cause, want)
						}
						h.End(nil)
					})
				})
			}
		}
	}
}

// A child costs no goroutine, and one that ends by itself leaves the others alone.
func TestContextChildCostsNoGoroutine(t *testing.T) {
	h := lazyctx.New(context.Background(), time.Now().Add(time.Hour), errExpired)
	defer h.End(nil)
	before := runtime.NumGoroutine()
	first, cancelFirst := context.WithCancel(h)
	second, cancelSecond := context.WithCancel(h)
	defer cancelSecond()
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("two children cost %d goroutines", n-before)
	}
	cancelFirst()
	if first.Err() == nil || second.Err() != nil || h.Err() != nil {
		t.Errorf("the first ended: %v, the second: %v, their parent: %v", first.Err(), second.Err(), h.Err())
	}
}

// Of those who end it at once one wins, and all see that one, whoever looks meanwhile.
func TestContextEndedAtOnce(t *testing.T) {
	causes := []error{errLost, errOther, errThird, nil}
	for range 1000 {
		h := lazyctx.New(context.Background(), time.Now().Add(time.Hour), errExpired)
		var all sync.WaitGroup
		seen := make([]error, 4)
		for i, cause := range causes {
			all.Go(func() { h.End(cause) })
			all.Go(func() {
				child, cancel := context.WithCancel(h)
				defer cancel()
				<-child.Done()
				seen[i] = context.Cause(child)
			})
		}
		all.Wait()
		won := context.Cause(h)
		for _, cause := range seen {
			if cause != won { //nolint:errorlint // it is the very same one
				t.Fatalf("some see %v, others %v", cause, won)
			}
		}
		if !errors.Is(h.Err(), context.Canceled) {
			t.Fatalf("Err is %v", h.Err())
		}
	}
}

// One that is bound ends with its parent and at its deadline, as an ordinary one does,
// whether somebody has looked before or not.
func TestBoundEndsWithItsParentAndInTime(t *testing.T) {
	for _, l := range looks {
		for _, e := range []struct {
			name       string
			end        func(b *lazyctx.Bound, parent context.CancelCauseFunc)
			err, cause error
		}{
			{"goes on", func(*lazyctx.Bound, context.CancelCauseFunc) { time.Sleep(59 * time.Minute) }, nil, nil},
			{"parent", func(_ *lazyctx.Bound, end context.CancelCauseFunc) { end(errLost) }, context.Canceled, errLost},
			{"deadline", func(*lazyctx.Bound, context.CancelCauseFunc) { time.Sleep(time.Hour) }, context.DeadlineExceeded, context.DeadlineExceeded},
			{"both", func(_ *lazyctx.Bound, end context.CancelCauseFunc) { end(errLost); time.Sleep(time.Hour) }, context.Canceled, errLost},
			{"ended, then parent", func(b *lazyctx.Bound, end context.CancelCauseFunc) { b.End(errOther); end(errLost) }, context.Canceled, errOther},
			{"parent, then ended", func(b *lazyctx.Bound, end context.CancelCauseFunc) { end(errLost); b.End(errOther) }, context.Canceled, errLost},
		} {
			t.Run(e.name+"/"+l.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					parent, end := context.WithCancelCause(context.WithValue(t.Context(), valueKey{}, "of the parent"))
					defer end(nil)
					b := lazyctx.WithTimeout(parent, time.Hour)
					defer b.End(nil)
					l.look(b)
					e.end(b, end)
					synctest.Wait()
					if got := b.Err(); got != e.err { //nolint:errorlint // it is the very same one
						t.Errorf("Err is %v, want %v", got, e.err)
					}
					if got := context.Cause(b); got != e.cause { //nolint:errorlint // it is the very same one
						t.Errorf("the cause is %v, want %v", got, e.cause)
					}
					if v := b.Value(valueKey{}); v != "of the parent" {
						t.Errorf("the value is %v", v)
					}
				})
			})
		}
	}
}

// What nobody looks at is one allocation.
func TestContextUnseenIsCheap(t *testing.T) {
	deadline := time.Now().Add(time.Hour)
	allocs := testing.AllocsPerRun(100, func() {
		h := lazyctx.New(context.Background(), deadline, errExpired)
		ctx := context.Context(h)
		ctx.Deadline()
		_ = ctx.Err()
		h.End(nil)
	})
	if allocs > 1 {
		t.Errorf("%v allocations", allocs)
	}
}
