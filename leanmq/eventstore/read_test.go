package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/leanmq/eventstore"
)

// Several aggregates, with more events than a page has.
func TestReadingComesInOrderFromAnywhere(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := eventstore.New(open(t, url), "shop:orders")
		var all []string
		var positions []string
		of := map[string][]string{}
		for i := range 260 {
			aggregate := []string{"a", "b", "c:{d} e"}[i%13%3]
			typ := []string{"order.paid", "order.item.added", "order", "shop.opened"}[i%11%4]
			a := mustAppend(t, s, aggregate, eventstore.Any, event(typ, i))
			text := fmt.Sprintf("%s/%d %s %d", aggregate, a.Version, typ, i)
			all, positions = append(all, text), append(positions, a.Positions...)
			of[aggregate] = append(of[aggregate], text)
			of[typ] = append(of[typ], text)
		}
		same := func(what string, got, want []string) {
			t.Helper()
			if !slices.Equal(got, want) {
				t.Errorf("%s: %d events, want %d: %v", what, len(got), len(want), got)
			}
		}
		ctx := t.Context()
		for _, aggregate := range []string{"a", "b", "c:{d} e"} {
			want := of[aggregate]
			for _, after := range []int{0, 1, len(want) / 2, len(want) - 1, len(want), len(want) + 7} {
				same(fmt.Sprintf("%s after %d", aggregate, after), texts(t, s.Read(ctx, aggregate, int64(after))), want[min(after, len(want)):])
			}
		}
		same("nobody", texts(t, s.Read(ctx, "nobody", 0)), nil)
		same("all", texts(t, s.ReadAll(ctx, "")), all)
		matching := func(types ...string) (out []string) {
			for i := range 260 {
				if slices.Contains(types, []string{"order.paid", "order.item.added", "order", "shop.opened"}[i%11%4]) {
					out = append(out, all[i])
				}
			}
			return out
		}
		patterns := map[string][]string{
			"order.paid": matching("order.paid"), "order.*": matching("order.paid"), "order": matching("order"),
			"order.#": matching("order", "order.paid", "order.item.added"), "#": all, "*": matching("order"),
			"*.*": matching("order.paid", "shop.opened"), "#.added": matching("order.item.added"), "nothing.*": nil,
		}
		for pattern, want := range patterns {
			same(pattern, texts(t, s.ReadType(ctx, pattern, "")), want)
		}
		for _, at := range []int{0, 1, 99, 100, 258, 259} {
			same(fmt.Sprintf("all after %d", at), texts(t, s.ReadAll(ctx, positions[at])), all[at+1:])
			var want []string
			for _, text := range all[at+1:] {
				if slices.Contains(patterns["order.#"], text) {
					want = append(want, text)
				}
			}
			same(fmt.Sprintf("order.# after %d", at), texts(t, s.ReadType(ctx, "order.#", positions[at])), want)
		}
		if types, err := s.Types(ctx); err != nil || !slices.Equal(types, []string{"order", "order.item.added", "order.paid", "shop.opened"}) {
			t.Error(types, err)
		}
		for range s.ReadAll(ctx, "") {
			break // an iterator that is left early
		}
	})
}

func TestEventKeepsWhatItWasGiven(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := eventstore.New(open(t, url, leanmq.Codecs(leanmq.Bytes)), "bank")
		a := mustAppend(t, s, "a", eventstore.NoEvents, eventstore.NewEvent{
			Type: "moved", Data: []byte("\x00\r\n\xff"), Header: leanmq.Header{"by": "ada", "trace": "7"},
		})
		for ev, err := range eventstore.New(open(t, url), "bank").Read(t.Context(), "a", 0) {
			if err != nil {
				t.Fatal(err)
			}
			data, err := eventstore.Decode[[]byte](ev)
			if string(data) != "\x00\r\n\xff" || err != nil || len(ev.Header) != 2 || ev.Header["by"] != "ada" || ev.Position != a.Positions[0] || ev.Time.IsZero() {
				t.Errorf("%q, %v, %+v", data, err, ev)
			}
		}
	})
}

