package leanmqtest_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/leanmq/leanmqtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// exampleT stands in for the t that a test has and an example has not.
type exampleT struct {
	testing.TB
	cleanups []func()
}

func test() (t testing.TB, end func()) {
	e := &exampleT{}
	return e, e.end
}

func (e *exampleT) Helper()                  {}
func (e *exampleT) Context() context.Context { return context.Background() }
func (e *exampleT) Cleanup(f func())         { e.cleanups = append(e.cleanups, f) }
func (e *exampleT) Fatal(args ...any)        { panic(fmt.Sprint(args...)) }
func (e *exampleT) Errorf(format string, args ...any) {
	fmt.Printf(format+"\n", args...)
}
func (e *exampleT) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (e *exampleT) end() {
	for i := len(e.cleanups) - 1; i >= 0; i-- {
		e.cleanups[i]()
	}
}

// failing records how a test fails that is supposed to.
type failing struct {
	testing.TB
	text string
}

func (f *failing) Helper() {}

func (f *failing) Fatalf(format string, args ...any) {
	f.text = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// failure returns what ends a test in f, which must call it on the t it is given.
func failure(t *testing.T, f func(env *leanmqtest.Env)) string {
	t.Helper()
	failing := &failing{TB: t}
	env := leanmqtest.New(failing)
	var wg sync.WaitGroup
	wg.Go(func() { f(env) })
	wg.Wait()
	if failing.text == "" {
		t.Error("it did not fail")
	}
	return failing.text
}

func send(t testing.TB, q *leanmq.Queue, text string, opts ...leanmq.SendOption) string {
	t.Helper()
	id, err := q.Send(t.Context(), []byte(text), opts...)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func done(context.Context, *leanmq.Message) error { return nil }

// same compares what a Drain did with the lines it should print.
func same(t testing.TB, got leanmqtest.Drained, want ...string) {
	t.Helper()
	if len(want) == 0 {
		want = []string{"nothing was ready"}
	}
	if text := strings.Join(want, "\n"); got.String() != text {
		t.Errorf("drained:\n%v\nwant:\n%s", got, text)
	}
}

// eventually waits for cond and fails the test if it does not come true.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for begin := time.Now(); !cond(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > 15*time.Second {
			t.Fatalf("still not after 15 s: %s", what)
		}
	}
}

// recordT notes errors and runs its cleanups when it is told to.
type recordT struct {
	testing.TB
	cleanups []func()
	errors   []string
}

func (r *recordT) Helper()          {}
func (r *recordT) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

func (r *recordT) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func (r *recordT) end() {
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.cleanups[i]()
	}
}
