package leanmq

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

type valueKey struct{}

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
func TestHandlerContextIsOrdinary(t *testing.T) {
	ends := []struct {
		name  string
		after time.Duration // the deadline; 0 = none
		end   func(func(error))
		err   error
		cause error
	}{
		{"goes on", 0, func(func(error)) {}, nil, nil},
		{"goes on with a deadline", time.Hour, func(func(error)) {}, nil, nil},
		{"ended", 0, func(end func(error)) { end(ErrLeaseLost) }, context.Canceled, ErrLeaseLost},
		{"ended without a cause", 0, func(end func(error)) { end(nil) }, context.Canceled, context.Canceled},
		{"ended twice", 0, func(end func(error)) { end(ErrCanceled); end(ErrDrainTimeout) }, context.Canceled, ErrCanceled},
		{"ended, then without a cause", 0, func(end func(error)) { end(ErrDrainTimeout); end(nil) }, context.Canceled, ErrDrainTimeout},
		{"ended before the deadline", time.Hour, func(end func(error)) {
			end(ErrDrainTimeout)
			time.Sleep(2 * time.Hour)
		}, context.Canceled, ErrDrainTimeout},
		{"deadline", time.Hour, func(func(error)) { time.Sleep(time.Hour) }, context.DeadlineExceeded, ErrExpired},
		{"deadline, then ended", time.Hour, func(end func(error)) {
			time.Sleep(2 * time.Hour)
			end(ErrLeaseLost)
		}, context.DeadlineExceeded, ErrExpired},
		{"deadline, then returned", time.Hour, func(end func(error)) {
			time.Sleep(2 * time.Hour)
			end(nil)
		}, context.DeadlineExceeded, ErrExpired},
		{"deadline that had passed", -time.Hour, func(func(error)) {}, context.DeadlineExceeded, ErrExpired},
	}
	for _, e := range ends {
		for _, l := range looks {
			t.Run(e.name+"/"+l.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					base := context.WithValue(t.Context(), valueKey{}, "of the base")
					h := &handlerContext{base: context.WithoutCancel(base)}
					if e.after != 0 {
						h.deadline = time.Now().Add(e.after)
					}
					defer h.end(nil)
					l.look(h)
					e.end(h.end)
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
					if d, ok := h.Deadline(); ok != (e.after != 0) || !d.Equal(h.deadline) {
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
func TestHandlerContextEndsItsChildren(t *testing.T) {
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
						h := &handlerContext{base: context.Background()}
						want := ErrLeaseLost
						if deadline != 0 {
							h.deadline = time.Now().Add(deadline)
						}
						end := func() {
							if deadline == 0 {
								h.end(ErrLeaseLost)
								return
							}
							want = ErrExpired
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
						h.end(nil)
					})
				})
			}
		}
	}
}

// A child costs no goroutine, and one that ends by itself leaves the others alone.
func TestHandlerContextChildCostsNoGoroutine(t *testing.T) {
	h := &handlerContext{base: context.Background(), deadline: time.Now().Add(time.Hour)}
	defer h.end(nil)
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
func TestHandlerContextEndedAtOnce(t *testing.T) {
	causes := []error{ErrLeaseLost, ErrCanceled, ErrDrainTimeout, nil}
	for range 1000 {
		h := &handlerContext{base: context.Background(), deadline: time.Now().Add(time.Hour)}
		var all sync.WaitGroup
		seen := make([]error, 4)
		for i, cause := range causes {
			all.Go(func() { h.end(cause) })
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

// What nobody looks at is one allocation.
func TestHandlerContextUnseenIsCheap(t *testing.T) {
	deadline := time.Now().Add(time.Hour)
	allocs := testing.AllocsPerRun(100, func() {
		h := &handlerContext{base: context.Background(), deadline: deadline}
		ctx := context.Context(h)
		ctx.Deadline()
		h.end(nil)
	})
	if allocs > 1 {
		t.Errorf("%v allocations", allocs)
	}
}