// Positions that somebody trimmed, or that never were.
func TestReadingFromAPositionThatIsGone(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := eventstore.New(open(t, url), "bank")
		c := rawClient(t, url)
		var ps []string
		for i := range 5 {
			ps = append(ps, mustAppend(t, s, "a", eventstore.Exactly(int64(i)), event("moved", i)).Positions...)
		}
		if err := c.XTrimMinID(t.Context(), "leanmq:{bank}:bank:topic", ps[2]).Err(); err != nil {
			t.Fatal(err)
		}
		for _, position := range []string{ps[1], "1-0", "9999999999999-0"} {
			_, err := firstError(s.ReadAll(t.Context(), position))
			var gone *eventstore.PositionError
			if !errors.Is(err, eventstore.ErrPosition) || !errors.As(err, &gone) || gone.First != ps[2] || gone.Last != ps[4] || gone.Events != 3 || gone.Position != position {
				t.Errorf("%s: %v", position, err)
			}
		}
		if got := texts(t, s.ReadAll(t.Context(), ps[2])); len(got) != 2 {
			t.Error(got)
		}
		for name, events := range map[string]func() (int, error){
			"aggregate": func() (int, error) { return firstError(s.Read(t.Context(), "a", 0)) },
			"type":      func() (int, error) { return firstError(s.ReadType(t.Context(), "moved", "")) },
		} {
			var gone *eventstore.MissingError
			if n, err := events(); n != 0 || !errors.Is(err, eventstore.ErrMissing) || !errors.As(err, &gone) || gone.Position != ps[0] {
				t.Errorf("%s: %d events, %v", name, n, err)
			}
		}
		c.FlushAll(t.Context())
		if _, err := firstError(s.ReadAll(t.Context(), ps[3])); !errors.Is(err, eventstore.ErrPosition) {
			t.Error(err)
		}
		for _, position := range []string{"x", "7", "1-", "-1-0", "1-0-0"} {
			_, err := firstError(s.ReadAll(t.Context(), position))
			isInvalid(t, err, "position")
			_, err = firstError(s.ReadType(t.Context(), "moved", position))
			isInvalid(t, err, "position")
		}
		_, err := firstError(s.Read(t.Context(), "a", -1))
		isInvalid(t, err, "version")
		_, err = firstError(s.ReadType(t.Context(), "a..b", ""))
		isInvalid(t, err, "type pattern")
	})
}

// The log is a topic: groups read it as they read any other.
func TestGroupsSubscribeToTheLog(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		s := eventstore.New(mq, "shop:orders")
		a := mustAppend(t, s, "order-7", eventstore.NoEvents, event("order.created", 1), event("order.paid", 2))
		got := make(chan string, 10)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- mq.Topic("shop:orders").Group("mail").Consume(ctx, leanmq.Typed(func(_ context.Context, n int, m *leanmq.Message) error {
				got <- fmt.Sprint(m.ID, m.Type, m.Header[":aggregate"], m.Header[":version"], n)
				return nil
			}), leanmq.Types("*.paid"))
		}()
		if g, want := testkit.Receive(t, "the event", got), fmt.Sprint(a.Positions[1], "order.paid", "order-7", "2", 2); g != want {
			t.Errorf("%s, want %s", g, want)
		}
		stop()
		if err := testkit.Receive(t, "the end of Consume", ended); err != nil {
			t.Error(err)
		}
		// What is published otherwise is in the log, and nobody's.
		if _, err := mq.Topic("shop:orders").Publish(t.Context(), []byte("3"), leanmq.Type("order.seen")); err != nil {
			t.Fatal(err)
		}
		if got := texts(t, s.ReadAll(t.Context(), a.Positions[1])); !slices.Equal(got, []string{"/0 order.seen 3"}) {
			t.Error(got)
		}
		mustAppend(t, s, "order-7", eventstore.Exactly(2), event("order.closed", 3))
		if got := texts(t, s.Read(t.Context(), "order-7", 0)); len(got) != 3 {
			t.Error(got)
		}
	})
}

// However long the log is, who reads it holds a page of it.
func TestReplayHoldsOnePage(t *testing.T) {
	t.Parallel()
	s := eventstore.New(open(t, redistest.Server(t).URL()), "bank")
	const appends, each = 100, eventstore.MaxEvents
	data := strings.Repeat("x", 200)
	for range appends {
		events := make([]eventstore.NewEvent, each)
		for i := range events {
			events[i] = eventstore.NewEvent{Type: "moved", Data: data}
		}
		mustAppend(t, s, "a", eventstore.Any, events...)
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	for name, events := range map[string]iter.Seq2[*eventstore.Event, error]{
		"all": s.ReadAll(t.Context(), ""), "aggregate": s.Read(t.Context(), "a", 0), "type": s.ReadType(t.Context(), "#", ""),
	} {
		before, n := heap(), 0
		for _, err := range events {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n%20_000 == 0 {
				if more := heap() - before; more > 8<<20 {
					t.Errorf("%s: %d MB after %d events", name, more>>20, n)
				}
			}
		}
		if n != appends*each {
			t.Errorf("%s: %d events", name, n)
		}
	}
}

// Who goes on behind the last event that it got misses none, whatever is appended while
// it reads.
func TestReadTypeEndsInOnePlace(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := eventstore.New(open(t, url), "bank")
		add := func(kind string, n int) {
			for range n {
				mustAppend(t, s, "a", eventstore.Any, event(kind, 0))
			}
		}
		add("order.paid", 1)
		add("order.sent", 150) // more than it reads at once
		var got []int64
		last := ""
		read := func() {
			for ev, err := range s.ReadType(t.Context(), "order.*", last) {
				if err != nil {
					t.Fatal(err)
				}
				if len(got) == 0 {
					add("order.paid", 1)
					add("order.new", 1)
					add("order.sent", 1)
				}
				got, last = append(got, ev.Version), ev.Position
			}
		}
		read()
		read()
		for i, version := range got {
			if version != int64(i+1) {
				t.Fatalf("event %d comes behind %d", version, i)
			}
		}
		if len(got) != 154 {
			t.Errorf("%d events", len(got))
		}
	})
}
