package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/leanmq/eventstore"
)

func TestAppendExpectsAVersion(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := eventstore.New(open(t, url), "bank")
		a := mustAppend(t, s, "a", eventstore.NoEvents, event("opened", 1), event("moved", 2))
		if a.Version != 2 || len(a.Positions) != 2 || a.Repeated {
			t.Errorf("%+v", a)
		}
		for _, tt := range []struct {
			expected eventstore.Expected
			ok       bool
		}{
			{eventstore.NoEvents, false},
			{eventstore.Exactly(1), false},
			{eventstore.Exactly(3), false},
			{eventstore.Exactly(2), true}, // 3 from here on
			{eventstore.Exactly(2), false},
			{eventstore.Any, true},
		} {
			_, err := s.Append(t.Context(), "a", tt.expected, event("moved", 3))
			var conflict *eventstore.ConflictError
			switch {
			case tt.ok && err == nil:
			case tt.ok:
				t.Errorf("%v: %v", tt.expected, err)
			case !errors.Is(err, eventstore.ErrConflict) || !errors.As(err, &conflict):
				t.Errorf("%v: %v, want a conflict", tt.expected, err)
			case conflict.Aggregate != "a" || conflict.Expected != tt.expected || conflict.Actual < 2:
				t.Errorf("%v: %+v", tt.expected, conflict)
			}
		}
		if v, err := s.Version(t.Context(), "a"); v != 4 || err != nil {
			t.Errorf("version %d, %v", v, err)
		}
		if v, err := s.Version(t.Context(), "b"); v != 0 || err != nil {
			t.Errorf("an aggregate that does not exist: %d, %v", v, err)
		}
		want := []string{"a/1 opened 1", "a/2 moved 2", "a/3 moved 3", "a/4 moved 3"}
		if got := texts(t, s.ReadAll(t.Context(), "")); !slices.Equal(got, want) {
			t.Errorf("a refused append left something: %v", got)
		}
	})
}

// Of writers that all try to write the next version, one succeeds at each.
func TestOneWriterWinsEachVersion(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		const writers, versions = 8, 15
		var mu sync.Mutex
		won := map[int64]int{}
		conflicts := 0
		var wg sync.WaitGroup
		for w := range writers {
			s := eventstore.New(open(t, url), "bank")
			wg.Go(func() {
				for v := int64(0); v < versions; {
					a, err := s.Append(t.Context(), "a", eventstore.Exactly(v), event("moved", w))
					var conflict *eventstore.ConflictError
					mu.Lock()
					switch {
					case err == nil:
						won[a.Version]++
						v++
					case errors.As(err, &conflict) && conflict.Actual > v:
						conflicts++
						v = conflict.Actual
					default:
						t.Errorf("writer %d at %d: %v", w, v, err)
						v = versions
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		for v := int64(1); v <= versions; v++ {
			if won[v] != 1 {
				t.Errorf("version %d was written %d times", v, won[v])
			}
		}
		s := eventstore.New(open(t, url), "bank")
		if got := texts(t, s.Read(t.Context(), "a", 0)); len(got) != versions {
			t.Errorf("%d events: %v", len(got), got)
		}
		t.Logf("%d conflicts", conflicts)
	})
}

func TestAppendOnce(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := eventstore.New(open(t, url), "bank")
		ctx := t.Context()
		first, err := s.AppendOnce(ctx, "transfer-1", "a", eventstore.NoEvents, event("moved", 1), event("moved", 2))
		if err != nil || first.Repeated {
			t.Fatal(first, err)
		}
		mustAppend(t, s, "a", eventstore.Any, event("moved", 3))
		again, err := s.AppendOnce(ctx, "transfer-1", "a", eventstore.NoEvents, event("moved", 1), event("moved", 2))
		if err != nil || !again.Repeated || again.Version != first.Version || !slices.Equal(again.Positions, first.Positions) {
			t.Errorf("%+v, %v, want %+v", again, err, first)
		}
		// The same id for another aggregate is another append: the other half of a transfer.
		if other, err := s.AppendOnce(ctx, "transfer-1", "b", eventstore.NoEvents, event("moved", 1)); err != nil || other.Repeated {
			t.Errorf("%+v, %v", other, err)
		}
		// A conflict is not remembered.
		if _, err := s.AppendOnce(ctx, "transfer-2", "a", eventstore.NoEvents, event("moved", 4)); !errors.Is(err, eventstore.ErrConflict) {
			t.Error(err)
		}
		if a, err := s.AppendOnce(ctx, "transfer-2", "a", eventstore.Exactly(3), event("moved", 4)); err != nil || a.Repeated || a.Version != 4 {
			t.Errorf("%+v, %v", a, err)
		}
	})
}

// What is refused half-way would leave some of the events.
func TestAppendIsAllOrNothing(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := eventstore.New(open(t, url), "bank")
		c := rawClient(t, url)
		for _, key := range []string{
			"leanmq:{bank}:bank:topic:events:aggregate:a", "leanmq:{bank}:bank:topic:events:type:moved",
			"leanmq:{bank}:bank:topic:events:types", "leanmq:{bank}:bank:topic:meta",
		} {
			if err := c.Set(t.Context(), key, "of another type", 0).Err(); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Append(t.Context(), "a", eventstore.Any, event("opened", 1), event("moved", 2)); err == nil {
				t.Errorf("%s is not an index, and the append succeeds", key)
			}
			c.Del(t.Context(), key)
			if n := c.Exists(t.Context(), "leanmq:{bank}:bank:topic").Val(); n != 0 {
				t.Fatalf("%s: something was appended", key)
			}
		}
	})
}

