package store_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
)

func TestDoneDeletes(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		send(t, q, "a", "b", "c")
		w := join(t, s, q, "w")
		ids := w.mustRead(3)
		out := w.done(ids[0], ids[2])
		if out.Epoch != w.epoch || len(out.Lost) != 0 {
			t.Errorf("%+v", out)
		}
		if got := entryIDs(waiting(t, q)); !slices.Equal(got, ids[1:2]) {
			t.Errorf("%v is left, want %v", got, ids[1:2])
		}
		w.done(ids[0], ids[2]) // as after a lost reply
		w.done(ids[1])
		if i := info(t, q); i.Ready+i.InFlight+i.Scheduled+i.Dead != 0 {
			t.Errorf("%+v", i)
		}
	})
}

func TestDoneOfMoreThanOneScriptTakes(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		payloads := make([]string, 1201)
		send(t, q, payloads...)
		w := join(t, s, q, "w")
		if out := w.done(w.mustRead(len(payloads))...); len(out.Lost) != 0 {
			t.Errorf("lost %d", len(out.Lost))
		}
		if i := info(t, q); i.Ready+i.InFlight != 0 {
			t.Errorf("%+v", i)
		}
	})
}

func TestRetrySetsAsideWithItsStory(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		sent := store.Envelope{
			Payload: []byte("\x00\xff:5:"), ID: "mine", TTL: 3600_000, Target: "/a", ReplyTo: "c@in",
			Header: []string{"zz", "1", "aa", "\r\n"},
		}
		if _, err := q.Send(t.Context(), &sent); err != nil {
			t.Fatal(err)
		}
		w := join(t, s, q, "w")
		entry := w.mustRead(1)[0]
		before, err := s.Now(t.Context())
		before = before.Truncate(time.Millisecond) // as exact as due times are
		if err != nil {
			t.Fatal(err)
		}
		out := w.settle(store.Settlement{Retries: []store.Retry{{ID: entry, Delay: 30 * time.Minute, Attempts: 1, Error: "boom"}}})
		if len(out.Lost) != 0 || out.Epoch != w.epoch {
			t.Errorf("%+v", out)
		}
		if i := info(t, q); i.Ready+i.InFlight+i.Dead != 0 || i.Scheduled != 1 {
			t.Errorf("it is in more than one place: %+v", i)
		}
		got := scheduled(t, q)[0]
		if got.Malformed != nil || got.Attempts != 1 || got.Error != "boom" || got.Created != store.EntryTime(entry) {
			t.Errorf("%+v", got)
		}
		if got.FirstFailed < before.UnixMilli() || got.FirstFailed != got.LastFailed {
			t.Errorf("failed at %d and %d, after %d", got.FirstFailed, got.LastFailed, before.UnixMilli())
		}
		if late := got.Due.Sub(before); late < 30*time.Minute || late > 31*time.Minute {
			t.Errorf("due in %v", late)
		}
		asSent := got.Envelope
		asSent.History = ""
		asSent.Attempts, asSent.Error, asSent.Created, asSent.FirstFailed, asSent.LastFailed = 0, "", 0, 0, 0
		if !reflect.DeepEqual(asSent, sent) {
			t.Errorf("got  %+v\nsent %+v", asSent, sent)
		}
		// As after a lost reply: it is not set aside twice.
		if out := w.settle(store.Settlement{Retries: []store.Retry{{ID: entry, Attempts: 1}}}); !slices.Equal(out.Lost, []string{entry}) {
			t.Errorf("%+v", out)
		}
		if n := len(scheduled(t, q)); n != 1 {
			t.Errorf("%d are scheduled", n)
		}
	})
}

func TestSecondFailureKeepsTheFirstOnesTimeAndTheID(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		id := send(t, q, "x")[0]
		w := join(t, s, q, "w")
		var first store.Entry
		for attempt := 1; attempt <= 3; attempt++ {
			entry := w.mustRead(1)[0]
			w.settle(store.Settlement{Retries: []store.Retry{{ID: entry, Attempts: attempt, Error: fmt.Sprint("no. ", attempt)}}})
			got := scheduled(t, q)
			if len(got) != 1 || got[0].ID != id || got[0].Attempts != attempt || got[0].Created != store.EntryTime(id) ||
				got[0].Error != fmt.Sprint("no. ", attempt) {
				t.Fatalf("attempt %d: %+v", attempt, got)
			}
			if attempt == 1 {
				first = got[0]
			}
			if got[0].FirstFailed != first.FirstFailed || got[0].LastFailed < got[0].FirstFailed {
				t.Errorf("first failed at %d, then at %d, last at %d", first.FirstFailed, got[0].FirstFailed, got[0].LastFailed)
			}
			eventually(t, "it is due", func() bool {
				if _, err := s.Promote(t.Context(), []*store.Queue{q}, 10); err != nil {
					t.Fatal(err)
				}
				return len(waiting(t, q)) == 1
			})
		}
	})
}

func TestDeadLetterTellsItsStory(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		sent := store.Envelope{Payload: []byte{0, 255, '\r', '\n'}, Target: "/a", TTL: 1000, Header: []string{"hh", "v"}}
		id, err := q.Send(t.Context(), &sent)
		if err != nil {
			t.Fatal(err)
		}
		w := join(t, s, q, "w")
		w.mustRead(1)
		out := w.settle(store.Settlement{Dead: []store.Dead{{ID: id, Reason: "exhausted", Attempts: 3, Error: "boom\nstack"}}})
		if len(out.Lost) != 0 {
			t.Errorf("%+v", out)
		}
		if i := info(t, q); i.Ready+i.InFlight+i.Scheduled != 0 || i.Dead != 1 {
			t.Errorf("it is in more than one place: %+v", i)
		}
		got := deadLetters(t, q)[0]
		if got.Reason != "exhausted" || got.Error != "boom\nstack" || got.Attempts != 3 || got.ID != id ||
			got.Created != store.EntryTime(id) || got.FirstFailed == 0 || got.LastFailed != got.FirstFailed {
			t.Errorf("%+v", got)
		}
		if string(got.Payload) != string(sent.Payload) || !slices.Equal(got.Header, sent.Header) || got.TTL != 1000 || got.Target != "/a" {
			t.Errorf("%+v", got)
		}
		if last, err := q.LastDead(t.Context()); err != nil || last != got.Entry {
			t.Errorf("the newest is %s, %v", last, err)
		}
		// As after a lost reply.
		if out := w.settle(store.Settlement{Dead: []store.Dead{{ID: id}}}); !slices.Equal(out.Lost, []string{id}) {
			t.Errorf("%+v", out)
		}
		if n := len(deadLetters(t, q)); n != 1 {
			t.Errorf("%d dead letters", n)
		}
	})
}
