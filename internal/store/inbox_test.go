package store_test

import (
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
)

func TestReplyToACallerWhoIsGoneLeavesNothingBehind(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		send(t, q, "a", "b")
		w := join(t, s, q, "w")
		ids := w.mustRead(2)
		in, err := s.OpenInbox(t.Context(), "there", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		out := w.settle(store.Settlement{
			Done: []store.Done{{Epoch: w.epoch, IDs: ids}},
			Replies: []store.Reply{
				{To: "1@leanmq:inbox:{gone}"},
				{To: in.Address("2"), Status: 201, Payload: []byte("\x00"), Header: []string{"hh", "v"}},
			},
		})
		if out.Dropped != 1 || len(out.Lost) != 0 {
			t.Errorf("%+v", out)
		}
		var got []store.Reply
		if err := in.Read(t.Context(), time.Second, func(r store.Reply) { got = append(got, r) }); err != nil {
			t.Fatal(err)
		}
		want := []store.Reply{{Correlation: "2", Status: 201, Payload: []byte("\x00"), Header: []string{"hh", "v"}}}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%+v", got)
		}
		c := rawClient(t, url)
		if ttl := c.PTTL(t.Context(), in.Key).Val(); ttl <= 0 || ttl > time.Minute {
			t.Errorf("the inbox lives for %v", ttl)
		}
		if err := in.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if keys := c.Keys(t.Context(), "*inbox*").Val(); len(keys) != 0 {
			t.Errorf("left: %v", keys)
		}
		if i := info(t, q); i.InFlight != 0 {
			t.Errorf("a reply that was dropped kept its message: %+v", i)
		}
	})
}

// Nothing bounds the headers that a handler, or what it passes on, puts into a reply.
func TestReplyMayHaveAnyNumberOfHeaders(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		send(t, q, "a")
		w := join(t, s, q, "w")
		ids := w.mustRead(1)
		in, err := s.OpenInbox(t.Context(), "there", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		var header []string
		for i := range 6000 {
			header = append(header, "name"+strconv.Itoa(i), "v")
		}
		w.settle(store.Settlement{
			Done: []store.Done{{Epoch: w.epoch, IDs: ids}},
			Replies: []store.Reply{
				{To: in.Address("1")},
				{To: in.Address("2"), Header: header},
			},
		})
		if err := s.Answer(t.Context(), store.Reply{To: in.Address("3"), Header: header}); err != nil {
			t.Error(err)
		}
		var got []string
		if err := in.Read(t.Context(), time.Second, func(r store.Reply) {
			got = append(got, r.Correlation)
			if r.Correlation != "1" && !reflect.DeepEqual(r.Header, header) {
				t.Errorf("reply %s has %d headers", r.Correlation, len(r.Header)/2)
			}
		}); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, []string{"1", "2", "3"}) {
			t.Errorf("replies %v", got)
		}
	})
}
