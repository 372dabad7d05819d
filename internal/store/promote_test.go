package store_test

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
)

func TestPromoteIsNeverEarly(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		due := map[string]int64{} // ms of the server's clock, by id
		for i, delay := range []time.Duration{1, 10, 30, 50, 50, 80} {
			r := q.SendIf(t.Context(), []store.Envelope{{Payload: []byte{byte(i)}}},
				store.SendTerms{Delay: delay*time.Millisecond + 1, Token: fmt.Sprint("t", i)})[0]
			if r.Err != nil {
				t.Fatal(r.Err)
			}
		}
		for _, e := range scheduled(t, q) {
			due[e.ID] = e.Due.UnixMilli()
			delay := e.Due.UnixMilli() - e.Created
			if want := []int64{2, 11, 31, 51, 51, 81}[e.Payload[0]]; delay != want { // rounded up, not down
				t.Errorf("message %d is due %d ms after its send, want %d", e.Payload[0], delay, want)
			}
		}
		var wg sync.WaitGroup
		var left atomic.Int64
		for range 4 { // as many processes do
			wg.Go(func() {
				for {
					next, err := s.Promote(t.Context(), []*store.Queue{q}, 2)
					if err != nil {
						t.Error(err)
						return
					}
					if next[0].Next < 0 {
						return
					}
					left.Store(int64(next[0].Next))
				}
			})
		}
		wg.Wait()
		got := waiting(t, q)
		if len(got) != 6 {
			t.Errorf("%d messages were moved, want each of 6 once", len(got))
		}
		for _, e := range got {
			if at := store.EntryTime(e.Entry); at < due[e.ID] {
				t.Errorf("%s was delivered %d ms early", e.ID, due[e.ID]-at)
			}
		}
		if i := info(t, q); i.Scheduled != 0 {
			t.Errorf("%+v", i)
		}
	})
}

func TestPromoteTellsWhenToComeAgain(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := open(t, url)
		far, empty, many := queue(t, s, "x:far"), queue(t, s, "x:empty"), queue(t, s, "x:many")
		past := store.SendTerms{Due: time.Unix(1, 0), Token: "past"}
		for _, r := range slices.Concat(
			far.SendIf(t.Context(), make([]store.Envelope, 1), store.SendTerms{Delay: time.Hour, Token: "far"}),
			many.SendIf(t.Context(), make([]store.Envelope, 5), past),
		) {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
		}
		next, err := s.Promote(t.Context(), []*store.Queue{far, empty, many}, 2)
		if err != nil || len(next) != 3 {
			t.Fatal(next, err)
		}
		if next[0].Next > time.Hour || next[0].Next < 59*time.Minute || next[1].Next >= 0 || next[2].Next != 0 {
			t.Errorf("%v, want about an hour, nothing, at once", next)
		}
		if i := info(t, many); i.Ready != 2 || i.Scheduled != 3 {
			t.Errorf("%+v, want 2 moved of 5", i)
		}
	})
}

func TestPackedBytesSurvive(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		everyByte := make([]byte, 256)
		for i := range everyByte {
			everyByte[i] = byte(i)
		}
		large := make([]byte, 1<<20)
		for i := range large {
			large[i] = byte(i * 7)
		}
		sent := []store.Envelope{
			{Payload: everyByte, Header: []string{"bin", string(everyByte), "empty", ""}},
			{Payload: []byte{}},
			{Payload: []byte("5:hello3:abc")},
			{Payload: []byte(":"), ID: "1:", Header: []string{"12:", ":12"}},
			{Payload: large},
		}
		for i := range sent {
			if r := q.SendIf(t.Context(), sent[i:i+1], store.SendTerms{Due: time.Unix(int64(1+i), 0), Token: fmt.Sprint("t", i)})[0]; r.Err != nil {
				t.Fatal(r.Err)
			}
		}
		check := func(where string, got []store.Entry) {
			t.Helper()
			if len(got) != len(sent) {
				t.Fatalf("%s: %d messages", where, len(got))
			}
			for i, e := range got {
				if e.Malformed != nil || string(e.Payload) != string(sent[i].Payload) || !slices.Equal(e.Header, sent[i].Header) {
					t.Errorf("%s: message %d: %v, %.100q with %.100q", where, i, e.Malformed, e.Payload, e.Header)
				}
				if sent[i].ID != "" && e.ID != sent[i].ID || e.ID == "" {
					t.Errorf("%s: message %d has the id %q", where, i, e.ID)
				}
			}
		}
		check("scheduled", scheduled(t, q))
		if _, err := s.Promote(t.Context(), []*store.Queue{q}, 100); err != nil {
			t.Fatal(err)
		}
		check("promoted", waiting(t, q))
	})
}

// However far away, a time in the future is in the future.
func TestFarFutureIsNotNow(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		for i, terms := range []store.SendTerms{
			{Delay: math.MaxInt64},
			{Delay: math.MaxInt64 - 1},
			{Due: time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)},
			{Due: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)},
		} {
			terms.Token = fmt.Sprint("t", i)
			if r := q.SendIf(t.Context(), make([]store.Envelope, 1), terms)[0]; r.Err != nil {
				t.Errorf("%+v: %v", terms, r.Err)
			}
		}
		if _, err := s.Promote(t.Context(), []*store.Queue{q}, 10); err != nil {
			t.Fatal(err)
		}
		if i := info(t, q); i.Ready != 0 || i.Scheduled != 4 {
			t.Errorf("%+v", i)
		}
	})
}