func TestAppendRefusesWhatIsOutOfBounds(t *testing.T) {
	s := eventstore.New(open(t, "mem://"), "bank")
	app := func(aggregate string, expected eventstore.Expected, events ...eventstore.NewEvent) error {
		_, err := s.Append(t.Context(), aggregate, expected, events...)
		return err
	}
	isInvalid(t, app("", eventstore.Any, event("moved", 1)), "aggregate")
	isInvalid(t, app(strings.Repeat("x", 257), eventstore.Any, event("moved", 1)), "aggregate")
	isInvalid(t, app("a\xff", eventstore.Any, event("moved", 1)), "aggregate")
	isInvalid(t, app("a", eventstore.Exactly(-1), event("moved", 1)), "expected version")
	isInvalid(t, app("a", eventstore.Any), "events")
	isInvalid(t, app("a", eventstore.Any, make([]eventstore.NewEvent, eventstore.MaxEvents+1)...), "events")
	for _, typ := range []string{"", "a b", "a.*", "#", ".a", "a.", "a..b", "a\n", strings.Repeat("x", 257)} {
		isInvalid(t, app("a", eventstore.Any, event(typ, 1)), "Type")
	}
	isInvalid(t, app("a", eventstore.Any, eventstore.NewEvent{Type: "moved", Data: make(chan int)}), "value")
	isInvalid(t, app("a", eventstore.Any, eventstore.NewEvent{Type: "moved", Header: leanmq.Header{":version": "7"}}), "header")
	_, err := s.AppendOnce(t.Context(), "", "a", eventstore.Any, event("moved", 1))
	isInvalid(t, err, "id")
	for want, s := range map[string]*eventstore.Store{
		"event store": eventstore.New(open(t, "mem://"), "no{good"),
		"OnceFor":     eventstore.New(open(t, "mem://"), "bank", eventstore.OnceFor(0)),
	} {
		_, err := s.Append(t.Context(), "a", eventstore.Any, event("moved", 1))
		isInvalid(t, err, want)
		_, err = firstError(s.ReadAll(t.Context(), ""))
		isInvalid(t, err, want)
		_, err = s.Projections(t.Context())
		isInvalid(t, err, want)
		isInvalid(t, s.ResetProjection(t.Context(), "p"), want)
	}
}

// The most that an append may hold goes through one script, on both stores.
func TestLargestAppend(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := eventstore.New(open(t, url), "bank")
		header := leanmq.Header{}
		for i := range 120 {
			header[fmt.Sprintf("name-%d", i)] = "value"
		}
		events := make([]eventstore.NewEvent, eventstore.MaxEvents)
		for i := range events {
			events[i] = event(fmt.Sprintf("type-%d", i%7), i)
		}
		events[500].Header = header
		a := mustAppend(t, s, "a", eventstore.NoEvents, events...)
		if a.Version != eventstore.MaxEvents || len(a.Positions) != eventstore.MaxEvents {
			t.Errorf("%d, %d positions", a.Version, len(a.Positions))
		}
		at := 0
		for ev, err := range s.Read(t.Context(), "a", 0) {
			if err != nil {
				t.Fatal(err)
			}
			if n, err := eventstore.Decode[int](ev); n != at || err != nil || ev.Version != int64(at+1) || ev.Position != a.Positions[at] {
				t.Fatalf("event %d: %d, %v, %+v", at, n, err, ev)
			}
			if at == 500 && len(ev.Header) != 120 {
				t.Errorf("%d headers", len(ev.Header))
			}
			at++
		}
	})
}

