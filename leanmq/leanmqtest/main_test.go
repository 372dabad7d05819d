package leanmqtest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/leanmq/leanmq/internal/mqtest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/leanmq/leanmqtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	send       = mqtest.Send
	eventually = testkit.Eventually
)

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

// failure returns what ends a test in f, which must call it on the t it is given.
func failure(t *testing.T, f func(env *leanmqtest.Env)) string {
	t.Helper()
	text, failed := strings.CutPrefix(testkit.Ending(t, func(t testing.TB) { f(leanmqtest.New(t)) }), "failed: ")
	if !failed {
		t.Error("it did not fail")
	}
	return text
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