// An encrypted store: nothing readable is in Redis, and whoever has the key reads it.
func TestEventsAreSealedAsMessagesAre(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		keys, err := leanmq.NewKeyring("k1", map[string][]byte{"k1": []byte("0123456789abcdef0123456789abcdef")})
		if err != nil {
			t.Fatal(err)
		}
		s := eventstore.New(open(t, url, leanmq.Encrypt(keys)), "bank")
		mustAppend(t, s, "a", eventstore.NoEvents, eventstore.NewEvent{Type: "moved", Data: "secret"})
		if err := s.SaveSnapshot(t.Context(), "a", 1, "secret"); err != nil {
			t.Fatal(err)
		}
		for ev, err := range s.Read(t.Context(), "a", 0) {
			if err != nil || string(ev.Data()) != `"secret"` {
				t.Errorf("%s, %v", ev.Data(), err)
			}
		}
		var state string
		if v, err := s.LoadSnapshot(t.Context(), "a", &state); v != 1 || err != nil || state != "secret" {
			t.Error(v, err, state)
		}
		blind := eventstore.New(open(t, url), "bank")
		for ev, err := range blind.Read(t.Context(), "a", 0) {
			if err != nil || strings.Contains(string(ev.Data()), "secret") {
				t.Errorf("%s, %v", ev.Data(), err)
			}
			if err := ev.Decode(&state); !errors.Is(err, leanmq.ErrUndecodable) {
				t.Error(err)
			}
		}
		if _, err := blind.LoadSnapshot(t.Context(), "a", &state); !errors.Is(err, leanmq.ErrUndecodable) {
			t.Error(err)
		}
	})
}

func TestAppendSurvivesAScriptFlush(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := eventstore.New(open(t, url), "bank")
		c := rawClient(t, url)
		for v := range int64(3) {
			if err := c.ScriptFlush(context.Background()).Err(); err != nil {
				t.Fatal(err)
			}
			mustAppend(t, s, "a", eventstore.Exactly(v), event("moved", 1))
		}
	})
}

// Retention would take events away from their aggregates.
func TestNoRetention(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		s, topic := eventstore.New(mq, "bank"), mq.Topic("bank")
		age := leanmq.Retention{Length: 1}
		set := func(r leanmq.Retention) error { return topic.SetRetention(t.Context(), r) }
		if err := set(age); err != nil {
			t.Fatal(err)
		}
		_, err := s.Append(t.Context(), "a", eventstore.NoEvents, event("opened", 1))
		isInvalid(t, err, "topic")
		if err := set(leanmq.Retention{}); err != nil {
			t.Fatal(err)
		}
		mustAppend(t, s, "a", eventstore.NoEvents, event("opened", 1), event("moved", 2))
		for name, r := range map[string]leanmq.Retention{"length": age, "age": {Age: time.Hour}, "done": {UntilDone: true}} {
			if err := set(r); !errors.Is(err, leanmq.ErrInvalid) || !strings.Contains(err.Error(), "event store") {
				t.Errorf("%s: %v", name, err)
			}
		}
		// Whoever sets it otherwise takes nothing away.
		if err := rawClient(t, url).HSet(t.Context(), "leanmq:{bank}:bank:topic:meta", "length", 1, "age", 1).Err(); err != nil {
			t.Fatal(err)
		}
		if n, err := topic.Trim(t.Context()); n != 0 || err != nil {
			t.Error(n, err)
		}
		if err := topic.ForceDelete(t.Context()); !errors.Is(err, leanmq.ErrInvalid) {
			t.Error(err)
		}
		if got := texts(t, s.Read(t.Context(), "a", 0)); len(got) != 2 {
			t.Error(got)
		}
	})
}
